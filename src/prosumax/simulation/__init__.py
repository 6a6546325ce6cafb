"""Simulation: from a scenario to arrays, one step, a rollout, and its results."""
