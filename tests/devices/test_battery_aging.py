"""Ageing against a rainflow count written here in plain Python, and against the figures of Xu's parameters."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.devices import battery_aging


@jax.jit
def play(params, soc, hours):
    def advance(state, level):
        state, loss, life = battery_aging.step(params, state, level, hours)
        return state, (loss, life)

    return jax.lax.scan(advance, battery_aging.initial_state(soc[0]), soc[1:])


def batteries(nonlinear=1.0, heat=1.0, cycle=0.0, hour=0.0):
    return battery_aging.BatteryAgingParams(
        *(jnp.full(1, value, jnp.float32) for value in (nonlinear, heat, cycle, hour, 6000.0))
    )


def lost_by_rainflow(soc, hours, celsius):
    """Xu 2018, scalar and in double precision: turning points, ASTM E1049 rainflow, equation of the film."""
    turns = [soc[0]]
    for here, ahead in zip(soc[1:], [*soc[2:], None], strict=True):
        if ahead is None or (here - turns[-1]) * (ahead - here) < 0:
            turns.append(here)
    heat = math.exp(0.0693 * (celsius - 25) * 298.15 / (celsius + 273.15))
    stress_of = lambda level: math.exp(1.04 * (level - 0.5))  # noqa: E731

    def cycle(high, low, count):
        depth = abs(high - low)
        return (
            count / (1.40e5 * depth**-0.501 - 1.23e5) * stress_of((high + low) / 2) * heat
            if depth > 0
            else 0.0
        )

    stress, stack = 0.0, []
    for turn in turns:
        stack.append(turn)
        while len(stack) >= 3 and abs(stack[-1] - stack[-2]) >= abs(stack[-2] - stack[-3]):
            if len(stack) == 3:
                stress += cycle(stack[0], stack[1], 0.5)
                stack.pop(0)
            else:
                stress += cycle(stack[-2], stack[-3], 1.0)
                del stack[-3:-1]
    stress += sum(cycle(a, b, 0.5) for a, b in zip(stack, stack[1:], strict=False))
    means = [(a + b) / 2 for a, b in zip(soc, soc[1:], strict=False)]
    stress += sum(4.14e-10 * 3600 * hours * stress_of(level) * heat for level in means)
    return 1 - 0.0575 * math.exp(-121 * stress) - (1 - 0.0575) * math.exp(-stress)


def daily(depth, days):
    """Down in six hours, up in six, and rest at the top."""
    top = 0.5 + depth / 2
    day = np.concatenate(
        [np.linspace(top, top - depth, 7)[1:], np.linspace(top - depth, top, 7)[1:], [top] * 12]
    )
    return np.concatenate([[top], np.tile(day, days)])


@pytest.mark.parametrize("celsius", [10.0, 25.0, 35.0])
@pytest.mark.parametrize("depth", [0.1, 0.5, 0.8])
def test_equals_rainflow_where_days_are_alike(depth, celsius):
    soc = daily(depth, 60)
    params = batteries(heat=battery_aging.temperature_stress(celsius))
    state, (loss, life) = play(params, jnp.asarray(soc[:, None], jnp.float32), jnp.float32(1.0))
    expected = lost_by_rainflow(soc.tolist(), 1.0, celsius)
    # Sixty days in single precision; rainflow ends with the same halves.
    assert float(state.lost[0]) == pytest.approx(expected, rel=2e-3)
    assert float(loss.sum()) == pytest.approx(expected, rel=2e-3)
    assert (np.asarray(loss) >= 0).all() and (np.asarray(life) >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_random_battery_wears_about_as_rainflow_says(seed):
    """Cycles alone (the hours are next to none), on a walk that dithers: the count on the fly is some percent off."""
    rng = np.random.default_rng(seed)
    soc = np.clip(0.5 + np.cumsum(rng.normal(0, 0.05, 2000)), 0.05, 0.95)
    state, _ = play(batteries(), jnp.asarray(soc[:, None], jnp.float32), jnp.float32(1e-6))
    assert float(state.lost[0]) == pytest.approx(
        lost_by_rainflow(soc.tolist(), 1e-6, 25.0), rel=0.1
    )


@pytest.mark.parametrize(("depth", "expected"), [(0.0, 0.17), (0.5, 0.21), (0.8, 0.26)])
def test_ten_years_at_25_degrees(depth, expected):
    """Xu's equations by hand, to whole percents: f = 3650 (Sd(depth) + 86400 kt), around half charge.

    For 0.8: Sd = 1 / (1.4e5 x 1.118 - 1.23e5) = 2.98e-5, kt = 3.58e-5 a day, f = 0.239, lost 1 - 0.9425 exp(-f) = 0.26.
    """
    down, up = (
        np.linspace(0.5 + depth / 2, 0.5 - depth / 2, 13)[1:],
        np.linspace(0.5 - depth / 2, 0.5 + depth / 2, 13)[1:],
    )
    soc = np.concatenate([up[-1:], np.tile(np.concatenate([down, up]), 3650)])
    state, _ = play(batteries(), jnp.asarray(soc[:, None], jnp.float32), jnp.float32(1.0))
    assert float(state.lost[0]) == pytest.approx(expected, abs=0.0075)


def test_linear():
    """4000 cycles or twenty years cost a fifth each: 100 full cycles in 1200 hours."""
    soc = np.tile([0.0, 1.0], 601)[:1201]
    params = batteries(0.0, cycle=0.2 / 4000, hour=0.01 / 8760)
    state, (loss, life) = play(params, jnp.asarray(soc[:, None], jnp.float32), jnp.float32(1.0))
    assert float(state.lost[0]) == pytest.approx(600 * 0.2 / 4000 + 1200 * 0.01 / 8760, rel=1e-3)
    assert float(life.sum()) == pytest.approx(float(loss.sum()) / 0.2, rel=1e-4)


def test_life_ends_when_a_fifth_is_gone():
    soc = daily(0.8, 365 * 7)
    state, (_, life) = play(batteries(), jnp.asarray(soc[:, None], jnp.float32), jnp.float32(1.0))
    used = np.cumsum(np.asarray(life)[:, 0], dtype=np.float64)
    lost = (
        1
        - 0.0575 * np.exp(-121 * used * battery_aging.END_OF_LIFE_STRESS)
        - (1 - 0.0575) * np.exp(-used * battery_aging.END_OF_LIFE_STRESS)
    )
    assert lost[np.searchsorted(used, 1.0)] == pytest.approx(0.2, abs=1e-3)
