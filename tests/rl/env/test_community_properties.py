"""Invariants of communities with random homes, prices and policies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prosumax
from prosumax.control.rules import assemble_policy, policies
from prosumax.market.mechanism import mechanisms
from prosumax.simulation.community import Community
from prosumax.simulation.rollout import rollout_policy
from prosumax.tariff.bill import receipts

HOMES, STEPS = 4, 24
RULES = [name for name in policies if name != "citylearn-basic-rbc"][:HOMES]


NETWORKS = {
    "path": {
        "kind": "mesh",
        "flow": "path",
        "capacity_kw": 40,
        "operator": {"fees": True, "intervention": "penalize"},
    },
    "linear": {
        "kind": "tree",
        "flow": "linear",
        "operator": {"fees": True, "inspection_probability": 0.5, "adaptive": True},
    },
    "ac": {
        "kind": "line",
        "mean_line_km": 0.5,
        "capacity_kw": 60,
        "trade_limit": "price",
        "operator": {"fees": True, "intervention": "curtail", "cross_zone": 0.1},
    },
}


def random_scenario(
    seed: int, mechanism: str = "mid_market_rate", network: str | None = None
) -> dict:
    """Scenario with random valid values in every field."""
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
            "capacity_loss_coefficient": float(rng.choice([0, 1e-4])),
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

    def fraction():
        return float(rng.uniform(0, 1))

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
        "emission_factor_kg_per_kwh": 0.2,
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
        "network": {} if network is None else NETWORKS[network],
    }


def random_community(
    seed: int, mechanism: str = "mid_market_rate", network: str | None = None
) -> Community:
    return prosumax.build(prosumax.load_scenario(random_scenario(seed, mechanism, network)))


POLICY = assemble_policy(RULES)
simulate = jax.jit(rollout_policy)


# One mechanism of each kind; properties of the others are tested stage by stage in tests/market.
@pytest.mark.parametrize(
    ("mechanism", "network"),
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
def test_energy_and_money_balance(mechanism, network, seed):
    community = random_community(seed, mechanism, network)
    trajectory = simulate(community, POLICY, jax.random.key(seed))
    trajectory = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), trajectory)
    flows, local, bill, reputation, grid = trajectory.record[:5]
    atol = 2e-5  # single precision on some 10 kWh or euros per step
    energy_in = flows.solar_kwh + flows.discharge_kwh + flows.import_kwh
    energy_out = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
    np.testing.assert_allclose(energy_in, energy_out, atol=atol)
    assert (flows.import_kwh * flows.export_kwh == 0).all()
    battery = community.homes.battery
    initial = np.asarray(battery.initial_soc * battery.capacity_kwh)
    stored = np.concatenate([initial[None], flows.stored_kwh])
    change = flows.charge_kwh - flows.discharge_kwh - flows.storage_loss_kwh
    np.testing.assert_allclose(np.diff(stored, axis=0), change, atol=atol)
    np.testing.assert_allclose(local.bought_kwh.sum(1), local.sold_kwh.sum(1), atol=atol)
    assert (local.bought_kwh <= flows.import_kwh + atol).all()
    assert (local.sold_kwh <= flows.export_kwh + atol).all()
    # Bills from first principles: the cost of the energy from the grid, less feed-in revenue.
    series = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64)[:, None], community.series.tariff
    )
    rates = jax.tree.map(float, community.rates)
    grid_kwh = flows.import_kwh - local.bought_kwh
    charges = grid_kwh * (series.energy + series.network + series.levies)
    charges += rates.supplier_fee + rates.network_fee
    local_network = rates.local_network_share * series.network
    local_levies = rates.local_levies_share * series.levies
    charges += local.bought_kwh * (local_network + local_levies)
    feed_in = (flows.export_kwh - local.sold_kwh) * series.feed_in
    expected = charges * (1 + rates.vat) - feed_in + local.paid - local.earned + bill.network_fees
    np.testing.assert_allclose(bill.total, expected, atol=2e-5)
    received = receipts(bill)
    np.testing.assert_allclose(sum(received.values()), bill.total.sum(1), atol=1e-9)
    if mechanisms.get(mechanism, "").budget_balance == "balanced":
        np.testing.assert_allclose(received["mechanism"], 0, atol=atol)
    assert (reputation >= 0).all() and (reputation <= 1).all()
    if grid is not None:
        np.testing.assert_allclose(bill.network_fees.sum(1), grid.fee_terms.sum(1), atol=atol)
        assert (flows.curtailed_kwh <= flows.solar_kwh + atol).all()
        assert (flows.curtailed_kwh >= 0).all()
        throughput = (flows.import_kwh + flows.export_kwh).sum(1) + 1e-3
        gap = grid.source_kwh - flows.net_kwh.sum(1) - grid.loss_kwh
        assert (abs(gap) < 1e-4 * throughput)[grid.residual_pu < 1e-4].all()


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31 - 8))
def test_results_do_not_depend_on_the_batch(seed):
    communities = [random_community(seed + offset) for offset in range(3)]
    keys = [jax.random.key(seed + offset) for offset in range(3)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *communities)
    batched_rollout = jax.jit(jax.vmap(rollout_policy, in_axes=(0, None, 0)))
    batched = batched_rollout(batch, POLICY, jnp.stack(keys))
    for number, (community, key) in enumerate(zip(communities, keys, strict=True)):
        single = simulate(community, POLICY, key)
        jax.tree.map(
            lambda a, b, n=number: np.testing.assert_allclose(a, b[n], atol=1e-5), single, batched
        )


def test_homes_draw_independently_and_a_seed_repeats_a_run():
    scenario = random_scenario(3)
    for home in scenario["homes"]:
        home |= {
            "policy": "zero-intelligence",
            "battery": {"capacity_kwh": 10, "charge_kw": 1, "initial_soc": 0.5},
        }
    first, same, other = (
        prosumax.run(scenario, seed=seed).trajectory.record.flows for seed in (1, 1, 2)
    )
    battery_kwh = first.charge_kwh - first.discharge_kwh
    assert len(np.unique(battery_kwh[0])) == HOMES
    np.testing.assert_array_equal(first.charge_kwh, same.charge_kwh)
    assert not np.array_equal(first.charge_kwh, other.charge_kwh)


def test_rollout_compiles_once_per_shape():
    traces = 0

    def counted_rollout(*arguments):
        nonlocal traces
        traces += 1
        return rollout_policy(*arguments)

    jitted = jax.jit(counted_rollout)
    for seed in range(3):
        jitted(random_community(seed), POLICY, jax.random.key(seed))
    assert traces == 1
