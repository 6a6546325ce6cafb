"""Presets of observation terms, and the columns and bounds of each term."""

from collections.abc import Iterable, Mapping, Sequence

from prosumax.devices.base import ordered
from prosumax.rl.observations.context import DeviceTerm, observation_terms

OBSERVATION_PRESETS: dict[str, tuple[str, ...]] = {
    "minimal": ("hour", "retail", "feed_in", "load", "solar", "soc"),
    "devices": (
        "hour",
        "retail",
        "feed_in",
        "load",
        "solar",
        "soc",
        "outdoor_temperature",
    ),
    "citylearn": (
        "hour",
        "emission_factor",
        "retail",
        "load",
        "solar",
        "soc",
        "net_load",
        "load_forecast",
        "solar_forecast",
    ),
    "mahtm": (
        "hour",
        "retail",
        "feed_in",
        "emission_factor",
        "load",
        "solar",
        "soc",
        "net_export",
    ),
    "marlem": (
        "hour",
        "progress",
        "clearing_price",
        "volume",
        "grid_import",
        "grid_export",
        "retail",
        "feed_in",
        "mean_reputation",
        "load",
        "solar",
        "load_forecast",
        "solar_forecast",
        "soc",
        "max_sell",
        "max_buy",
        "profit",
        "reputation",
        "unmet_demand",
        "turnover",
        "gains_from_trade",
        "spread",
        "volatility",
        "imbalance",
        "congestion",
        "net_export",
        "self_consumption",
        "flexibility",
        "coordination",
    ),
}
"""Observation terms of each preset; `marlem` has 30 columns with one forecast step.

`preset_terms` adds to `devices` the terms of the devices that the community has.
"""

_UNIT_TERMS = (
    "hour_of_day",
    "progress",
    "soc",
    "unmet_demand",
    "reputation",
    "reputations",
    "mean_reputation",
    "imbalance",
    "congestion",
    "self_consumption",
    "flexibility",
    "coordination",
    "convergence",
    "import_limit",
)

OBSERVATION_BOUNDS: dict[str, tuple[float, float]] = {
    "hour": (-1.0, 1.0),
    **dict.fromkeys(_UNIT_TERMS, (0.0, 1.0)),
}
"""Bounds of the observation terms that have any; devices state those of their own terms.

Observations are not clipped to fit a space: terms missing here, including user-defined ones, are
unbounded.
"""


def preset_terms(preset: str, kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the observation terms of a preset.

    Args:
        preset: Name of the preset.
        kinds: Kinds of devices in the community.
    """
    names = OBSERVATION_PRESETS[preset]
    if preset != "devices":
        return names
    own = [name for device in ordered(dict.fromkeys(kinds)) for name in device.observations]
    return tuple(dict.fromkeys((*names, *own)))


def term_bounds(name: str) -> tuple[float, float]:
    """Return the lower and upper bound of an observation term.

    Args:
        name: Name of the term.
    """
    term = observation_terms.get(name, "observations")
    if isinstance(term, DeviceTerm):
        return term.observation.low, term.observation.high
    return OBSERVATION_BOUNDS.get(name, (float("-inf"), float("inf")))


def observation_columns(
    names: Sequence[str], num_homes: int, forecast_steps: int, slot_counts: Mapping[str, int]
) -> list[str]:
    """Return the name of every column of a home's observation.

    Args:
        names: Names of the observation terms.
        num_homes: Number of homes.
        forecast_steps: Number of steps of the forecasts.
        slot_counts: Number of action slots of each kind of device.
    """
    widths = {
        "load_forecast": forecast_steps,
        "solar_forecast": forecast_steps,
        "reputations": num_homes,
        "hour_of_day": 24,
    }
    columns = []
    for name in names:
        term = observation_terms.get(name, "observations")
        if isinstance(term, DeviceTerm) and term.observation.per_slot:
            widths[name] = slot_counts.get(term.kind, 0)
        if name == "hour":
            columns += [f"{name}_sin", f"{name}_cos"]
        elif name in widths:
            columns += [f"{name}_{number + 1}" for number in range(widths[name])]
        else:
            columns.append(name)
    return columns


def observation_bounds(
    names: Sequence[str], num_homes: int, forecast_steps: int, slot_counts: Mapping[str, int]
) -> list[tuple[float, float]]:
    """Return the lower and upper bound of every column of a home's observation.

    Args:
        names: Names of the observation terms.
        num_homes: Number of homes.
        forecast_steps: Number of steps of the forecasts.
        slot_counts: Number of action slots of each kind of device.
    """
    bounds = []
    for name in names:
        columns = observation_columns([name], num_homes, forecast_steps, slot_counts)
        bounds += [term_bounds(name)] * len(columns)
    return bounds
