"""Web server: application, routes, security headers, shared services and uploads."""
