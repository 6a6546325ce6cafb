"""Simulation of communities: construction from a scenario, one step, rollouts and results."""
