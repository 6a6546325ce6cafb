"""Studies: seeds, batches and statistics; and MARLEM's two case studies, in which energy and money must close."""

import csv
import io
import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from prosumax.control.rules import assemble_policy
from prosumax.errors import InputError
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.build import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.rollout import simulate
from prosumax.studies import engine, tables
from prosumax.studies.engine import studies
from prosumax.studies.marlem import operator_and_topology
from prosumax.studies.store import save_study

SEEDS = 3
PENALISED = {
    "network.kind": "ieee34",
    "network.capacity_kw": 1500,
    "network.operator.intervention": "penalise",
}
LIMITED = {"network.kind": "ieee34", "network.capacity_kw": 500, "network.trade_limit": "pro_rata"}
MESH = {"network.kind": "mesh", "network.capacity_kw": 500}
SETTINGS = {"penalised": PENALISED, "limited": LIMITED, "mesh": MESH}


@pytest.fixture(scope="module")
def drawn():
    case = operator_and_topology.OPERATOR_CASE
    return {
        name: [operator_and_topology.draw(case, s, seed) for seed in range(SEEDS)]
        for name, s in SETTINGS.items()
    }


@pytest.fixture(scope="module")
def runs(drawn):
    return {name: engine.run_seeds(communities) for name, communities in drawn.items()}


def each(runs):
    return [run for found in runs.values() for run in found]


def test_a_seed_draws_the_same_community_again():
    one, again, other = (
        operator_and_topology.draw(operator_and_topology.TOPOLOGY_CASE, MESH, seed)
        for seed in (5, 5, 6)
    )
    assert one.scenario == again.scenario
    assert np.array_equal(one.profiles.home_bus, again.profiles.home_bus)
    assert np.array_equal(
        one.profiles.feeder.branches.length_km, again.profiles.feeder.branches.length_km
    )
    for part in ("load_kwh", "solar_kwh"):
        assert not np.allclose(getattr(one.profiles, part), getattr(other.profiles, part))
    assert not np.allclose(one.profiles.prices["energy"], other.profiles.prices["energy"])
    assert not np.allclose(
        one.profiles.feeder.branches.length_km, other.profiles.feeder.branches.length_km
    )


def test_variants_share_everything_that_is_drawn():
    case = operator_and_topology.OPERATOR_CASE
    few, many = (
        operator_and_topology.draw(case, PENALISED | {"network.capacity_kw": kw}, 2).profiles
        for kw in (500, 2000)
    )
    assert np.array_equal(few.load_kwh, many.load_kwh) and np.array_equal(
        few.home_bus, many.home_bus
    )
    assert np.array_equal(few.feeder.branches.length_km, many.feeder.branches.length_km)


def test_homes_that_are_farther_apart_in_one_seed_fit_the_others():
    """Seed 11 puts homes and source closer together, so that its look-ups have a level less."""
    preset = load_scenario("marlem-mechanisms")
    scenarios = [preset.model_copy(update={"seed": seed}) for seed in (0, 11)]
    communities = [assemble(one, read_profiles(one)) for one in scenarios]
    own = [community.network.paths for community in communities]
    assert own[0].jump.shape != own[1].jump.shape
    together = engine.stacked(communities).network.paths
    load = jax.random.uniform(jax.random.key(0), own[0].bus_of.shape)
    a, b = jnp.divmod(jnp.arange(len(own[0].place) ** 2), len(own[0].place))
    for at, alone in enumerate(own):
        paths = jax.tree.map(lambda leaf, at=at: leaf[at], together)
        np.testing.assert_array_equal(paths.worst(a, b, load), alone.worst(a, b, load))
        np.testing.assert_array_equal(paths.distance_km(a, b), alone.distance_km(a, b))


def test_lines_have_marlems_lengths(drawn):
    for communities in drawn.values():
        for one in communities:
            branches = one.profiles.feeder.branches
            length = branches.length_km[~branches.is_transformer]
            assert (length >= 0.5).all() and (length <= 1.5).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_batch_of_seeds_equals_single_runs(name, drawn, runs):
    for one, batched in zip(drawn[name], runs[name], strict=True):
        policy = assemble_policy([one.scenario.policy] * len(one.scenario.homes))
        alone, _, _ = simulate(assemble(*one), policy, one.scenario.seed)
        # Tables of paths are padded in a batch, the record is not touched by it.
        for part, single in zip(
            jax.tree.leaves(batched.trajectory), jax.tree.leaves(alone), strict=True
        ):
            assert np.allclose(part, single, rtol=1e-4, atol=1e-4)


