"""The IEEE feeders against published figures and the solution of OpenDSS."""

from collections.abc import Callable

import numpy as np
import pytest

from prosumax.grid.catalog.ieee import ieee13, ieee34
from prosumax.grid.feeder import Feeder
from tests.grid.catalog.ac_reference import loading, solve

FEET_PER_KM = 3280.84
# Mean of the three phases of each node in the solution of OpenDSS, pu.
OPENDSS_13 = {
    "650": 0.9999,
    "rg60": 1.0498,
    "632": 1.0158,
    "633": 1.0133,
    "634": 0.9927,
    "671": 0.9960,
    "675": 0.9939,
}
OPENDSS_34 = {
    "800": 1.0500,
    "808": 1.0241,
    "814": 0.9772,
    "814r": 1.0232,
    "816": 1.0229,
    "830": 0.9960,
    "852": 0.9656,
    "852r": 1.0419,
    "858": 1.0396,
    "840": 1.0363,
    "848": 1.0369,
    "888": 1.0057,
}


def length_ft(feeder: Feeder) -> dict[str, float]:
    wires = feeder.branches
    return {
        name: km * FEET_PER_KM
        for name, km in zip(wires.name, wires.length_km, strict=True)
        if km > 0
    }


@pytest.mark.parametrize(
    ("make", "load", "source_kw", "losses_kw", "lowest"),
    [
        (ieee13, (3466, 2102), (3565.5, 3577.2, 0.004), (99.5, 111.06, 0.11), ("675", 0.992)),
        (ieee34, (1769, 1044), (2046.9, 2042.9, 0.003), (277.9, 273.05, 0.02), ("890", 0.914)),
    ],
)
def test_power_flow_is_near_the_published_one(
    make: Callable[[], Feeder],
    load: tuple[float, float],
    source_kw: tuple[float, float, float],
    losses_kw: tuple[float, float, float],
    lowest: tuple[str, float],
) -> None:
    feeder = make().validate()
    solved = solve(feeder)
    assert (feeder.load_kw.sum(), feeder.load_kvar.sum()) == pytest.approx(load)
    for (stated, published, within), found in (
        (source_kw, solved.source_kw),
        (losses_kw, solved.losses_kw),
    ):
        assert found == pytest.approx(stated, abs=0.05)
        assert found == pytest.approx(published, rel=within)
    three_phase = [
        number for number, bus in enumerate(feeder.buses) if bus not in ("611", "652", "684")
    ]
    low = min(three_phase, key=lambda number: solved.magnitude[number])
    assert feeder.buses[low] == lowest[0]
    assert solved.magnitude[low] == pytest.approx(lowest[1], abs=5e-4)


@pytest.mark.parametrize(
    ("make", "expected", "within"), [(ieee13, OPENDSS_13, 0.002), (ieee34, OPENDSS_34, 0.004)]
)
def test_voltages_are_near_those_of_opendss(
    make: Callable[[], Feeder], expected: dict[str, float], within: float
) -> None:
    feeder = make()
    magnitude = dict(zip(feeder.buses, solve(feeder).magnitude, strict=True))
    assert {bus: magnitude[bus] for bus in expected} == pytest.approx(expected, abs=within)


def test_topology_of_the_13_node_feeder() -> None:
    feeder = ieee13()
    feet = length_ft(feeder)
    assert feet == pytest.approx(
        {
            "rg60 - 632": 2000,
            "632 - 670": 667,
            "670 - 671": 1333,
            "671 - 680": 1000,
            "632 - 633": 500,
            "632 - 645": 500,
            "645 - 646": 300,
            "692 - 675": 500,
            "671 - 684": 300,
            "684 - 611": 300,
            "684 - 652": 800,
        },
        rel=1e-4,
    )
    at = feeder.buses.index
    assert feeder.branches.from_bus[feeder.branches.name.index("692 - 675")] == at(
        "671"
    )  # the closed switch
    assert feeder.base_kv[[at("sourcebus"), at("650"), at("634")]].tolist() == [115.0, 4.16, 0.48]
    assert feeder.load_kw[at("671")] == 1155 + 170
    assert feeder.shunt_pu[at("611")] == 0.1j
    first = feeder.branches.series_pu[feeder.branches.name.index("rg60 - 632")]
    assert first == pytest.approx((0.18597 + 0.59677j) * 2000 / 5280 / 4.16**2)


def test_topology_of_the_34_node_feeder() -> None:
    feeder = ieee34()
    feet = length_ft(feeder)
    assert feet["808 - 812"] == pytest.approx(37500, rel=1e-4)
    assert feet["818 - 820"] == pytest.approx(48150, rel=1e-4)
    assert sum(feet.values()) == pytest.approx(308_114, rel=1e-4)
    assert len(feet) == 32
    wires, at = feeder.branches, feeder.buses.index
    assert wires.is_transformer.sum() == 4
    regulator = wires.name.index("regulator 814")
    assert (feeder.buses[wires.from_bus[regulator]], feeder.buses[wires.to_bus[regulator]]) == (
        "814",
        "814r",
    )
    assert 1 / wires.ratio[regulator] == pytest.approx((1.0875 + 1.025 + 1.03125) / 3)
    assert feeder.base_kv[[at("888"), at("890"), at("sourcebus")]].tolist() == [4.16, 4.16, 69.0]
    assert feeder.zone[at("890")] == "transformer"
    assert set(feeder.zone) == {
        "substation",
        "feeder 1",
        "feeder 2",
        "lateral 1",
        "lateral 2",
        "transformer",
    }


def test_a_single_phase_lateral_is_loaded_like_its_conductor() -> None:
    """Line 818-820 has only phase a: its current is S / (V / sqrt 3)."""
    feeder = ieee34()
    wires, solved = feeder.branches, solve(feeder)
    number = wires.name.index("816 - 818")
    kva = abs(solved.voltage[wires.from_bus[number]] * np.conj(solved.from_pu[number])) * 1000
    kv = solved.magnitude[wires.from_bus[number]] * 24.9
    ampere = kva / (kv / np.sqrt(3))
    assert loading(feeder, solved)[number] == pytest.approx(ampere / 140, rel=0.01)
    lost = abs(solved.from_pu[number]) ** 2 * wires.series_pu[number].real * 1000
    assert lost == pytest.approx(ampere**2 * 2.7995 * 1710 / 5280 / 1000, rel=0.01)


def test_loading_of_the_transformer() -> None:
    for make in (ieee13, ieee34):
        feeder = make()
        share = dict(zip(feeder.branches.name, loading(feeder, solve(feeder)), strict=True))
        assert share["XFM-1"] == pytest.approx(
            1.05, abs=0.06
        )  # 500 kVA for 400 + j290, 450 + j225 kVA
