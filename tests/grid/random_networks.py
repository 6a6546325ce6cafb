"""Random networks, and an independent power flow: nodal equations solved by SciPy."""

import numpy as np
from scipy.optimize import root

from prosumax.grid.feeder import BASE_KVA, Branches, Feeder


def random_feeder(buses, seed, loops=0, tapped=True, shunts=True):
    """Return a random tree with `loops` closing lines, transformers, taps and shunts."""
    rng = np.random.default_rng(seed)
    parent = np.array([rng.integers(max(0, k - 6), k) for k in range(1, buses)])
    child = np.arange(1, buses)
    flip = rng.random(buses - 1) < 0.5
    start, end = np.where(flip, child, parent), np.where(flip, parent, child)
    if loops:
        pairs = [(a, b) for a in range(buses) for b in range(a + 2, buses) if a != parent[b - 1]]
        extra = rng.choice(len(pairs), loops, replace=False)
        start = np.r_[start, [pairs[k][0] for k in extra]]
        end = np.r_[end, [pairs[k][1] for k in extra]]
    count = len(start)
    transformer = (rng.random(count) < 0.2) & (np.arange(count) < buses - 1) & (not loops)
    scale = 0.3 / buses
    shuffled = rng.permutation(buses)  # The source need not come first.

    def draw_shunts():
        return (rng.uniform(0, 0.002, count) - 1j * rng.uniform(0, 0.004, count)) * shunts

    load_kw = np.where(rng.random(buses) < 0.7, rng.uniform(-3, 5, buses), 0) * 100 / buses
    return Feeder(
        name="random",
        buses=tuple(f"b{k}" for k in range(buses)),
        base_kv=np.full(buses, 0.4),
        source_bus=int(shuffled[0]),
        source_voltage_pu=1.02,
        branches=Branches(
            name=tuple(f"line {k}" for k in range(count)),
            from_bus=shuffled[start],
            to_bus=shuffled[end],
            is_transformer=transformer,
            series_pu=rng.uniform(0.2, 1, count) * scale + 1j * rng.uniform(0.1, 1, count) * scale,
            shunt_from_pu=draw_shunts(),
            shunt_to_pu=draw_shunts(),
            ratio=np.where(transformer & tapped, rng.uniform(0.95, 1.05, count), 1.0),
            rating_from_pu=np.full(count, 0.3),
            rating_to_pu=np.full(count, 0.3),
            length_km=rng.uniform(0.02, 0.2, count),
        ),
        shunt_pu=np.where(rng.random(buses) < 0.2, 0.002 + 0.01j, 0) * shunts,
        load_kw=load_kw,
        load_kvar=0.3 * load_kw,
        x=np.arange(buses, dtype=float),
        y=np.zeros(buses),
        zone=tuple("left" if k < buses // 2 else "right" for k in range(buses)),
    ).validate()


def reference_flow(feeder, p_kw, q_kvar):
    """Solve the nodal power equations with Newton's method, in double precision.

    Returns:
        Voltages, currents at the branch ends, total losses and source power in kVA.
    """
    b, n = feeder.branches, len(feeder.buses)
    admittance = np.zeros((n, n), complex)
    ends = []
    for k in range(len(b.name)):
        i, j, y, t = b.from_bus[k], b.to_bus[k], 1 / b.series_pu[k], b.ratio[k]
        two = np.array([[(y + b.shunt_from_pu[k]) / t**2, -y / t], [-y / t, y + b.shunt_to_pu[k]]])
        for r, row in enumerate((i, j)):
            for c, column in enumerate((i, j)):
                admittance[row, column] += two[r, c]
        ends.append((i, j, two))
    admittance += np.diag(feeder.shunt_pu)
    rest = [k for k in range(n) if k != feeder.source_bus]
    drawn = (np.asarray(p_kw) + 1j * np.asarray(q_kvar)) / BASE_KVA

    def assemble(parts):
        v = np.full(n, feeder.source_voltage_pu, complex)
        v[rest] = parts[: n - 1] + 1j * parts[n - 1 :]
        return v

    def mismatch(parts):
        v = assemble(parts)
        gap = (v * np.conj(admittance @ v) + drawn)[rest]
        return np.r_[gap.real, gap.imag]

    start = np.r_[np.full(n - 1, feeder.source_voltage_pu), np.zeros(n - 1)]
    solution = root(mismatch, start, tol=1e-12)
    assert np.abs(solution.fun).max() < 1e-9
    v = assemble(solution.x)
    currents = np.array([two @ v[[i, j]] for i, j, two in ends])
    source = (
        v[feeder.source_bus] * np.conj(admittance[feeder.source_bus] @ v) + drawn[feeder.source_bus]
    )
    losses = (source - drawn.sum()).real
    return v, currents, losses * BASE_KVA, source * BASE_KVA