def test_money_closes_the_network_operator_included(runs):
    for run in each(runs):
        receipts = sum(
            run.kpis[f"{who}_receives"] for who in ("supplier", "network_operator", "government")
        )
        assert receipts + run.kpis["mechanism_receives"] == pytest.approx(
            run.kpis["cost"], rel=1e-6
        )
        wires = run.kpis["network"]
        paid = sum(home["bill_items"]["network_fees"] for home in run.households)
        assert paid == pytest.approx(wires["fees"], rel=1e-5)
        assert run.kpis["network_operator_receives"] == pytest.approx(
            wires["fees"] - wires["loss_cost"], rel=1e-4
        )
        assert wires["fees"] == pytest.approx(
            sum(
                wires[f"fee_{t}"]
                for t in ("congestion", "usage", "imbalance", "voltage", "thermal", "zone")
            ),
            rel=1e-4,
        )


def test_nobody_sells_what_it_has_not(runs):
    for run in each(runs):
        flows, local = run.trajectory.record.flows, run.trajectory.record.local
        has = flows.solar_kwh + flows.discharge_kwh
        assert (local.sold_kwh <= flows.export_kwh + 1e-3).all()
        assert (flows.export_kwh <= has + 1e-3).all()
        assert (local.bought_kwh <= flows.import_kwh + 1e-3).all()
        used = flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh
        assert np.allclose(used, has + flows.import_kwh, atol=1e-3)
        capacity = np.array([home.battery.capacity_kwh for home in run.scenario.homes])
        assert (flows.stored_kwh >= -1e-3).all() and (flows.stored_kwh <= capacity + 1e-3).all()


def test_energy_on_the_wires_closes(runs):
    for run in each(runs):
        grid, flows = run.trajectory.record.grid, run.trajectory.record.flows
        assert np.allclose(
            grid.source_kwh, flows.net_kwh.sum(1) + grid.loss_kwh, rtol=1e-4, atol=1e-2
        )
        assert (grid.loss_kwh >= 0).all()


def test_homes_that_do_not_react_change_nothing_but_money():
    case = operator_and_topology.OPERATOR_CASE
    stances = [
        engine.run_seeds(
            [
                operator_and_topology.draw(
                    case, PENALISED | {f"network.operator.{k}": v for k, v in stance.items()}, seed
                )
                for seed in range(SEEDS)
            ]
        )
        for stance in operator_and_topology.STANCES.values()
    ]
    for permissive, *others in zip(*stances, strict=True):
        for other in others:
            assert np.array_equal(
                permissive.trajectory.record.flows.net_kwh, other.trajectory.record.flows.net_kwh
            )
            assert permissive.kpis["traded_kwh"] == other.kpis["traded_kwh"]
            more = other.kpis["cost"] - permissive.kpis["cost"]
            assert more == pytest.approx(
                other.kpis["network"]["fees"] - permissive.kpis["network"]["fees"], abs=1e-3
            )


def test_a_trade_limit_keeps_trade_down(runs):
    for free, limited in zip(runs["penalised"], runs["limited"], strict=True):
        assert 0 < limited.kpis["traded_kwh"] < 0.9 * free.kpis["traded_kwh"]
        assert np.allclose(
            limited.trajectory.record.flows.net_kwh, free.trajectory.record.flows.net_kwh, atol=1e-3
        )


def test_variants_are_held_to_the_first_of_their_group_and_groups_to_the_first_of_all():
    variants = [engine.Variant(group, name, {}) for group in "ab" for name in "xyz"]
    assert engine.references(variants) == [None, 0, 0, 0, 3, 3]


def test_paired_p_is_wilcoxons_and_rounding_is_no_difference():
    rng = np.random.default_rng(0)
    old = rng.normal(100, 10, 20)
    assert engine.paired_p(old * (1 + 1e-6 * rng.normal(size=20)), old) == 1.0
    new = old + rng.normal(1, 1, 20)
    assert engine.paired_p(new, old) == pytest.approx(stats.wilcoxon(new - old).pvalue)
    assert np.isnan(engine.paired_p(np.full(20, np.nan), old))


def test_holm_by_hand():
    p = np.array([[0.01, 0.04], [np.nan, 0.03]])
    # Sorted: 0.01 x 3, 0.03 x 2, then 0.04 x 1, which may not fall below the one before.
    assert engine.holm(p) == pytest.approx(np.array([[0.03, 0.06], [np.nan, 0.06]]), nan_ok=True)


