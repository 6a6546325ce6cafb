"""MARLEM's case studies 3 and 4: sampling, batches, and closure of energy and money."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.control.rules import assemble_policy
from prosumax.metrics import catalog
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.rollout import simulate
from prosumax.studies.engine import load_studies, run_seeds, stack_communities
from prosumax.studies.marlem.operator_and_topology import (
    OPERATOR_CASE,
    OPERATOR_STANCES,
    TOPOLOGY_CASE,
    sample_community,
)

SEEDS = 3
PENALIZED = {
    "network.kind": "ieee34",
    "network.capacity_kw": 1500,
    "network.operator.intervention": "penalize",
}
LIMITED = {"network.kind": "ieee34", "network.capacity_kw": 500, "network.trade_limit": "pro_rata"}
MESH = {"network.kind": "mesh", "network.capacity_kw": 500}
SETTINGS = {"penalized": PENALIZED, "limited": LIMITED, "mesh": MESH}
RECEIVERS = ("supplier", "network_operator", "government", "mechanism")
FEE_TERMS = ("congestion", "usage", "imbalance", "voltage", "thermal", "zone")


@pytest.fixture(scope="module")
def samples():
    """Communities of the operator case by settings and seed."""
    return {
        name: [sample_community(OPERATOR_CASE, settings, seed) for seed in range(SEEDS)]
        for name, settings in SETTINGS.items()
    }


@pytest.fixture(scope="module")
def runs(samples):
    """Runs of these communities by settings and seed."""
    return {name: run_seeds(communities) for name, communities in samples.items()}


@pytest.fixture(scope="module")
def all_runs(runs):
    """Runs of all settings and seeds."""
    return [run for seeds in runs.values() for run in seeds]


def test_a_seed_samples_the_same_community_again():
    one, again, other = (sample_community(TOPOLOGY_CASE, MESH, seed) for seed in (5, 5, 6))
    length, same_length, other_length = (
        sample.profiles.feeder.branches.length_km for sample in (one, again, other)
    )
    assert one.scenario == again.scenario
    assert np.array_equal(one.profiles.home_bus, again.profiles.home_bus)
    assert np.array_equal(length, same_length)
    for part in ("load_kwh", "solar_kwh"):
        assert not np.allclose(getattr(one.profiles, part), getattr(other.profiles, part))
    assert not np.allclose(one.profiles.prices["energy"], other.profiles.prices["energy"])
    assert not np.allclose(length, other_length)


def test_variants_share_the_random_numbers_of_a_seed():
    low, high = (
        sample_community(OPERATOR_CASE, PENALIZED | {"network.capacity_kw": kw}, 2).profiles
        for kw in (500, 2000)
    )
    assert np.array_equal(low.load_kwh, high.load_kwh)
    assert np.array_equal(low.home_bus, high.home_bus)
    assert np.array_equal(low.feeder.branches.length_km, high.feeder.branches.length_km)


def test_path_tables_of_different_depth_can_be_stacked():
    """Seed 11 places homes and source closer together, so that its tables have one level less."""
    preset = load_scenario("marlem-mechanisms")
    scenarios = [preset.model_copy(update={"seed": seed}) for seed in (0, 11)]
    communities = [assemble(scenario, read_profiles(scenario)) for scenario in scenarios]
    own = [community.network.paths for community in communities]
    assert own[0].ancestor.shape != own[1].ancestor.shape
    stacked = stack_communities(communities).network.paths
    load = jax.random.uniform(jax.random.key(0), own[0].fed_bus.shape)
    a, b = jnp.divmod(jnp.arange(len(own[0].place_bus) ** 2), len(own[0].place_bus))
    for at, alone in enumerate(own):
        paths = jax.tree.map(lambda leaf, at=at: leaf[at], stacked)
        np.testing.assert_array_equal(paths.max_on_path(a, b, load), alone.max_on_path(a, b, load))
        np.testing.assert_array_equal(paths.distance_km(a, b), alone.distance_km(a, b))


def test_lines_have_the_lengths_of_marlem(samples):
    for communities in samples.values():
        for sample in communities:
            branches = sample.profiles.feeder.branches
            length = branches.length_km[~branches.is_transformer]
            assert (length >= 0.5).all() and (length <= 1.5).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_a_batch_of_seeds_equals_single_runs(name, samples, runs):
    for sample, batched in zip(samples[name], runs[name], strict=True):
        policy = assemble_policy([sample.scenario.policy] * len(sample.scenario.homes))
        alone, _, _ = simulate(assemble(*sample), policy, sample.scenario.seed)
        # Path tables are padded in a batch, which does not change the record.
        pairs = zip(jax.tree.leaves(batched.trajectory), jax.tree.leaves(alone), strict=True)
        for part, single in pairs:
            assert np.allclose(part, single, rtol=1e-4, atol=1e-4)


def test_money_closes_with_the_network_operator(all_runs):
    for run in all_runs:
        kpis = run.kpis
        network = kpis["network"]
        revenues = sum(kpis[f"{receiver}_revenue"] for receiver in RECEIVERS)
        assert revenues == pytest.approx(kpis["cost"], rel=1e-6)
        paid = sum(home["bill_items"]["network_fees"] for home in run.households)
        assert paid == pytest.approx(network["fees"], rel=1e-5)
        income = network["fees"] - network["loss_cost"]
        assert kpis["network_operator_revenue"] == pytest.approx(income, rel=1e-4)
        terms = sum(network[f"fee_{term}"] for term in FEE_TERMS)
        assert network["fees"] == pytest.approx(terms, rel=1e-4)


def test_homes_sell_only_energy_that_they_have(all_runs):
    for run in all_runs:
        flows, local = run.trajectory.record.flows, run.trajectory.record.local
        available = flows.solar_kwh + flows.discharge_kwh
        assert (local.sold_kwh <= flows.export_kwh + 1e-3).all()
        assert (flows.export_kwh <= available + 1e-3).all()
        assert (local.bought_kwh <= flows.import_kwh + 1e-3).all()
        used = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
        assert np.allclose(used, available + flows.import_kwh, atol=1e-3)
        capacity = np.array([home.battery.capacity_kwh for home in run.scenario.homes])
        assert (flows.stored_kwh >= -1e-3).all() and (flows.stored_kwh <= capacity + 1e-3).all()


def test_energy_closes_in_the_network(all_runs):
    for run in all_runs:
        grid, flows = run.trajectory.record.grid, run.trajectory.record.flows
        infeed = flows.net_kwh.sum(1) + grid.loss_kwh
        assert np.allclose(grid.source_kwh, infeed, rtol=1e-4, atol=1e-2)
        assert (grid.loss_kwh >= 0).all()


def test_a_stance_changes_only_money_where_homes_do_not_react():
    stances = []
    for stance in OPERATOR_STANCES.values():
        settings = PENALIZED | {f"network.operator.{name}": value for name, value in stance.items()}
        stances.append(
            run_seeds([sample_community(OPERATOR_CASE, settings, seed) for seed in range(SEEDS)])
        )
    for permissive, *others in zip(*stances, strict=True):
        net_kwh = permissive.trajectory.record.flows.net_kwh
        for other in others:
            assert np.array_equal(net_kwh, other.trajectory.record.flows.net_kwh)
            assert permissive.kpis["traded_kwh"] == other.kpis["traded_kwh"]
            more = other.kpis["cost"] - permissive.kpis["cost"]
            fees = other.kpis["network"]["fees"] - permissive.kpis["network"]["fees"]
            assert more == pytest.approx(fees, abs=1e-3)


def test_a_trade_limit_reduces_trade(runs):
    for free, limited in zip(runs["penalized"], runs["limited"], strict=True):
        assert 0 < limited.kpis["traded_kwh"] < 0.9 * free.kpis["traded_kwh"]
        net_kwh = limited.trajectory.record.flows.net_kwh
        assert np.allclose(net_kwh, free.trajectory.record.flows.net_kwh, atol=1e-3)


@pytest.fixture
def short_study(monkeypatch):
    """The operator study, its first table only."""
    studies = load_studies()
    whole = studies.get("marlem-dso", "test")
    short = whole._replace(variants=whole.variants[:4])
    entry = studies._entries["marlem-dso"]
    monkeypatch.setitem(studies._entries, "marlem-dso", entry._replace(component=short))


def test_the_command_prints_and_writes_tables(command, tmp_path, short_study):
    code, out, err = command("study", "marlem-dso", "--seeds", "2", "--out", "found")
    assert code == 0, err
    for word in ("permissive", "dynamic", catalog.get("network.fees").label, "±", "2 seeds"):
        assert word in out
    assert {file.name for file in (tmp_path / "found").iterdir()} == {
        "study.json",
        "table.csv",
        "table.md",
        "report.html",
    }
    content = json.loads((tmp_path / "found" / "study.json").read_text())
    assert len(content["variants"]) == 4
    assert len(content["variants"][0]["metrics"]["cost"]["by_seed"]) == 2
    code, out, _ = command("study", "marlem-dso", "--seeds", "2", "--json")
    assert code == 0 and json.loads(out) == content and not (tmp_path / "results").exists()


def test_the_command_does_not_touch_foreign_files(command, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    code, _, err = command("study", "marlem-dso", "--seeds", "2", "--out", "mine")
    assert code == 2 and "thesis.txt" in err


def test_variants_are_those_of_the_paper():
    studies = load_studies()
    stances = studies.get("marlem-dso", "test").variants[:4]
    assert [variant.name for variant in stances] == ["permissive", "moderate", "strict", "dynamic"]
    topology = studies.get("marlem-topology", "test").variants[:12]
    assert {(v.settings["network.kind"], v.settings["network.capacity_kw"]) for v in topology} == {
        (kind, kw) for kind in ("mesh", "ring", "line", "ieee34") for kw in (2000, 1000, 500)
    }
