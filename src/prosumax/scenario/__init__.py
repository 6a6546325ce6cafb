"""Scenarios: what a person writes, checked; presets; overrides; one clear message per mistake."""

from prosumax.scenario.devices import Ageing, Appliance, Car, HeatPump, HotWater, Trip
from prosumax.scenario.environment import Environment
from prosumax.scenario.generation import Control, FromGeneration, Generation, MahtmLoad, MahtmSolar
from prosumax.scenario.generators import (
    Antgen,
    ClearSky,
    Schedule,
    SimBench,
    SimBenchSolar,
    SyntheticLoad,
    SyntheticSky,
    SyntheticSolar,
    WeatherFile,
)
from prosumax.scenario.load import check_names, dump_scenario, load_scenario, presets
from prosumax.scenario.marlem import Hours, MarlemLoad, MarlemPrice, MarlemSolar
from prosumax.scenario.network import GENERATED, Network, Operator
from prosumax.scenario.population import Members
from prosumax.scenario.schema import Battery, CityLearnSolar, Curve, Home, Market, Period, Scenario
from prosumax.scenario.sources import CityLearn, Table, Values
from prosumax.scenario.tariff import NAMES, DayAhead, Price, Tariff, TimeOfUse, parts, total
from prosumax.scenario.tariffs import tariff_presets

__all__ = [
    "GENERATED",
    "NAMES",
    "Ageing",
    "Appliance",
    "Antgen",
    "Battery",
    "Car",
    "CityLearn",
    "CityLearnSolar",
    "ClearSky",
    "Control",
    "Curve",
    "DayAhead",
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
    "Members",
    "MarlemLoad",
    "MarlemPrice",
    "MarlemSolar",
    "Network",
    "Operator",
    "Period",
    "Price",
    "Scenario",
    "Schedule",
    "SimBench",
    "SimBenchSolar",
    "SyntheticLoad",
    "SyntheticSky",
    "SyntheticSolar",
    "Table",
    "Tariff",
    "TimeOfUse",
    "Trip",
    "Values",
    "WeatherFile",
    "check_names",
    "dump_scenario",
    "load_scenario",
    "parts",
    "presets",
    "tariff_presets",
    "total",
]