def small_result(seeds=6):
    figures = {
        "a": engine.Figure("A, kWh", lambda run: 0.0),
        "b": engine.Figure("B", lambda run: 0.0, 0),
    }
    variants = (engine.Variant("one", "x", {}), engine.Variant("one", "y", {"policy": "none"}))
    values = np.random.default_rng(1).normal(10, 1, (2, 2, seeds))
    values[1, 0] = values[0, 0] + 5
    values[:, 1] = np.nan
    made = engine.Study(variants, lambda settings, seed: None, figures, ("A note.",))
    return engine.StudyResult("made", made, tuple(range(seeds)), values)


def test_estimates_by_hand():
    result = small_result()
    first, second = (row["a"] for row in result.estimates)
    values = result.values[0, 0]
    assert (first.mean, first.deviation) == (
        pytest.approx(values.mean()),
        pytest.approx(values.std(ddof=1)),
    )
    low, high = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
    assert (first.low, first.high) == (pytest.approx(low), pytest.approx(high))
    assert first.difference is None and not first.differs
    assert (
        second.difference == pytest.approx(5)
        and second.p == pytest.approx(2 / 2**6)
        and second.differs
    )


def test_a_seed_without_a_figure_leaves_the_others():
    values = np.array(
        [[[1.0, 2.0, 4.0, np.nan]], [[2.0, np.nan, 7.0, 5.0]], [[np.nan, 3.0, np.nan, np.nan]]]
    )
    first, second, third = (row["a"] for row in engine._estimates(values, ["a"], [None, 0, 0]))
    assert (
        first.seeds == 3
        and first.mean == pytest.approx(7 / 3)
        and first.deviation == pytest.approx((7 / 3) ** 0.5)
    )
    # Student's t with 2 degrees of freedom: 4.302653 (tables).
    assert first.high - first.mean == pytest.approx(4.302653 * (7 / 9) ** 0.5, rel=1e-6)
    assert (second.seeds, second.difference) == (
        3,
        pytest.approx(2.0),
    )  # of the two seeds that have both: 1 and 3
    assert (third.seeds, third.mean, third.difference) == (1, 3.0, pytest.approx(1.0)) and np.isnan(
        third.deviation
    )
    old, new = np.array([1.0, 2.0, 3.0, np.nan]), np.array([2.0, 4.0, np.nan, 1.0])
    assert engine.paired_p(new, old) == pytest.approx(stats.wilcoxon([1.0, 2.0]).pvalue)


def test_a_cell_says_how_many_seeds_it_is_of():
    result = small_result()
    result.values[0, 0, 0] = np.nan
    (table,) = tables.grids(result)
    assert table.rows[0][1].endswith("(n = 5)") and "n = k" in tables.legend(result)
    assert "n = k" not in tables.legend(small_result())


def test_a_legend_says_where_the_seeds_are_too_few_for_stars():
    few = tables.legend(small_result(5))  # 2 / 2^5 = 0.0625 is the smallest p there can be
    assert "too few" in few and "*" not in few and "too few" not in tables.legend(small_result())


def test_what_is_the_same_in_every_seed_has_no_spread():
    result = small_result()
    result.values[0, 0] = 3.0
    (table,) = tables.grids(result)
    assert (
        table.rows[0][1] == "3.0"
        and " ± " in table.rows[0][2]
        and "Without ±" in tables.legend(result)
    )
    assert "Without ±" not in tables.legend(small_result())


def test_tables_say_what_was_found():
    result = small_result()
    (table,) = tables.grids(result)
    assert table.header == ["x", "y"] and table.rows[0][2].endswith("*") and table.rows[1][1] == "-"
    assert "| A, kWh |" in tables.markdown(result) and "- A note." in tables.markdown(result)
    rows = list(csv.DictReader(io.StringIO(tables.csv_text(result))))
    assert (
        len(rows) == 4
        and float(rows[2]["difference"]) == pytest.approx(5)
        and rows[2]["against"] == "one: x"
    )
    text = json.dumps(tables.study_to_json(result), allow_nan=False)
    assert json.loads(text)["variants"][1]["figures"]["b"]["mean"] is None


