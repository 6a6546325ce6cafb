"""Battery aging against a scalar rainflow count, and against results of Xu's equations by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.devices import battery_aging


@jax.jit
def simulate(params, soc, hours):
    """Age batteries along a path of the state of charge; return the state, losses and life used."""

    def advance(state, level):
        state, loss, life_used = battery_aging.step(params, state, level, hours)
        return state, (loss, life_used)

    return jax.lax.scan(advance, battery_aging.initial_state(soc[0]), soc[1:])


def aging_params(
    nonlinear=1.0, temperature_stress=1.0, loss_per_cycle=0.0, loss_per_hour=0.0, price=6000.0
):
    fields = (nonlinear, temperature_stress, loss_per_cycle, loss_per_hour, price)
    return battery_aging.BatteryAgingParams(*(jnp.full(1, field, jnp.float32) for field in fields))


def as_path(soc):
    return jnp.asarray(np.asarray(soc)[:, None], jnp.float32)


def turning_points(soc):
    points = [soc[0]]
    for current, following in zip(soc[1:], [*soc[2:], None], strict=True):
        if following is None or (current - points[-1]) * (following - current) < 0:
            points.append(current)
    return points


def rainflow_cycles(soc):
    """Count cycles by ASTM E1049: high, low, and 1 or 0.5."""
    stack = []
    for point in turning_points(soc):
        stack.append(point)
        while len(stack) >= 3 and abs(stack[-1] - stack[-2]) >= abs(stack[-2] - stack[-3]):
            if len(stack) == 3:
                yield stack[0], stack[1], 0.5
                stack.pop(0)
            else:
                yield stack[-2], stack[-3], 1.0
                del stack[-3:-1]
    for high, low in zip(stack, stack[1:], strict=False):
        yield high, low, 0.5


def rainflow_loss(soc, hours, celsius):
    """Compute the capacity loss of Xu et al. 2018 with rainflow counting, in scalar Python."""
    temperature = math.exp(0.0693 * (celsius - 25) * 298.15 / (celsius + 273.15))

    def soc_stress(level):
        return math.exp(1.04 * (level - 0.5))

    stress = 0.0
    for high, low, count in rainflow_cycles(soc):
        depth = abs(high - low)
        if depth > 0:
            cycle = count / (1.40e5 * depth**-0.501 - 1.23e5)
            stress += cycle * soc_stress((high + low) / 2) * temperature
    means = [(start + end) / 2 for start, end in zip(soc, soc[1:], strict=False)]
    stress += sum(4.14e-10 * 3600 * hours * soc_stress(level) * temperature for level in means)
    return 1 - 0.0575 * math.exp(-121 * stress) - (1 - 0.0575) * math.exp(-stress)


def daily_cycles(depth, days):
    """Discharge for six hours, charge for six hours, and rest at the upper end every day."""
    top = 0.5 + depth / 2
    down = np.linspace(top, top - depth, 7)[1:]
    up = np.linspace(top - depth, top, 7)[1:]
    day = np.concatenate([down, up, [top] * 12])
    return np.concatenate([[top], np.tile(day, days)])


@pytest.mark.parametrize("celsius", [10.0, 25.0, 35.0])
@pytest.mark.parametrize("depth", [0.1, 0.5, 0.8])
def test_equals_rainflow_count_for_identical_days(depth, celsius):
    soc = daily_cycles(depth, 60)
    params = aging_params(temperature_stress=battery_aging.temperature_stress(celsius))
    state, (loss, life_used) = simulate(params, as_path(soc), jnp.float32(1.0))
    expected = rainflow_loss(soc.tolist(), 1.0, celsius)
    # Sixty days in single precision; the rainflow count ends with the same half cycles.
    assert float(state.capacity_loss[0]) == pytest.approx(expected, rel=2e-3)
    assert float(loss.sum()) == pytest.approx(expected, rel=2e-3)
    assert (np.asarray(loss) >= 0).all() and (np.asarray(life_used) >= 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_is_close_to_rainflow_count_on_a_random_walk(seed):
    """Small reversals make the online count deviate by a few percent; steps have almost no time."""
    rng = np.random.default_rng(seed)
    soc = np.clip(0.5 + np.cumsum(rng.normal(0, 0.05, 2000)), 0.05, 0.95)
    state, _ = simulate(aging_params(), as_path(soc), jnp.float32(1e-6))
    expected = rainflow_loss(soc.tolist(), 1e-6, 25.0)
    assert float(state.capacity_loss[0]) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("depth", "expected"), [(0.0, 0.17), (0.5, 0.21), (0.8, 0.26)])
def test_loss_of_ten_years_at_25_degrees_by_hand(depth, expected):
    """Xu's equations to whole percents: f = 3650 (Sd(depth) + 86400 kt) around half charge.

    For 0.8: Sd = 1 / (1.4e5 x 1.118 - 1.23e5) = 2.98e-5, kt = 3.58e-5 a day, f = 0.239,
    loss = 1 - 0.9425 exp(-f) = 0.26.
    """
    down = np.linspace(0.5 + depth / 2, 0.5 - depth / 2, 13)[1:]
    up = np.linspace(0.5 - depth / 2, 0.5 + depth / 2, 13)[1:]
    soc = np.concatenate([up[-1:], np.tile(np.concatenate([down, up]), 3650)])
    state, _ = simulate(aging_params(), as_path(soc), jnp.float32(1.0))
    assert float(state.capacity_loss[0]) == pytest.approx(expected, abs=0.0075)


def test_linear_model_adds_losses_of_cycles_and_hours():
    """4000 cycles or twenty years cost a fifth each: 100 full cycles in 1200 hours."""
    soc = np.tile([0.0, 1.0], 601)[:1201]
    params = aging_params(0.0, loss_per_cycle=0.2 / 4000, loss_per_hour=0.01 / 8760)
    state, (loss, life_used) = simulate(params, as_path(soc), jnp.float32(1.0))
    expected = 600 * 0.2 / 4000 + 1200 * 0.01 / 8760
    assert float(state.capacity_loss[0]) == pytest.approx(expected, rel=1e-3)
    assert float(life_used.sum()) == pytest.approx(float(loss.sum()) / 0.2, rel=1e-4)


def test_life_ends_when_a_fifth_of_the_capacity_is_lost():
    soc = daily_cycles(0.8, 365 * 7)
    _, (_, life_used) = simulate(aging_params(), as_path(soc), jnp.float32(1.0))
    used = np.cumsum(np.asarray(life_used)[:, 0], dtype=np.float64)
    stress = used * battery_aging.END_OF_LIFE_STRESS
    loss = 1 - 0.0575 * np.exp(-121 * stress) - (1 - 0.0575) * np.exp(-stress)
    assert loss[np.searchsorted(used, 1.0)] == pytest.approx(0.2, abs=1e-3)
