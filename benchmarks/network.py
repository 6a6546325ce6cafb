"""Time of a batched power flow, of the same solution in plain NumPy, and its share of a run.

python benchmarks/network.py
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

import timing
from prosumax.control.rules import assemble_policy
from prosumax.grid.feeder import BASE_KVA, Branches, Feeder
from prosumax.grid.power_flow.models import dense_model, tree_model
from prosumax.grid.power_flow.solver import ac_power_flow, linear_power_flow
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.community import build
from prosumax.simulation.rollout import simulate

REPEATS = 25
FEEDERS = {34: 1024, 100: 1024, 256: 256, 1000: 64}  # buses: networks solved at once


def random_feeder(buses: int) -> Feeder:
    """Return a deep, narrow random tree whose lowest voltage is near 0.9 pu at full load."""
    rng = np.random.default_rng(buses)
    parent = np.array([rng.integers(max(0, k - 4), k) for k in range(1, buses)])
    lines = buses - 1
    impedance = rng.uniform(0.5, 1.5, lines) * (1 + 0.5j)
    feeder = Feeder(
        name="random",
        buses=tuple(map(str, range(buses))),
        base_kv=np.full(buses, 0.4),
        source_bus=0,
        source_voltage_pu=1.0,
        branches=Branches(
            name=tuple(map(str, range(lines))),
            from_bus=parent,
            to_bus=np.arange(1, buses),
            is_transformer=np.zeros(lines, bool),
            series_pu=impedance,
            shunt_from_pu=np.zeros(lines, complex),
            shunt_to_pu=np.zeros(lines, complex),
            ratio=np.ones(lines),
            rating_from_pu=np.ones(lines),
            rating_to_pu=np.ones(lines),
            length_km=np.ones(lines),
        ),
        shunt_pu=np.zeros(buses, complex),
        load_kw=np.full(buses, 2.0),
        load_kvar=np.full(buses, 0.6),
        x=np.zeros(buses),
        y=np.zeros(buses),
        zone=("all",) * buses,
    )
    drop = (
        1 - np.abs(numpy_flow(feeder, feeder.load_kw * 1e-6, feeder.load_kvar * 1e-6, 1)[0]).min()
    )
    feeder.branches.series_pu[:] *= 0.08 / (drop * 1e6)
    return feeder


def numpy_flow(
    feeder: Feeder, p_kw: np.ndarray, q_kvar: np.ndarray, iterations: int = 8
) -> tuple[np.ndarray, float]:
    """Run the same sweeps bus by bus; in these trees parents have lower numbers than children."""
    series = np.concatenate([[0], feeder.branches.series_pu])
    above = np.concatenate([[0], feeder.branches.from_bus])
    drawn = (p_kw + 1j * q_kvar) / BASE_KVA
    voltage = np.ones(len(drawn), complex)
    change = np.inf
    for _ in range(iterations):
        current = np.conj(drawn / voltage)
        for bus in range(len(drawn) - 1, 0, -1):
            current[above[bus]] += current[bus]
        new = voltage.copy()
        for bus in range(1, len(drawn)):
            new[bus] = new[above[bus]] - series[bus] * current[bus]
        change, voltage = float(np.abs(new - voltage).max()), new
    return voltage, change


def best_and_median(function, *arguments, rounds: int) -> tuple[float, float]:
    """Return the best and the median seconds of a compiled call."""
    taken = timing.alternate({"call": lambda: function(*arguments)}, rounds)["call"]
    return min(taken), float(np.median(taken))


def main() -> None:
    """Print both tables."""
    options = timing.parser(__doc__).parse_args()
    rounds = 1 if options.toy else REPEATS
    print(timing.machine())
    print("Power flow, microseconds per network (best, median), 8 iterations, residual returned")
    for buses, batch in ({34: 2} if options.toy else FEEDERS).items():
        feeder = random_feeder(buses)
        rng = np.random.default_rng(0)
        p = jnp.float32(feeder.load_kw * rng.uniform(0.5, 1, (batch, buses)))
        q = jnp.float32(feeder.load_kvar * rng.uniform(0.5, 1, (batch, buses)))
        begin = time.perf_counter()
        numpy_flow(feeder, np.asarray(p[0], float), np.asarray(q[0], float))
        python_us = 1e6 * (time.perf_counter() - begin)
        for form in (dense_model, tree_model):
            wires = form(feeder)
            for name, flow in (("ac", ac_power_flow), ("linear", linear_power_flow)):
                solve = jax.jit(jax.vmap(lambda p, q, wires=wires, flow=flow: flow(wires, p, q)))
                lowest, middle = (
                    1e6 * t / batch for t in best_and_median(solve, p, q, rounds=rounds)
                )
                found = solve(p, q)
                residual = float(found.residual_pu.max())
                lowest_pu = float(jnp.abs(found.voltage_pu).min())
                at_worst = f"residual {residual:.0e}, {lowest_pu:.3f} pu"
                print(
                    f"  {buses:5} buses {form.__name__:6} {name:7} {lowest:8.2f} {middle:8.2f} us"
                    f"   {at_worst}   {python_us / lowest:6.0f}x Python"
                )
    print(
        "\nA year of the street, 35 040 steps on cigre_lv (41 buses): seconds,"
        " and ratio to no network"
    )
    plain = None
    for flow in ("copper_plate", "path", "linear", "ac"):
        network = {"network.kind": "cigre_lv", "network.flow": flow}
        scenario = load_scenario("street", network | ({"period.steps": 96} if options.toy else {}))
        community, policy = (
            build(scenario),
            assemble_policy([scenario.policy] * len(scenario.homes)),
        )
        runs = [simulate(community, policy, 0) for _ in range(1 if options.toy else 5)]
        taken = min(simulate_s for _, _, simulate_s in runs)
        plain = plain or taken
        print(
            f"  {flow:13} compile {runs[0][1]:5.2f} s   simulate {taken:6.3f} s"
            f"   {taken / plain:5.1f}x"
        )


if __name__ == "__main__":
    main()
