"""IEEE 13 and 34 node test feeders as balanced equivalents.

Topology, lengths and impedances are as published. Both feeders are unbalanced; a balanced
equivalent represents their sums and means, not single phases. Kept are every line with its
positive-sequence impedance (self minus mutual mean), transformers, capacitors, and the total load
per node. Simplifications:

- Loads are constant power and the total of their phases; delta and wye are not distinguished.
- A lateral with p of three phases gets 3/p times its impedance and p/3 of its capacitance and of
  its ampacity. Its voltage drop, losses and loading are then those of its conductors.
- Regulators are transformers with a fixed tap: the mean of the three positions of the solution of
  OpenDSS.
- The switch 671-692 of the 13 node feeder is closed: 692 is one node with 671.

Comparison with the published power flow (W. H. Kersting, IEEE PES radial distribution test
feeders) and OpenDSS 9:

===================================  =======  =======  ======  =======  =======  ======
Quantity                             13 here  OpenDSS  IEEE    34 here  OpenDSS  IEEE
===================================  =======  =======  ======  =======  =======  ======
Load at nominal voltage, kW          3466.0   3466.0   3466    1769.0   1769.0   1769
Drawn from the source, kW            3565.5   3567.1   3577.2  2046.9   2039.9   2042.9
Losses, kW                           99.5     112.4    111.1   277.9    272.3    273.1
Lowest node, mean of its phases, pu  0.992    0.993            0.914    0.926
Lowest single phase, pu              -        0.961            -        0.919
===================================  =======  =======  ======  =======  =======  ======

The losses of the 13 node feeder are 11 % too low because its phases are loaded unevenly. The
lowest node of the 34 node feeder is 890, 1.1 % too low because its load of constant current is
modeled as constant power; every other three-phase node is within 0.4 % of the mean of its phases
in the OpenDSS solution (13 node feeder: 0.2 %). `tests/grid/catalog/test_ieee.py` checks these
figures.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from prosumax.grid.catalog.cables import line_branches
from prosumax.grid.catalog.layout import spanning_tree, tree_layout
from prosumax.grid.feeder import BASE_KVA, Branches, Feeder

_KM_PER_MILE = 1.609344
_FEET_PER_MILE = 5280.0
_HZ = 60.0
_ENDS: tuple[Literal["from"], Literal["to"]] = ("from", "to")

_Line = TypedDict(
    "_Line",
    {
        "from": str,
        "to": str,
        "phases": str,
        "feet": float,
        "config": str,
        "r1_ohm_per_mile": float,
        "x1_ohm_per_mile": float,
        "c1_nf_per_mile": float,
    },
)
_Transformer = TypedDict(
    "_Transformer",
    {
        "name": str,
        "from": str,
        "to": str,
        "from_kv": NotRequired[float],
        "to_kv": NotRequired[float],
        "kva": float,
        "r_percent": float,
        "x_percent": float,
        "rated_kva": NotRequired[float],
        "taps": NotRequired[list[float]],
    },
)


class _FeederData(TypedDict):
    kv: float
    source: str
    source_pu: float
    lines: list[_Line]
    transformers: list[_Transformer]
    regulators: list[_Transformer]
    switches: list[tuple[str, str]]
    loads: dict[str, list[float]]
    capacitors_kvar: dict[str, float]


_AMPACITY = {
    "mtx601": 730.0,  # 556.5 kcmil ACSR 26/7
    "mtx602": 340.0,  # 4/0 ACSR
    "mtx603": 230.0,  # 1/0 ACSR
    "mtx604": 230.0,
    "mtx605": 230.0,
    "mtx606": 260.0,  # 250 kcmil AA, concentric neutral, underground
    "300": 230.0,  # 1/0 ACSR
    "301": 180.0,  # #2 ACSR 6/1
    "302": 140.0,  # #4 ACSR 6/1
    "303": 140.0,
    "304": 180.0,
}
"""Ampacity of the phase conductor by line configuration, A.

