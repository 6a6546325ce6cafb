"""Scenarios: schema, presets, loading with overrides, and writing.

`load_scenario` turns a preset, a YAML file or a mapping into a validated `Scenario`.
"""

from prosumax.scenario.loading import (
    check_names,
    dump_scenario,
    load_scenario,
    scenario_preset_paths,
)
from prosumax.scenario.schema.community import (
    BatteryConfig,
    CityLearnSolar,
    HomeConfig,
    MarketConfig,
    Period,
    PiecewiseLinearCurve,
    Scenario,
)
from prosumax.scenario.schema.devices import (
    ApplianceConfig,
    BatteryAgingConfig,
    EVConfig,
    HeatPumpConfig,
    HotWaterTankConfig,
    TripConfig,
)
from prosumax.scenario.schema.environment import EnvironmentConfig
from prosumax.scenario.schema.generation import (
    ControlConfig,
    GenerationConfig,
    GenerationSource,
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
from prosumax.scenario.schema.tariff import (
    BILL_ITEM_LABELS,
    DayAheadPrice,
    Price,
    TariffConfig,
    TimeOfUsePrice,
    charge_components,
    total_fee,
)
from prosumax.scenario.tariff_presets import tariff_preset_paths

__all__ = [
    "BILL_ITEM_LABELS",
    "GENERATED_NETWORKS",
    "AgentGroupConfig",
    "AntgenLoad",
    "ApplianceConfig",
    "BatteryAgingConfig",
    "BatteryConfig",
    "CityLearnSolar",
    "CityLearnSource",
    "ClearSky",
    "ControlConfig",
    "DayAheadPrice",
    "EVConfig",
    "EnvironmentConfig",
    "GenerationConfig",
    "GenerationSource",
    "HeatPumpConfig",
    "HomeConfig",
    "HotWaterTankConfig",
    "HourlyFactor",
    "MahtmLoad",
    "MahtmSolar",
    "MarketConfig",
    "MarlemLoad",
    "MarlemPrice",
    "MarlemSolar",
    "NetworkConfig",
    "OperatorConfig",
    "Period",
    "PiecewiseLinearCurve",
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
    "charge_components",
    "check_names",
    "dump_scenario",
    "load_scenario",
    "scenario_preset_paths",
    "tariff_preset_paths",
    "total_fee",
]
