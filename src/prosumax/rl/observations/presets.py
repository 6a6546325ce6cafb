"""Presets of observation terms, and the columns and bounds of each term."""

from collections.abc import Sequence

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
        "ev_soc",
        "ev_plugged_in",
        "ev_hours_to_departure",
        "ev_missing_charge",
        "indoor_temperature",
        "hot_water_temperature",
        "appliance_urgency",
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
"""Observation terms of each preset; `marlem` has 30 columns with one forecast step."""

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
    "ev_soc",
    "ev_plugged_in",
    "ev_hours_to_departure",
    "ev_missing_charge",
    "appliance_urgency",
)

OBSERVATION_BOUNDS: dict[str, tuple[float, float]] = {
    "hour": (-1.0, 1.0),
    **dict.fromkeys(_UNIT_TERMS, (0.0, 1.0)),
}
"""Bounds of the observation terms that have any.

Observations are not clipped to fit a space: terms missing here, including user-defined ones, are
unbounded.
"""


def observation_columns(
    names: Sequence[str], num_homes: int, forecast_steps: int, num_appliances: int = 0
) -> list[str]:
    """Return the name of every column of a home's observation.

    Args:
        names: Names of the observation terms.
        num_homes: Number of homes.
        forecast_steps: Number of steps of the forecasts.
        num_appliances: Number of appliance slots.
    """
    widths = {
        "load_forecast": forecast_steps,
        "solar_forecast": forecast_steps,
        "reputations": num_homes,
        "hour_of_day": 24,
        "appliance_urgency": num_appliances,
    }
    columns = []
    for name in names:
        if name == "hour":
            columns += [f"{name}_sin", f"{name}_cos"]
        elif name in widths:
            columns += [f"{name}_{number + 1}" for number in range(widths[name])]
        else:
            columns.append(name)
    return columns


def observation_bounds(
    names: Sequence[str], num_homes: int, forecast_steps: int, num_appliances: int = 0
) -> list[tuple[float, float]]:
    """Return the lower and upper bound of every column of a home's observation.

    Args:
        names: Names of the observation terms.
        num_homes: Number of homes.
        forecast_steps: Number of steps of the forecasts.
        num_appliances: Number of appliance slots.
    """
    unbounded = (float("-inf"), float("inf"))
    bounds = []
    for name in names:
        columns = observation_columns([name], num_homes, forecast_steps, num_appliances)
        bounds += [OBSERVATION_BOUNDS.get(name, unbounded)] * len(columns)
    return bounds
