// Announce the framework's notice of a lost connection to screen readers.
document.addEventListener("DOMContentLoaded", () => {
  const popup = document.getElementById("popup");
  popup?.setAttribute("role", "status");
  popup?.setAttribute("aria-live", "polite");
});
