"""Scenarios: what a person writes, checked; presets; overrides; one clear message per mistake."""

from prosumax.scenario.devices import Ageing, Appliance, Car, HeatPump, HotWater, Trip
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
    SyntheticLoad,
    SyntheticSolar,
    Table,
    Tariff,
    TimeOfUse,
    Values,
)

__all__ = [
    "GENERATED",
    "Ageing",
    "Appliance",
    "Battery",
    "Car",
    "CityLearn",
    "CityLearnSolar",
    "Control",
    "Curve",
    "Environment",
    "FromGeneration",
    "Generation",
    "HeatPump",
    "Home",
    "HotWater",
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
    "SyntheticLoad",
    "SyntheticSolar",
    "Table",
    "Tariff",
    "TimeOfUse",
    "Trip",
    "Values",
    "check_names",
    "dump_scenario",
    "load_scenario",
    "presets",
]
