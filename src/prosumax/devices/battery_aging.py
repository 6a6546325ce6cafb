"""What a battery loses by being used and by growing old; half cycles are counted in the state as they happen.

Every turn of the state of charge ends a half cycle. The one that is under way already counts with the depth it has, so
that wear is known in every step and nothing is added at the end. Small turns cut a large swing in two, so that a
battery that dithers wears some percent more or (mostly) less than under rainflow counting, which knows the future.

Source: Xu, Oudalov, Ulbig, Andersson and Kirschen 2018, IEEE Transactions on Smart Grid 9(2):1131, fitted to LMO cells.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

SEI_FRACTION, SEI_RATE = 0.0575, 121.0
"""Equation of the film that grows in a new battery: its share of the life lost, and its rate."""
_DEPTH = (1.40e5, -0.501, -1.23e5)
_SOC_SLOPE, _REFERENCE_SOC = 1.04, 0.5
_HEAT_SLOPE, _REFERENCE_K = 0.0693, 298.15
_TIME_PER_HOUR = 4.14e-10 * 3600
END_OF_LIFE_LOSS = 0.2
"""Share of the capacity that is lost when a battery is replaced."""
END_OF_LIFE_STRESS = math.log((1 - SEI_FRACTION) / (1 - END_OF_LIFE_LOSS))
"""Stress at which so much is gone; the film has long stopped growing then."""
_SWING = 1e-6  # rounding is no turn


class BatteryAgingParams(NamedTuple):
    """How one battery per home ages.

    Attributes:
        nonlinear: 1 for Xu's model, 0 for the linear one.
        heat: stress of the cell temperature, 1 at 25 C.
        loss_per_cycle: capacity lost per full equivalent cycle, fraction; linear model.
        loss_per_hour: capacity lost by time, fraction; linear model.
        price: of a new battery, which is due when `END_OF_LIFE` of the capacity is gone.
    """

    nonlinear: Float[Array, " home"]
    temperature_stress: Float[Array, " home"]
    loss_per_cycle: Float[Array, " home"]
    loss_per_hour: Float[Array, " home"]
    replacement_cost: Float[Array, " home"]


class BatteryAgingState(NamedTuple):
    """What is remembered.

    Attributes:
        turn: state of charge at the last turn.
        last: state of charge now.
        done: stress of all half cycles that are over, and of time.
        stress: the same with the half cycle under way; never falls.
        lost: share of the nominal capacity that is lost.
    """

    turning_soc: Float[Array, " home"]
    last_soc: Float[Array, " home"]
    past_stress: Float[Array, " home"]
    stress: Float[Array, " home"]
    capacity_loss: Float[Array, " home"]


def temperature_stress(temperature_c: float) -> float:
    """Xu's factor of the cell temperature; 1 at 25 C, for `AgeingParams.heat`."""
    kelvin = temperature_c + 273.15
    return math.exp(_HEAT_SLOPE * (kelvin - _REFERENCE_K) * _REFERENCE_K / kelvin)


def initial_state(initial_soc: Float[Array, " home"]) -> BatteryAgingState:
    """A new battery."""
    nothing = jnp.zeros_like(initial_soc)
    return BatteryAgingState(initial_soc, initial_soc, nothing, nothing, nothing)


def step(
    params: BatteryAgingParams,
    state: BatteryAgingState,
    soc: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[BatteryAgingState, Float[Array, " home"], Float[Array, " home"]]:
    """Age by one step, under Xu's model fast at first, while the film grows.

    Arguments:
        params, state: the batteries.
        soc: state of charge after the step, as a fraction of the nominal capacity.
        step_hours: length of the step.

    Returns:
        The state, the share of the nominal capacity lost in the step, and the share of the battery's life used up, both
        >= 0. Life goes by stress, not by capacity: a cycle costs the same whether the battery is new or old.
    """
    moved = soc - state.last_soc
    turned = (moved * (state.last_soc - state.turning_soc) < 0) & (jnp.abs(moved) > _SWING)
    over = jnp.where(turned, _half_cycle(params, state.turning_soc, state.last_soc), 0.0)
    turn = jnp.where(turned, state.last_soc, state.turning_soc)
    mean = (soc + state.last_soc) / 2
    time = _TIME_PER_HOUR * step_hours * _soc_stress(mean) * params.temperature_stress
    done = state.past_stress + over + time
    stress = jnp.maximum(done + _half_cycle(params, turn, soc), state.stress)
    film = -SEI_FRACTION * jnp.expm1(-SEI_RATE * stress) - (1 - SEI_FRACTION) * jnp.expm1(-stress)
    linear = (
        state.capacity_loss + params.loss_per_cycle * jnp.abs(moved) / 2 + params.loss_per_hour * step_hours
    )
    lost = jnp.where(params.nonlinear > 0, film, linear)
    loss = jnp.maximum(lost - state.capacity_loss, 0.0)
    life = jnp.where(
        params.nonlinear > 0, (stress - state.stress) / END_OF_LIFE_STRESS, loss / END_OF_LIFE_LOSS
    )
    return BatteryAgingState(turn, soc, done, stress, lost), loss, life


def _half_cycle(
    params: BatteryAgingParams, turn: Float[Array, " home"], soc: Float[Array, " home"]
) -> Float[Array, " home"]:
    depth = jnp.abs(soc - turn)
    safe = jnp.maximum(depth, 1e-4)
    full = 1.0 / (_DEPTH[0] * safe ** _DEPTH[1] + _DEPTH[2])
    return jnp.where(depth > 1e-4, 0.5 * full * _soc_stress((soc + turn) / 2) * params.temperature_stress, 0.0)


def _soc_stress(soc: Float[Array, " home"]) -> Float[Array, " home"]:
    return jnp.exp(_SOC_SLOPE * (soc - _REFERENCE_SOC))
