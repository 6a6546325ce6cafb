"""Scenarios: what a person writes, checked; presets; overrides; one clear message per mistake."""

from prosumax.scenario.loading import check_names, dump_scenario, load_scenario, presets
from prosumax.scenario.schema.community import (
    Battery,
    CityLearnSolar,
    Curve,
    Home,
    Market,
    Period,
    Scenario,
)
from prosumax.scenario.schema.devices import Ageing, Appliance, Car, HeatPump, HotWater, Trip
from prosumax.scenario.schema.environment import Environment
from prosumax.scenario.schema.generation import (
    Control,
    FromGeneration,
    Generation,
    MahtmLoad,
    MahtmSolar,
)
from prosumax.scenario.schema.generators import (
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
from prosumax.scenario.schema.marlem import Hours, MarlemLoad, MarlemPrice, MarlemSolar
from prosumax.scenario.schema.network import GENERATED, Network, Operator
from prosumax.scenario.schema.population import Members
from prosumax.scenario.schema.sources import CityLearn, Table, Values
from prosumax.scenario.schema.tariff import NAMES, DayAhead, Price, Tariff, TimeOfUse, parts, total
from prosumax.scenario.tariff_presets import tariff_presets

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
