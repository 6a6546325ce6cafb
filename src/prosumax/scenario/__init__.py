"""Scenarios: what a person writes, checked; presets; overrides; one clear message per mistake."""

from prosumax.scenario.loading import check_names, dump_scenario, load_scenario, scenario_preset_paths
from prosumax.scenario.schema.community import (
    BatteryConfig,
    CityLearnSolar,
    PiecewiseLinearCurve,
    HomeConfig,
    MarketConfig,
    Period,
    Scenario,
)
from prosumax.scenario.schema.devices import BatteryAgingConfig, ApplianceConfig, EVConfig, HeatPumpConfig, HotWaterTankConfig, TripConfig
from prosumax.scenario.schema.environment import EnvironmentConfig
from prosumax.scenario.schema.generation import (
    ControlConfig,
    GenerationSource,
    GenerationConfig,
    MahtmLoad,
    MahtmSolar,
)
from prosumax.scenario.schema.generators import (
    AntgenLoad,
    ClearSky,
    ScheduleLoad,
    SimBenchLoad,
    SimBenchSolar,
    SyntheticLoad,
    SyntheticSky,
    SyntheticSolar,
    WeatherFile,
)
from prosumax.scenario.schema.marlem import HourlyFactor, MarlemLoad, MarlemPrice, MarlemSolar
from prosumax.scenario.schema.network import GENERATED_NETWORKS, NetworkConfig, OperatorConfig
from prosumax.scenario.schema.population import AgentGroupConfig
from prosumax.scenario.schema.sources import CityLearnSource, TableSource, ValuesSource
from prosumax.scenario.schema.tariff import BILL_ITEM_LABELS, DayAheadPrice, Price, TariffConfig, TimeOfUsePrice, charge_components, total_fee
from prosumax.scenario.tariff_presets import tariff_preset_paths

__all__ = [
    "GENERATED_NETWORKS",
    "BILL_ITEM_LABELS",
    "BatteryAgingConfig",
    "ApplianceConfig",
    "AntgenLoad",
    "BatteryConfig",
    "EVConfig",
    "CityLearnSource",
    "CityLearnSolar",
    "ClearSky",
    "ControlConfig",
    "PiecewiseLinearCurve",
    "DayAheadPrice",
    "EnvironmentConfig",
    "GenerationSource",
    "GenerationConfig",
    "HeatPumpConfig",
    "HomeConfig",
    "HotWaterTankConfig",
    "HourlyFactor",
    "MahtmLoad",
    "MahtmSolar",
    "MarketConfig",
    "AgentGroupConfig",
    "MarlemLoad",
    "MarlemPrice",
    "MarlemSolar",
    "NetworkConfig",
    "OperatorConfig",
    "Period",
    "Price",
    "Scenario",
    "ScheduleLoad",
    "SimBenchLoad",
    "SimBenchSolar",
    "SyntheticLoad",
    "SyntheticSky",
    "SyntheticSolar",
    "TableSource",
    "TariffConfig",
    "TimeOfUsePrice",
    "TripConfig",
    "ValuesSource",
    "WeatherFile",
    "check_names",
    "dump_scenario",
    "load_scenario",
    "charge_components",
    "scenario_preset_paths",
    "tariff_preset_paths",
    "total_fee",
]