def test_interrupted_work_leaves_an_earlier_result_alone(tmp_path, monkeypatch):
    folder = tmp_path / "out"
    save_study(small_result(), folder)
    before = (folder / "study.json").read_text()
    monkeypatch.setattr(
        "prosumax.simulation.results.store.markdown",
        lambda result: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    with pytest.raises(KeyboardInterrupt):
        save_study(replace(small_result(), seeds=(0,)), folder)
    assert (folder / "study.json").read_text() == before and [
        entry.name for entry in tmp_path.iterdir()
    ] == ["out"]


def test_too_few_seeds_and_unknown_names_are_explained():
    with pytest.raises(InputError, match="--seeds: is 1"):
        engine.run_study("marlem-dso", 1)
    with pytest.raises(InputError, match="Did you mean 'marlem-dso'"):
        engine.run_study("marlem-dos", 2)


@pytest.fixture
def counted(monkeypatch):
    """A study of mappings that is interrupted at its third variant once; the list of what was run."""
    ran = []

    def batch(settings, seeds, tell):
        ran.append(settings["x"])
        if ran == [0, 1, 2]:
            raise KeyboardInterrupt
        tell(0.5)
        return [{"x": 10.0 * settings["x"] + seed} for seed in seeds]

    variants = tuple(engine.Variant("all", f"{x}", {"x": x}) for x in range(4))
    made = engine.Study(variants, None, {"x": engine.Figure("X", engine.number("x"))}, (), batch)
    studies.register("counted", "A study that is interrupted.")(made)
    yield ran
    monkeypatch.undo()
    del studies._entries["counted"]


def test_a_study_goes_on_where_it_was_interrupted(command, tmp_path, counted):
    code, _, _ = command("study", "counted", "--seeds", "2", "--out", "found")
    assert code != 0 and counted == [0, 1, 2] and not (tmp_path / "found").exists()
    code, out, err = command("study", "counted", "--seeds", "2", "--out", "found")
    assert code == 0, err
    assert counted == [0, 1, 2, 2, 3] and [entry.name for entry in tmp_path.iterdir()] == ["found"]
    content = json.loads((tmp_path / "found" / "study.json").read_text())
    assert [variant["figures"]["x"]["by_seed"] for variant in content["variants"]] == [
        [10.0 * x, 10.0 * x + 1] for x in range(4)
    ]


def test_figures_of_other_settings_are_not_taken_for_these(tmp_path, counted):
    counted.append(9)  # nothing is interrupted
    engine.run_study("counted", 2, keep=tmp_path)
    engine.run_study("counted", 3, keep=tmp_path)
    assert counted == [9, 0, 1, 2, 3, 0, 1, 2, 3]


@pytest.fixture
def short_study(monkeypatch):
    """The operator study, its first table only."""
    whole = studies.get("marlem-dso", "test")
    short = whole._replace(variants=whole.variants[:4])
    entry = studies._entries["marlem-dso"]
    monkeypatch.setitem(studies._entries, "marlem-dso", entry._replace(piece=short))


def test_the_command_prints_and_writes(command, tmp_path, short_study):
    code, out, err = command("study", "marlem-dso", "--seeds", "2", "--out", "found")
    assert code == 0, err
    for word in ("permissive", "dynamic", "Fees paid", "±", "2 seeds"):
        assert word in out
    assert {file.name for file in (tmp_path / "found").iterdir()} == {
        "study.json",
        "table.csv",
        "table.md",
        "report.html",
    }
    content = json.loads((tmp_path / "found" / "study.json").read_text())
    assert (
        len(content["variants"]) == 4
        and len(content["variants"][0]["figures"]["cost"]["by_seed"]) == 2
    )
    code, out, _ = command("study", "marlem-dso", "--seeds", "2", "--json")
    assert code == 0 and json.loads(out) == content and not (tmp_path / "results").exists()


def test_the_command_leaves_foreign_files_alone(command, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    code, _, err = command("study", "marlem-dso", "--seeds", "2", "--out", "mine")
    assert code == 2 and "thesis.txt" in err


def test_the_command_lists_studies_and_knows_a_misspelling(command):
    code, out, _ = command("study")
    assert code == 0 and "marlem-dso" in out and "marlem-topology" in out
    code, _, err = command("study", "marlem-topologie")
    assert code == 2 and "Did you mean 'marlem-topology'" in err


def test_the_studies_are_those_of_the_paper():
    stances = studies.get("marlem-dso", "test").variants[:4]
    assert [variant.name for variant in stances] == ["permissive", "moderate", "strict", "dynamic"]
    topology = studies.get("marlem-topology", "test").variants[:12]
    assert {(v.settings["network.kind"], v.settings["network.capacity_kw"]) for v in topology} == {
        (kind, kw) for kind in ("mesh", "ring", "line", "ieee34") for kw in (2000, 1000, 500)
    }
