"""Voltages, loading and losses against the Newton-Raphson solver of pandapower.

Each of 50 snapshots draws every load between zero and nominal, and feed-in up to nominal load at
half the buses, so that power flows in both directions.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.grid.catalog.packaged import create_network, simbench_net
from prosumax.grid.catalog.pandapower_import import from_pandapower
from prosumax.grid.power_flow.models import build_model
from prosumax.grid.power_flow.solver import ac_power_flow, linear_power_flow

pandapower = pytest.importorskip("pandapower")

SNAPSHOTS = 50
GRIDS = ["cigre_lv", "kerber_dorfnetz", "kerber_vorstadtnetz_kabel_1", "case33bw", "simbench"]


def network_of(kind):
    return simbench_net("1-LV-rural1--0-no_sw")[0] if kind == "simbench" else create_network(kind)


def snapshots(net, nominal, mva):
    """Yield the power drawn and pandapower's voltages, loadings and losses in kW, by snapshot."""
    rng = np.random.default_rng(33)
    for table in ("load", "sgen", "storage"):
        net[table]["in_service"] = False
    places = {bus: pandapower.create_load(net, bus, 0.0, 0.0) for bus in nominal}
    for _ in range(SNAPSHOTS):
        load = rng.random(len(nominal))
        generation = rng.random(len(nominal)) * (rng.random(len(nominal)) < 0.5)
        for number, bus in enumerate(nominal):
            net.load.loc[places[bus], ["p_mw", "q_mvar"]] = (
                mva[number].real * (load[number] - generation[number]),
                mva[number].imag * load[number],
            )
        pandapower.runpp(net, tolerance_mva=1e-10, numba=False)
        yield (
            net.load.loc[list(places.values()), ["p_mw", "q_mvar"]].to_numpy() * 1000,
            net.res_bus.vm_pu,
            {("line", k): v / 100 for k, v in net.res_line.loading_percent.items()}
            | {("trafo", k): v / 100 for k, v in net.res_trafo.loading_percent.items()},
            1000 * (net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()),
        )


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind == GRIDS[0] else pytest.mark.slow) for kind in GRIDS],
)
def test_snapshots_match_pandapower(kind):
    net = network_of(kind)
    imported = from_pandapower(net, kind)
    feeder = imported.feeder
    reverse = {}
    for index, place in imported.bus_position.items():
        reverse.setdefault(place, index)
    nominal = [reverse[place] for place in np.flatnonzero(feeder.load_kw)]
    mva = [
        complex(
            feeder.load_kw[imported.bus_position[b]], feeder.load_kvar[imported.bus_position[b]]
        )
        / 1e3
        for b in nominal
    ]
    found = list(snapshots(net, nominal, mva))
    drawn = np.zeros((SNAPSHOTS, len(feeder.buses), 2))
    for number, (power, *_) in enumerate(found):
        drawn[number, [imported.bus_position[bus] for bus in nominal]] = power
    p, q = jnp.float32(drawn[..., 0]), jnp.float32(drawn[..., 1])
    wires = build_model(feeder)
    exact = jax.jit(jax.vmap(lambda p, q: ac_power_flow(wires, p, q)))(p, q)
    linear = jax.jit(jax.vmap(lambda p, q: linear_power_flow(wires, p, q)))(p, q)
    has_iron = bool(np.abs(feeder.branches.shunt_from_pu.real).max() > 0)
    worst = {"ac": 0.0, "linear": 0.0, "loading": 0.0, "loss": 0.0}
    for number, (_, voltage, loading, loss_kw) in enumerate(found):
        index = [bus for bus in imported.bus_position if np.isfinite(voltage[bus])]
        theirs = voltage[index].to_numpy()
        place = [imported.bus_position[bus] for bus in index]
        worst["ac"] = max(
            worst["ac"], np.abs(np.abs(exact.voltage_pu[number, place]) - theirs).max()
        )
        worst["linear"] = max(
            worst["linear"], np.abs(np.abs(linear.voltage_pu[number, place]) - theirs).max()
        )
        ours = np.array(
            [
                float(exact.loading[number, imported.branch_position[key]])
                for key in loading
                if key in imported.branch_position
            ]
        )
        their_loading = np.array(
            [value for key, value in loading.items() if key in imported.branch_position]
        )
        # 1 % of the loading; below a thousandth of the rating single precision has no such digits.
        worst["loading"] = max(
            worst["loading"], (np.abs(ours - their_loading) / np.maximum(their_loading, 1e-3)).max()
        )
        lost = float(exact.loss_kw[number].sum() + exact.bus_loss_kw[number].sum())
        worst["loss"] = max(worst["loss"], abs(lost - loss_kw) / loss_kw)
    print(
        kind,
        {name: f"{value:.1e}" for name, value in worst.items()},
        "iron" if has_iron else "no iron",
    )
    # Single precision has errors of about 1e-7 pu; iron losses use the circuit of pandapower.
    assert worst["ac"] < (1e-4 if has_iron else 1e-6)
    assert worst["linear"] < 6e-3
    assert worst["loading"] < 0.01
    assert worst["loss"] < 1e-3
    assert float(exact.residual_pu.max()) < 1e-5
