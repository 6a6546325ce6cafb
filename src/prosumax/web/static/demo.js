// The notice of a lost connection is the framework's; screen readers hear of it only if it says that it is one.
document.addEventListener("DOMContentLoaded", () => {
  const lost = document.getElementById("popup");
  lost?.setAttribute("role", "status");
  lost?.setAttribute("aria-live", "polite");
});
