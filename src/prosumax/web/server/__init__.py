"""Web server: app, routes, security headers and uploads."""
