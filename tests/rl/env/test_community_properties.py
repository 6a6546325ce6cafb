"""What must always hold in a community, on random homes, prices and policies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prosumax
from prosumax.control.rules import assemble_policy, policies
from prosumax.market.mechanism import mechanisms
from prosumax.simulation.build import Community
from prosumax.simulation.rollout import rollout
from prosumax.tariff.bill import receipts

HOMES, STEPS = 4, 24
RULES = [name for name in policies if name != "citylearn-basic-rbc"][:HOMES]


NETWORKS = {
    "path": {
        "kind": "mesh",
        "flow": "path",
        "capacity_kw": 40,
        "operator": {"fees": True, "intervention": "penalise"},
    },
    "linear": {
        "kind": "tree",
        "flow": "linear",
        "operator": {"fees": True, "frequency": 0.5, "adaptive": True},
    },
    "ac": {
        "kind": "line",
        "section_km": 0.5,
        "capacity_kw": 60,
        "trade_limit": "price",
        "operator": {"fees": True, "intervention": "curtail", "cross_zone": 0.1},
    },
}


def random_scenario(
    seed: int, mechanism: str = "mid_market_rate", wires: str | None = None
) -> dict:
    """A scenario anybody could have written: every field drawn within what is allowed."""
    rng = np.random.default_rng(seed)

    def values(low, high):
        return {"source": "values", "values": np.round(rng.uniform(low, high, STEPS), 4).tolist()}

    def battery():
        soc_min = float(rng.uniform(0, 0.3))
        return {
            "capacity_kwh": float(rng.uniform(1, 15)),
            "charge_kw": float(rng.uniform(0.5, 8)),
            "discharge_kw": float(rng.uniform(0.5, 8)),
            "charge_efficiency": float(rng.uniform(0.7, 1)),
            "discharge_efficiency": float(rng.uniform(0.7, 1)),
            "soc_min": soc_min,
            "soc_max": float(rng.uniform(0.6, 1)),
            "self_discharge_per_month": float(rng.uniform(0, 0.2)),
            "fade": float(rng.choice([0, 1e-4])),
        }

    homes = [
        {
            "name": f"home {number}",
            "load": values(0, 3),
            "solar": values(0, 5) if rng.random() < 0.6 else None,
            "battery": battery() if rng.random() < 0.7 else None,
            "policy": RULES[number],
        }
        for number in range(HOMES)
    ]
    fraction = lambda: float(rng.uniform(0, 1))  # noqa: E731
    tariff = {
        "energy": values(-0.1, 0.4),
        "network": values(0, 0.2),
        "levies": fraction() * 0.1,
        "feed_in": values(-0.05, 0.1),
        "vat": fraction() * 0.25,
        "supplier_fee_per_year": 60 * fraction(),
        "network_fee_per_year": 20 * fraction(),
        "local_network": fraction(),
        "local_levies": fraction(),
        "carbon_kg_per_kwh": 0.2,
    }
    period = {
        "start": "2023-03-25T12:00",
        "steps": STEPS,
        "step_minutes": int(rng.choice([15, 60])),
    }
    return {
        "name": "random",
        "seed": seed % 1000,
        "period": period,
        "homes": homes,
        "tariff": tariff,
        "market": {"mechanism": mechanism},
        "network": {} if wires is None else NETWORKS[wires],
    }


def community_of(
    seed: int, mechanism: str = "mid_market_rate", wires: str | None = None
) -> Community:
    return prosumax.build(prosumax.load_scenario(random_scenario(seed, mechanism, wires)))


POLICY = assemble_policy(RULES)
play = jax.jit(rollout)


# One mechanism of each make; what holds for the others is tested stage by stage in tests/market.
@pytest.mark.parametrize(
    ("mechanism", "wires"),
    [
        ("none", None),
        ("mid_market_rate", None),
        ("key_static", None),
        ("double_auction", None),
        ("preferred_partners", None),
        ("continuous_double_auction", None),
        ("vcg", None),
        ("preferred_partners", "path"),
        ("mid_market_rate", "linear"),
        ("double_auction", "ac"),
        ("mid_market_rate", "ac"),
    ],
)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_energy_and_money(mechanism, wires, seed):
    community = community_of(seed, mechanism, wires)
    trajectory = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), play(community, POLICY, jax.random.key(seed))
    )
    flows, local, bill, reputation, grid = trajectory.record[:5]
    atol = 2e-5  # single precision on some 10 kWh or euros per step
    energy_in = flows.solar_kwh + flows.discharge_kwh + flows.import_kwh
    energy_out = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    np.testing.assert_allclose(energy_in, energy_out, atol=atol)
    assert (flows.import_kwh * flows.export_kwh == 0).all()
    stored = np.concatenate(
        [
            [
                np.asarray(
                    community.homes.battery.initial_soc * community.homes.battery.capacity_kwh
                )
            ],
            flows.stored_kwh,
        ]
    )
    change = flows.charge_kwh - flows.discharge_kwh - flows.battery_loss_kwh
    np.testing.assert_allclose(np.diff(stored, axis=0), change, atol=atol)
    np.testing.assert_allclose(local.bought_kwh.sum(1), local.sold_kwh.sum(1), atol=atol)
    assert (local.bought_kwh <= flows.import_kwh + atol).all() and (
        local.sold_kwh <= flows.export_kwh + atol
    ).all()
    # Money, from first principles: what homes pay is what the kWh they took from the grid cost, less feed-in.
    series = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64)[:, None], community.series.tariff
    )
    rates = jax.tree.map(float, community.rates)
    grid_kwh = flows.import_kwh - local.bought_kwh
    charges = (
        grid_kwh * (series.energy + series.network + series.levies)
        + rates.supplier_fee
        + rates.network_fee
    )
    charges += local.bought_kwh * (
        rates.local_network * series.network + rates.local_levies * series.levies
    )
    outside = charges * (1 + rates.vat) - (flows.export_kwh - local.sold_kwh) * series.feed_in
    np.testing.assert_allclose(
        bill.total, outside + local.paid - local.earned + bill.network_fees, atol=2e-5
    )
    received = receipts(bill)
    np.testing.assert_allclose(sum(received.values()), bill.total.sum(1), atol=1e-9)
    if mechanisms.get(mechanism, "").balance == "balanced":
        np.testing.assert_allclose(received["mechanism"], 0, atol=atol)
    assert (reputation >= 0).all() and (reputation <= 1).all()
    if grid is not None:
        np.testing.assert_allclose(bill.network_fees.sum(1), grid.fee_terms.sum(1), atol=atol)
        assert (flows.curtailed_kwh <= flows.solar_kwh + atol).all() and (
            flows.curtailed_kwh >= 0
        ).all()
        through = (flows.import_kwh + flows.export_kwh).sum(1) + 1e-3
        gap = grid.source_kwh - flows.net_kwh.sum(1) - grid.loss_kwh
        assert (abs(gap) < 1e-4 * through)[grid.residual < 1e-4].all()


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31 - 8))
def test_results_do_not_depend_on_the_batch(seed):
    communities = [community_of(seed + offset) for offset in range(3)]
    keys = [jax.random.key(seed + offset) for offset in range(3)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *communities)
    batched = jax.jit(jax.vmap(rollout, in_axes=(0, None, 0)))(batch, POLICY, jnp.stack(keys))
    for number, (community, key) in enumerate(zip(communities, keys, strict=True)):
        single = play(community, POLICY, key)
        jax.tree.map(
            lambda a, b, n=number: np.testing.assert_allclose(a, b[n], atol=1e-5), single, batched
        )


def test_every_home_draws_for_itself_and_a_seed_repeats():
    scenario = random_scenario(3)
    for home in scenario["homes"]:
        home |= {
            "policy": "zero-intelligence",
            "battery": {"capacity_kwh": 10, "charge_kw": 1, "initial_soc": 0.5},
        }
    first, again, other = (
        prosumax.run(scenario, seed=seed).trajectory.record.flows for seed in (1, 1, 2)
    )
    moved = first.charge_kwh - first.discharge_kwh
    assert len(np.unique(moved[0])) == HOMES
    np.testing.assert_array_equal(first.charge_kwh, again.charge_kwh)
    assert not np.array_equal(first.charge_kwh, other.charge_kwh)


def test_one_compile_per_shape():
    """New numbers, prices and seeds reuse the program; a newcomer waits for the compiler only once."""
    traces = 0

    def counted(*arguments):
        nonlocal traces
        traces += 1
        return rollout(*arguments)

    jitted = jax.jit(counted)
    for seed in range(3):
        jitted(community_of(seed), POLICY, jax.random.key(seed))
    assert traces == 1
