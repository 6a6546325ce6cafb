"""Battery aging by cycles and time, with half cycles counted online.

Every reversal of the state of charge closes a half cycle. The open half cycle counts with its
current depth, so that wear is known in every step and nothing is added at the end of the period.
Small reversals split a large swing in two; for a battery with frequent small reversals the result
deviates by a few percent from rainflow counting, which needs the whole series.

References:
    Xu, Oudalov, Ulbig, Andersson and Kirschen 2018, IEEE Transactions on Smart Grid 9(2):1131;
    parameters fitted to LMO cells.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from prosumax.config import Fraction, NonNegative, Positive, StrictModel
from prosumax.devices.base import stack_fields

SEI_FRACTION = 0.0575
"""Fraction of the life lost to the SEI film, alpha_sei."""
SEI_RATE = 121.0
"""Rate of the SEI film growth, beta_sei."""
END_OF_LIFE_LOSS = 0.2
"""Fraction of the capacity lost when a battery is replaced."""
END_OF_LIFE_STRESS = math.log((1 - SEI_FRACTION) / (1 - END_OF_LIFE_LOSS))
"""Stress at the end of life, when the SEI film no longer grows."""

_DEPTH_COEFFICIENTS = (1.40e5, -0.501, -1.23e5)
_SOC_COEFFICIENT = 1.04
_REFERENCE_SOC = 0.5
_TEMPERATURE_COEFFICIENT = 0.0693
_REFERENCE_K = 298.15
_CALENDAR_STRESS_PER_HOUR = 4.14e-10 * 3600
_HOURS_PER_YEAR = 8760.0
_MIN_SWING = 1e-6  # smaller changes of the state of charge are rounding errors
_MIN_DEPTH = 1e-4  # smaller half cycles cause no stress


class BatteryAgingConfig(StrictModel):
    """Capacity loss of a battery and its cost; the model is `prosumax.devices.battery_aging`."""

    model: Literal["xu", "linear"] = "xu"
    """Xu et al. 2018 with half cycles counted, or constant losses per cycle and year."""
    cell_temperature_c: Annotated[float, Field(ge=-20, le=60)] = 25.0
    """For model `xu`."""
    cycle_life: Positive = 4000.0
    """Full cycles until 20 % of the capacity is lost; for model `linear`."""
    calendar_loss_per_year: Fraction = 0.01
    """Fraction of the capacity lost per year; for model `linear`."""
    replacement_cost_per_kwh: NonNegative = 600.0
    """Price of a new battery, which is due when 20 % of the capacity is lost."""


class BatteryAgingParams(NamedTuple):
    """Parameters of battery aging.

    Attributes:
        nonlinear: 1 for the model of Xu et al., 0 for the linear model.
        temperature_stress: Stress factor of the cell temperature, 1 at 25 C.
        loss_per_cycle: Fraction of the capacity lost per full equivalent cycle; linear model.
        loss_per_hour: Fraction of the capacity lost per hour; linear model.
        replacement_cost: Price of a new battery, due when `END_OF_LIFE_LOSS` of the capacity is
            lost.
    """

    nonlinear: Float[Array, " home"]
    temperature_stress: Float[Array, " home"]
    loss_per_cycle: Float[Array, " home"]
    loss_per_hour: Float[Array, " home"]
    replacement_cost: Float[Array, " home"]


class BatteryAgingState(NamedTuple):
    """State of battery aging.

    Attributes:
        turning_soc: State of charge at the last reversal.
        last_soc: State of charge at the end of the last step.
        past_stress: Stress of all closed half cycles and of time.
        stress: Stress including the open half cycle; never decreases.
        capacity_loss: Fraction of the nominal capacity that is lost.
    """

    turning_soc: Float[Array, " home"]
    last_soc: Float[Array, " home"]
    past_stress: Float[Array, " home"]
    stress: Float[Array, " home"]
    capacity_loss: Float[Array, " home"]


def temperature_stress(temperature_c: float) -> float:
    """Return the stress factor of a constant cell temperature, 1 at 25 C."""
    kelvin = temperature_c + 273.15
    return math.exp(_TEMPERATURE_COEFFICIENT * (kelvin - _REFERENCE_K) * _REFERENCE_K / kelvin)


def build_params(
    batteries: Sequence[tuple[BatteryAgingConfig | None, float]],
) -> BatteryAgingParams:
    """Build the parameters of all homes.

    Args:
        batteries: Configuration of aging, or None, and capacity in kWh of each home's battery.
    """
    rows = [_param_fields(config, capacity_kwh) for config, capacity_kwh in batteries]
    return BatteryAgingParams(**stack_fields(rows))


def _param_fields(config: BatteryAgingConfig | None, capacity_kwh: float) -> dict[str, float]:
    if config is None:
        return dict.fromkeys(BatteryAgingParams._fields, 0.0)
    return {
        "nonlinear": float(config.model == "xu"),
        "temperature_stress": temperature_stress(config.cell_temperature_c),
        "loss_per_cycle": END_OF_LIFE_LOSS / config.cycle_life,
        "loss_per_hour": config.calendar_loss_per_year / _HOURS_PER_YEAR,
        "replacement_cost": config.replacement_cost_per_kwh * capacity_kwh,
    }


def initial_state(initial_soc: Float[Array, " home"]) -> BatteryAgingState:
    """Return the state of new batteries with the given state of charge."""
    zeros = jnp.zeros_like(initial_soc)
    return BatteryAgingState(initial_soc, initial_soc, zeros, zeros, zeros)


def step(
    params: BatteryAgingParams,
    state: BatteryAgingState,
    soc: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[BatteryAgingState, Float[Array, " home"], Float[Array, " home"]]:
    """Advance battery aging by one step.

    Args:
        params: Parameters.
        state: State before the step.
        soc: State of charge after the step as a fraction of the nominal capacity.
        step_hours: Length of the step.

    Returns:
        The state after the step, the fraction of the nominal capacity lost in the step, and the
        fraction of the battery's life consumed, both >= 0. Life is proportional to stress and not
        to capacity, so that a cycle costs the same in a new battery as in an old one.
    """
    delta = soc - state.last_soc
    is_reversal = (delta * (state.last_soc - state.turning_soc) < 0) & (jnp.abs(delta) > _MIN_SWING)
    closed_cycle = _half_cycle_stress(params, state.turning_soc, state.last_soc)
    closed_stress = jnp.where(is_reversal, closed_cycle, 0.0)
    turning_soc = jnp.where(is_reversal, state.last_soc, state.turning_soc)
    mean_soc = (soc + state.last_soc) / 2
    calendar_stress = (
        _CALENDAR_STRESS_PER_HOUR * step_hours * _soc_stress(mean_soc) * params.temperature_stress
    )
    past_stress = state.past_stress + closed_stress + calendar_stress
    stress = jnp.maximum(past_stress + _half_cycle_stress(params, turning_soc, soc), state.stress)
    xu_loss = -SEI_FRACTION * jnp.expm1(-SEI_RATE * stress) - (1 - SEI_FRACTION) * jnp.expm1(
        -stress
    )
    linear_loss = (
        state.capacity_loss
        + params.loss_per_cycle * jnp.abs(delta) / 2
        + params.loss_per_hour * step_hours
    )
    capacity_loss = jnp.where(params.nonlinear > 0, xu_loss, linear_loss)
    step_loss = jnp.maximum(capacity_loss - state.capacity_loss, 0.0)
    life_used = jnp.where(
        params.nonlinear > 0,
        (stress - state.stress) / END_OF_LIFE_STRESS,
        step_loss / END_OF_LIFE_LOSS,
    )
    new_state = BatteryAgingState(turning_soc, soc, past_stress, stress, capacity_loss)
    return new_state, step_loss, life_used


def _half_cycle_stress(
    params: BatteryAgingParams, turning_soc: Float[Array, " home"], soc: Float[Array, " home"]
) -> Float[Array, " home"]:
    """Return the stress of half a cycle between two states of charge."""
    depth = jnp.abs(soc - turning_soc)
    safe_depth = jnp.maximum(depth, _MIN_DEPTH)
    k1, k2, k3 = _DEPTH_COEFFICIENTS
    full_cycle = 1.0 / (k1 * safe_depth**k2 + k3)
    mean_soc = (soc + turning_soc) / 2
    half_cycle = 0.5 * full_cycle * _soc_stress(mean_soc) * params.temperature_stress
    return jnp.where(depth > _MIN_DEPTH, half_cycle, 0.0)


def _soc_stress(soc: Float[Array, " home"]) -> Float[Array, " home"]:
    """Return the stress factor of a mean state of charge, 1 at one half."""
    return jnp.exp(_SOC_COEFFICIENT * (soc - _REFERENCE_SOC))
