"""Sweeps: grids of scenarios, settings and seeds on Ray."""
