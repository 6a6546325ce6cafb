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
    HomeConfig,
    MarketConfig,
    Period,
    Scenario,
)
from prosumax.scenario.schema.control import ControlConfig
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.scenario.schema.environment import EnvironmentConfig
from prosumax.scenario.schema.network import GENERATED_NETWORKS, NetworkConfig, OperatorConfig
from prosumax.scenario.schema.population import AgentGroupConfig
from prosumax.scenario.schema.tariff import (
    Price,
    TariffConfig,
    charge_components,
    total_fee,
)
from prosumax.scenario.tariff_presets import tariff_preset_paths

__all__ = [
    "GENERATED_NETWORKS",
    "AgentGroupConfig",
    "ControlConfig",
    "DeviceConfig",
    "EnvironmentConfig",
    "HomeConfig",
    "MarketConfig",
    "NetworkConfig",
    "OperatorConfig",
    "Period",
    "Price",
    "Scenario",
    "TariffConfig",
    "charge_components",
    "check_names",
    "dump_scenario",
    "load_scenario",
    "scenario_preset_paths",
    "tariff_preset_paths",
    "total_fee",
]
