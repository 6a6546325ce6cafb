"""Scenarios: what a person writes, checked; presets; overrides; one clear message per mistake."""

from prosumax.scenario.environment import Environment
from prosumax.scenario.generation import Control, FromGeneration, Generation, MahtmLoad, MahtmSolar
from prosumax.scenario.load import check_names, dump_scenario, load_scenario, presets
from prosumax.scenario.marlem import Hours, MarlemLoad, MarlemPrice, MarlemSolar
from prosumax.scenario.network import GENERATED, Network, Operator
from prosumax.scenario.population import Members
from prosumax.scenario.schema import (
    Battery,
    CityLearn,
    CityLearnSolar,
    Curve,
    Home,
    Market,
    Period,
    Price,
    Scenario,
    SyntheticLoad,
    SyntheticSolar,
    Table,
    Tariff,
    TimeOfUse,
    Values,
)

__all__ = [
    "GENERATED",
    "Battery",
    "CityLearn",
    "CityLearnSolar",
    "Control",
    "Curve",
    "Environment",
    "FromGeneration",
    "Generation",
    "Home",
    "Hours",
    "MahtmLoad",
    "MahtmSolar",
    "Market",
    "Members",
    "MarlemLoad",
    "MarlemPrice",
    "MarlemSolar",
    "Network",
    "Operator",
    "Period",
    "Price",
    "Scenario",
    "SyntheticLoad",
    "SyntheticSolar",
    "Table",
    "Tariff",
    "TimeOfUse",
    "Values",
    "check_names",
    "dump_scenario",
    "load_scenario",
    "presets",
]
