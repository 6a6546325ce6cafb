"""Power flow: linear and AC solvers on per-unit branches."""
