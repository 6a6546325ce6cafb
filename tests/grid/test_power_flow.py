"""Power flow against an independent one in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.grid.power_flow.models import build_model, dense_model, tree_model
from prosumax.grid.power_flow.solver import ac_power_flow, linear_power_flow
from tests.grid.random_networks import random_feeder, reference_flow

FORMS = {"dense": dense_model, "tree": tree_model}
solve = jax.jit(ac_power_flow)
solve_linear = jax.jit(linear_power_flow)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("buses", "seed"), [(2, 0), (5, 1), (30, 2), (60, 3)])
def test_ac_power_flow_solves_the_nodal_equations(form, buses, seed):
    feeder = random_feeder(buses, seed)
    voltage, currents, losses, source = reference_flow(feeder, feeder.load_kw, feeder.load_kvar)
    flow = solve(FORMS[form](feeder), jnp.float32(feeder.load_kw), jnp.float32(feeder.load_kvar))
    # Single precision: 6e-8 per operation; a sum over 60 buses leaves a few times that.
    np.testing.assert_allclose(flow.voltage_pu, voltage, atol=1e-6)
    b = feeder.branches
    loading = np.abs(currents / np.c_[b.rating_from_pu, b.rating_to_pu]).max(1)
    np.testing.assert_allclose(flow.loading, loading, rtol=1e-3, atol=1e-5)
    total = float(flow.loss_kw.sum() + flow.bus_loss_kw.sum())
    assert total == pytest.approx(losses, rel=1e-4)
    assert float(flow.source_kw) == pytest.approx(source.real, rel=1e-5, abs=1e-3)
    assert float(flow.source_kvar) == pytest.approx(source.imag, rel=1e-5, abs=1e-3)
    assert float(flow.residual_pu) < 1e-6


def test_ac_power_flow_solves_meshed_networks():
    feeder = random_feeder(20, 4, loops=5)
    voltage, _, losses, _ = reference_flow(feeder, feeder.load_kw, feeder.load_kvar)
    flow = solve(build_model(feeder), jnp.float32(feeder.load_kw), jnp.float32(feeder.load_kvar))
    np.testing.assert_allclose(flow.voltage_pu, voltage, atol=1e-6)
    assert float(flow.loss_kw.sum() + flow.bus_loss_kw.sum()) == pytest.approx(losses, rel=1e-4)


@given(seed=st.integers(0, 10_000), buses=st.sampled_from([2, 5, 40]), load=st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_energy_balances(seed, buses, load):
    """Source power equals power drawn plus losses, which are computed independently."""
    feeder = random_feeder(buses, seed)
    p, q = jnp.float32(load * feeder.load_kw), jnp.float32(load * feeder.load_kvar)
    for form in FORMS.values():
        flow = solve(form(feeder), p, q)
        lost = float(flow.loss_kw.sum() + flow.bus_loss_kw.sum())
        through = np.abs(np.asarray(p)).sum() + lost + 1e-3
        # The documented tolerance: the source power is a sum of many single-precision numbers.
        assert abs(float(flow.source_kw) - float(p.sum()) - lost) < 1e-4 * through
        assert lost >= 0


@pytest.mark.parametrize("form", FORMS)
def test_lindistflow_approximates_the_ac_solution(form):
    feeder = random_feeder(30, 7)
    p, q = jnp.float32(feeder.load_kw), jnp.float32(feeder.load_kvar)
    wires = FORMS[form](feeder)
    exact, linear = solve(wires, p, q), solve_linear(wires, p, q)
    drop = np.abs(np.abs(exact.voltage_pu) - 1.02).max()
    # The error is quadratic in the voltage drop.
    assert np.abs(np.abs(exact.voltage_pu) - np.abs(linear.voltage_pu)).max() < 2 * drop**2 + 1e-5
    np.testing.assert_allclose(linear.loading, exact.loading, rtol=0.05, atol=0.02)


def test_dense_and_tree_models_agree_on_the_linear_power_flow():
    feeder = random_feeder(40, 8)
    p, q = jnp.float32(feeder.load_kw), jnp.float32(feeder.load_kvar)
    one, other = solve_linear(dense_model(feeder), p, q), solve_linear(tree_model(feeder), p, q)
    # Both linearize around the same point and differ by a thousandth of the drop due to shunts.
    np.testing.assert_allclose(np.abs(one.voltage_pu), np.abs(other.voltage_pu), atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
def test_an_infeasible_load_is_finite_and_has_a_large_residual(form):
    feeder = random_feeder(12, 9)
    flow = solve(FORMS[form](feeder), jnp.full(12, 1e5, jnp.float32), jnp.zeros(12, jnp.float32))
    assert all(np.isfinite(np.asarray(part)).all() for part in flow)
    assert float(flow.residual_pu) > 1e-2


@pytest.mark.parametrize("form", FORMS)
def test_gradients_agree_with_finite_differences(form):
    feeder = random_feeder(15, 10)
    wires = FORMS[form](feeder)
    p, q = jnp.float32(feeder.load_kw), jnp.float32(feeder.load_kvar)

    def worst(p_kw, flow):
        found = flow(wires, p_kw, q)
        return jnp.abs(found.voltage_pu).sum() + found.loss_kw.sum() + found.loading.sum()

    run = jax.jit(worst, static_argnums=1)
    for flow in (ac_power_flow, linear_power_flow):
        slope = jax.jit(jax.grad(worst), static_argnums=1)(p, flow)
        assert np.isfinite(np.asarray(slope)).all()
        for bus in (3, 8):
            step = jnp.zeros_like(p).at[bus].set(1.0)
            measured = (run(p + step, flow) - run(p - step, flow)) / 2
            # Central differences of a float32 function of size 20: about 1e-6 of it.
            assert float(slope[bus]) == pytest.approx(float(measured), rel=0.02, abs=1e-4)
    assert np.isfinite(
        np.asarray(jax.jit(jax.grad(worst), static_argnums=1)(jnp.zeros_like(p), ac_power_flow))
    ).all()


def test_batches_equal_single_calls():
    feeder = random_feeder(25, 11)
    wires = build_model(feeder)
    loads = jnp.float32(np.random.default_rng(0).uniform(-1, 2, (6, 25)) * feeder.load_kw)
    together = jax.jit(jax.vmap(lambda p: ac_power_flow(wires, p, 0.2 * p)))(loads)
    for number, p in enumerate(loads):
        alone = solve(wires, p, 0.2 * p)
        np.testing.assert_allclose(together.voltage_pu[number], alone.voltage_pu, atol=1e-6)
