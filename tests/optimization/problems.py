"""Optimization problems for the tests."""

import prosumax
from prosumax.optimization.problem import build_problem
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import read_profiles


def make_problem(source, overrides=()):
    scenario = prosumax.load_scenario(source, overrides)
    profiles = read_profiles(scenario)
    return build_problem(scenario, profiles, assemble(scenario, profiles))
