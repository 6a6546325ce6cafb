"""Imported networks have the power flow of pandapower: voltages, loading, losses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pp = pytest.importorskip("pandapower")

from prosumax.errors import InputError  # noqa: E402
from prosumax.grid.catalog.packaged import (
    PANDAPOWER_CREATORS,
    create_network,
    simbench_net,  # noqa: E402
)
from prosumax.grid.catalog.pandapower_import import (
    ImportedFeeder,
    from_pandapower,  # noqa: E402
)
from tests.grid.catalog.ac_reference import loading, solve  # noqa: E402


def assert_same_power_flow(net: Any) -> ImportedFeeder:
    """Assert that the imported feeder has the power flow of pandapower at nominal load."""
    imported = from_pandapower(net)
    feeder = imported.feeder.validate()
    pp.runpp(net, tolerance_mva=1e-10, trafo_model="t", numba=False, max_iteration=30)
    solved = solve(feeder)
    for index, position in imported.bus_position.items():
        assert solved.magnitude[position] == pytest.approx(net.res_bus.vm_pu[index], abs=1e-8)
    share = loading(feeder, solved)
    for (table, index), position in imported.branch_position.items():
        expected = net[f"res_{table}"].loading_percent[index]
        unlimited = np.isinf(feeder.branches.rating_to_pu[position])
        if not unlimited and np.isfinite(expected):
            assert 100 * share[position] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    losses = sum(net[f"res_{table}"].pl_mw.sum() for table in ("line", "trafo"))
    if "_impedance_bb_switches" in net and np.any(net["_impedance_bb_switches"]):
        losses += net.res_switch[["p_from_mw", "p_to_mw"]].sum().sum()
    assert solved.losses_kw == pytest.approx(1000 * losses, rel=1e-6, abs=1e-6)
    assert solved.source_kw == pytest.approx(1000 * net.res_ext_grid.p_mw.sum(), rel=1e-6)
    return imported


@pytest.mark.parametrize("kind", PANDAPOWER_CREATORS)
def test_packaged_networks_have_the_same_power_flow(kind: str) -> None:
    assert_same_power_flow(create_network(kind))


def test_simbench_has_the_same_power_flow() -> None:
    """The grid has generators, storage, iron losses and a tap in position 1."""
    pytest.importorskip("simbench")
    net, moved = simbench_net("1-LV-rural1--2-no_sw")
    assert len(moved) == 1
    imported = assert_same_power_flow(net)
    tap = imported.branch_position["trafo", 0]
    assert imported.feeder.branches.ratio[tap] == pytest.approx(1.025)
    assert imported.feeder.load_kw.sum() < 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", ["1-LV-rural1--0-no_sw", "1-LV-semiurb4--2-sw", "1-LV-urban6--1-no_sw"]
)
def test_more_simbench_grids_have_the_same_power_flow(code: str) -> None:
    pytest.importorskip("simbench")
    net, _ = simbench_net(code)
    assert_same_power_flow(net)


@pytest.fixture
def net() -> Any:
    """Return a 20 kV source, a transformer with a tap, four LV buses in a line, and a lateral."""
    net = pp.create_empty_network(sn_mva=0.5, f_hz=60)
    high, *low = (
        pp.create_bus(net, vn_kv=kv, name=name)
        for name, kv in zip("habcde", [20, *[0.4] * 5], strict=True)
    )
    pp.create_ext_grid(net, high, vm_pu=1.02)
    pp.create_transformer(net, high, low[0], "0.25 MVA 20/0.4 kV", tap_pos=-1)
    for number, (a, b) in enumerate(((0, 1), (1, 2), (2, 3), (1, 4))):
        pp.create_line(net, low[a], low[b], 0.15, "NAYY 4x150 SE", name=f"line {number}", df=0.9)
    for bus in low[1:]:
        pp.create_load(net, bus, p_mw=0.02, q_mvar=0.006)
    return net


def _tap_on_the_low_side(net: Any) -> None:
    net.trafo.loc[0, ["tap_side", "tap_pos"]] = "lv", 2


def _parallel(net: Any) -> None:
    net.line.loc[0, "parallel"] = 2
    pp.create_transformer(net, 0, 1, "0.25 MVA 20/0.4 kV", tap_pos=-1)
    pp.create_transformer(net, 0, 1, "0.4 MVA 20/0.4 kV", parallel=2, tap_pos=0)


def _closed_bus_switch(net: Any) -> None:
    extra = pp.create_bus(net, vn_kv=0.4, name="busbar 2")
    pp.create_switch(net, 1, extra, et="b")
    pp.create_load(net, extra, p_mw=0.01)


def _switch_with_impedance(net: Any) -> None:
    extra = pp.create_bus(net, vn_kv=0.4, name="far busbar")
    pp.create_switch(net, 5, extra, et="b", z_ohm=0.02)
    pp.create_load(net, extra, p_mw=0.01, q_mvar=0.002)


def _loop_with_open_end(net: Any) -> None:
    pp.create_line(net, 4, 5, 0.4, "NAYY 4x150 SE", name="tie", index=17)
    pp.create_switch(net, 5, 17, et="l", closed=False)


def _closed_loop(net: Any) -> None:
    pp.create_line(net, 4, 5, 0.4, "NAYY 4x150 SE")


def _out_of_service(net: Any) -> None:
    lost = pp.create_bus(net, vn_kv=0.4, in_service=False)
    pp.create_line(net, 5, lost, 0.1, "NAYY 4x150 SE")
    pp.create_line(net, 3, 5, 0.1, "NAYY 4x150 SE", in_service=False)
    net.load.loc[0, "in_service"] = False
    pp.create_gen(net, 2, p_mw=0.01, in_service=False)


def _without_supply(net: Any) -> None:
    pp.create_load(net, pp.create_bus(net, vn_kv=0.4), p_mw=0.03)


def _shunt(net: Any) -> None:
    pp.create_shunt(net, 4, q_mvar=-0.03, p_mw=0.002)


def _generation(net: Any) -> None:
    pp.create_sgen(net, 4, p_mw=0.07, scaling=0.8)
    pp.create_storage(net, 2, p_mw=-0.01, max_e_mwh=1)
    net.load["scaling"] = 0.7


def _high_leakage(net: Any) -> None:
    net.trafo.loc[0, ["i0_percent", "pfe_kw"]] = 3.0, 2.5


def _odd_voltages(net: Any) -> None:
    """Use a transformer whose nominal voltages differ from those of the network."""
    net.trafo.loc[0, ["vn_hv_kv", "vn_lv_kv", "df"]] = 20.5, 0.42, 0.8


@pytest.mark.parametrize(
    "change",
    [
        _tap_on_the_low_side,
        _parallel,
        _closed_bus_switch,
        _switch_with_impedance,
        _loop_with_open_end,
        _closed_loop,
        _out_of_service,
        _without_supply,
        _shunt,
        _generation,
        _high_leakage,
        _odd_voltages,
    ],
)
def test_elements_have_the_same_power_flow(net: Any, change: Callable[[Any], None]) -> None:
    plain = solve(from_pandapower(net).feeder)
    change(net)
    imported = assert_same_power_flow(net)
    if change is not _without_supply:
        other = solve(imported.feeder).magnitude[: len(plain.voltage)]
        assert len(other) < len(plain.voltage) or not np.allclose(
            other, plain.magnitude, rtol=0, atol=1e-7
        )


def test_duplicate_and_missing_names(net: Any) -> None:
    net.bus.loc[[1, 2], "name"] = "twin"
    net.bus.loc[3, "name"] = None
    net.line.loc[[0, 1], "name"] = "twin line"
    feeder = from_pandapower(net, "street").feeder
    assert feeder.name == "street"
    assert feeder.buses == ("h", "twin (1)", "twin (2)", "bus 3", "d", "e")
    assert feeder.branches.name == ("twin line (0)", "twin line (1)", "line 2", "line 3", "trafo 0")
    assert feeder.branches.is_transformer.tolist() == [False] * 4 + [True]
    assert feeder.base_kv.tolist() == [20.0] + [0.4] * 5


def test_zones_and_coordinates(net: Any) -> None:
    plain = from_pandapower(net).feeder
    assert plain.zone == ("substation",) * 3 + ("feeder 1", "feeder 1", "feeder 2")
    assert len(set(zip(plain.x, plain.y, strict=True))) == 6
    net.bus["zone"] = ["A", None, "B", "B", "B", "B"]
    net.bus["geo"] = [f'{{"type": "Point", "coordinates": [{bus}, 7]}}' for bus in net.bus.index]
    drawn = from_pandapower(net).feeder
    assert drawn.zone == ("A", "A", "B", "B", "B", "B")
    assert drawn.x.tolist() == [0, 1, 2, 3, 4, 5]
    assert set(drawn.y) == {7.0}


def test_notes_of_the_import(net: Any) -> None:
    net.trafo["tap_changer_type"] = None
    _closed_bus_switch(net)
    _without_supply(net)
    net.load["const_z_p_percent"] = 50.0
    pp.create_asymmetric_load(net, 3, p_a_mw=0.001)
    notes = from_pandapower(net).feeder.notes
    assert len(notes) == 5
    for words in (
        "tap positions of trafo 0 have no effect",
        "busbar 2 one bus with a",
        "with 30 kW of load",
    ):
        assert any(words in note for note in notes)


def test_the_network_of_the_caller_is_not_changed(net: Any) -> None:
    pp.runpp(net, numba=False)
    before = net.res_bus.copy()
    from_pandapower(net)
    assert net.res_bus.equals(before)


def test_lines_without_rating_are_unlimited(net: Any) -> None:
    net.line["max_i_ka"] = 99999.0
    wires = from_pandapower(net).feeder.branches
    assert np.isinf(wires.rating_from_pu[~wires.is_transformer]).all()


def _three_windings(net: Any) -> None:
    middle = pp.create_bus(net, 10.0)
    pp.create_transformer3w(net, pp.create_bus(net, 110.0), 0, middle, "63/25/38 MVA 110/20/10 kV")


def _two_sources(net: Any) -> None:
    pp.create_ext_grid(net, 5)


def _no_source(net: Any) -> None:
    net.ext_grid["in_service"] = False


def _generator(net: Any) -> None:
    pp.create_gen(net, 4, p_mw=0.01)


def _unequal_shifts(net: Any) -> None:
    pp.create_transformer(net, 0, 5, "0.25 MVA 20/0.4 kV")
    net.trafo.loc[1, "shift_degree"] = 120.0


def _no_buses(net: Any) -> None:
    net.line["std_type"] = None
    net.line["to_bus"] = 99


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (_three_windings, "kind trafo3w in service"),
        (_two_sources, r"has 2 external grid\(s\)"),
        (_no_source, r"has no external grid\(s\)"),
        (_generator, "kind gen in service.*net.gen.in_service = False"),
        (_unequal_shifts, "loop over transformers of unequal phase shift"),
        (_no_buses, "pandapower cannot use this network"),
    ],
)
def test_unsupported_networks_raise_an_error(
    net: Any, change: Callable[[Any], None], pattern: str
) -> None:
    change(net)
    with pytest.raises(InputError, match=pattern) as caught:
        from_pandapower(net, where="street: network")
    assert caught.value.where == "street: network"
    assert caught.value.fix
