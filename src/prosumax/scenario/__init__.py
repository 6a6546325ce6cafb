"""Scenarios: what a person writes, checked; presets; overrides; one clear message per mistake."""

from prosumax.scenario.environment import Environment
from prosumax.scenario.generation import Control, FromGeneration, Generation, MahtmLoad, MahtmSolar
from prosumax.scenario.load import check_names, dump_scenario, load_scenario, presets
from prosumax.scenario.marlem import Hours, MarlemLoad, MarlemPrice, MarlemSolar
from prosumax.scenario.network import GENERATED, Network, Operator
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
    Table,
    Tariff,
    TimeOfUse,
    Values,
)
from prosumax.scenario.sources import (
    Antgen,
    ClearSky,
    SimBench,
    SimBenchSolar,
    SyntheticLoad,
    SyntheticSky,
    SyntheticSolar,
    WeatherFile,
)

__all__ = [
    "GENERATED",
    "Antgen",
    "Battery",
    "CityLearn",
    "CityLearnSolar",
    "ClearSky",
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
    "MarlemLoad",
    "MarlemPrice",
    "MarlemSolar",
    "Network",
    "Operator",
    "Period",
    "Price",
    "Scenario",
    "SimBench",
    "SimBenchSolar",
    "SyntheticLoad",
    "SyntheticSky",
    "SyntheticSolar",
    "Table",
    "Tariff",
    "TimeOfUse",
    "Values",
    "WeatherFile",
    "check_names",
    "dump_scenario",
    "load_scenario",
    "presets",
]