After Kersting, Distribution System Modeling and Analysis, appendices A and B; not checked against
the printed tables. The ampacity of 607 (1/0 AA tape shield) is unknown, so that it has no limit.
"""

_ZONES = {
    "ieee13": {
        "substation": "sourcebus 650 rg60 632",
        "feeder 1": "645 646",
        "feeder 2": "633 634",
        "feeder 3": "670 671 680 684 611 652",
        "feeder 4": "675",
    },
    # MARLEM's groups; 814r and 852r are behind the regulators, 888 and 890 behind the transformer.
    "ieee34": {
        "substation": "sourcebus 800 802 806 808 810 812 814 814r 850",
        "feeder 1": "816 818 820 822 824 826 828 830",
        "feeder 2": "854 856 852 852r 832",
        "lateral 1": "858 834 842 844 846 848 860 836 840",
        "lateral 2": "864 862 838",
        "transformer": "888 890",
    },
}


def ieee13() -> Feeder:
    """Build the IEEE 13 node test feeder.

    It has 4.16 kV, is short and heavily loaded, and includes its 115 kV substation.
    """
    return _build_feeder("ieee13", "IEEE 13 node feeder")


def ieee34() -> Feeder:
    """Build the IEEE 34 node test feeder.

    It has 24.9 kV, 58 miles of line and two regulators; its substation holds 1.05 pu.
    """
    return _build_feeder("ieee34", "IEEE 34 node feeder")


@cache
def _read_data() -> dict[str, _FeederData]:
    text = (files("prosumax.grid.catalog") / "data" / "ieee.json").read_text()
    data: dict[str, _FeederData] = json.loads(text)
    return data


def _build_feeder(key: str, name: str) -> Feeder:
    data = _read_data()[key]
    # Both ends of a closed switch are one node.
    merged = {removed: kept for kept, removed in data["switches"]}

    def node(label: str) -> str:
        return merged.get(label, label)

    lines = data["lines"]
    transformers = [*data["transformers"], *data["regulators"]]
    labels = [node(link[end]) for link in (*lines, *transformers) for end in _ENDS]
    buses = list(dict.fromkeys([data["source"], *labels]))
    position = {bus: number for number, bus in enumerate(buses)}

    def positions(links: Sequence[_Line | _Transformer]) -> NDArray[np.int64]:
        return np.array([[position[node(link[end])] for end in _ENDS] for link in links])

    kv = _bus_voltages_kv(data, position, node)
    branches = _concatenate(
        _line_branches(lines, positions(lines), kv),
        _transformer_branches(transformers, positions(transformers)),
    )
    source = position[data["source"]]
    tree = spanning_tree(len(buses), source, branches.from_bus, branches.to_bus)
    load = np.zeros((len(buses), 2))
    for bus, power in data["loads"].items():
        load[position[node(bus)]] += power
    shunt = np.zeros(len(buses), np.complex128)
    for bus, kvar in data["capacitors_kvar"].items():
        shunt[position[node(bus)]] += 1j * kvar / BASE_KVA
    zone = {bus: part for part, members in _ZONES[key].items() for bus in members.split()}
    x, y = tree_layout(tree)
    closed = [
        f"Node {removed} is one with {kept} (closed switch)." for removed, kept in merged.items()
    ]
    return Feeder(
        name=name,
        buses=tuple(buses),
        base_kv=kv,
        source_bus=source,
        source_voltage_pu=data["source_pu"],
        branches=branches,
        shunt_pu=shunt,
        load_kw=load[:, 0],
        load_kvar=load[:, 1],
        x=x,
        y=y,
        zone=tuple(zone[bus] for bus in buses),
        notes=(
            "IEEE PES test feeder as a balanced equivalent: fixed regulator taps, constant-power"
            " loads.",
            *closed,
        ),
    )


def _bus_voltages_kv(
    data: _FeederData, position: dict[str, int], node: Callable[[str], str]
) -> NDArray[np.float64]:
    """Return the line-to-line voltage of every bus, which only transformers change."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = (*data["lines"], *data["regulators"])
    a, b = np.array([[position[node(link[end])] for end in _ENDS] for link in links]).T
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(position), len(position)))
    _, level = connected_components(graph, directed=False)
    kv = np.full(len(position), float(data["kv"]))
    for transformer in data["transformers"]:
        for end in _ENDS:
            same_level = level == level[position[node(transformer[end])]]
            kv[same_level] = transformer["from_kv" if end == "from" else "to_kv"]
    return kv


def _line_branches(
    lines: list[_Line], ends: NDArray[np.int64], kv: NDArray[np.float64]
) -> Branches:
    miles = np.array([line["feet"] for line in lines]) / _FEET_PER_MILE
    phases = np.array([len(line["phases"]) for line in lines])
    r = np.array([line["r1_ohm_per_mile"] for line in lines])
    x = np.array([line["x1_ohm_per_mile"] for line in lines])
    c = np.array([line["c1_nf_per_mile"] for line in lines])
    ampacity = np.array([_AMPACITY.get(line["config"], np.inf) for line in lines])
    return line_branches(
        [f"{line['from']} - {line['to']}" for line in lines],
        ends[:, 0],
        ends[:, 1],
        r_ohm=r * miles * 3 / phases,
        x_ohm=x * miles * 3 / phases,
        c_nf=c * miles * phases / 3,
        max_a=ampacity * phases / 3,
        kv=kv[ends[:, 0]],
        length_km=miles * _KM_PER_MILE,
        hz=_HZ,
    )


def _transformer_branches(links: list[_Transformer], ends: NDArray[np.int64]) -> Branches:
    """Build transformers and regulators; voltages are nominal, so only taps change the ratio."""
    count = len(links)
    per_kva = np.array(
        [complex(link["r_percent"], link["x_percent"]) / 100 / link["kva"] for link in links]
    )
    # The kVA of the regulators in the data are placeholders.
    rating = np.array([link.get("rated_kva", np.inf) for link in links]) / BASE_KVA
    return Branches(
        name=tuple(link["name"] for link in links),
        from_bus=ends[:, 0],
        to_bus=ends[:, 1],
        is_transformer=np.ones(count, bool),
        series_pu=per_kva.astype(np.complex128) * BASE_KVA,
        shunt_from_pu=np.zeros(count, np.complex128),
        shunt_to_pu=np.zeros(count, np.complex128),
        ratio=np.array([1 / np.mean(link.get("taps", 1.0)) for link in links]),
        rating_from_pu=rating,
        rating_to_pu=rating.copy(),
        length_km=np.zeros(count),
    )


def _concatenate(first: Branches, second: Branches) -> Branches:
    arrays = {
        field: np.concatenate([getattr(first, field), getattr(second, field)])
        for field in Branches.__dataclass_fields__
        if field != "name"
    }
    return Branches(name=first.name + second.name, **arrays)
