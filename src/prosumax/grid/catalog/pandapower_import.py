"""Import of pandapower networks as feeders with the same power flow equations.

Pandapower converts its tables to a bus-branch model in per unit: it merges buses over closed
switches, follows open ones, and converts iron losses and taps to parameters of a pi circuit. That
model is imported here.
"""

import contextlib
import copy
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.catalog.layout import (
    SpanningTree,
    feeder_zones,
    spanning_tree,
    tree_layout,
)
from prosumax.grid.feeder import BASE_KVA, Branches, Feeder

if TYPE_CHECKING:
    import pandas as pd
    from pandapower import pandapowerNet

_POWER_TABLES = (
    "load",
    "sgen",
    "storage",
    "motor",
    "ward",
    "shunt",
    "asymmetric_load",
    "asymmetric_sgen",
)
"""Tables of elements that are power or admittance at a bus."""

_IMPORTED_TABLES = ("bus", "line", "trafo", "switch", "ext_grid", *_POWER_TABLES)
_IGNORED_TABLES = (
    "measurement",
    "poly_cost",
    "pwl_cost",
    "group",
    "controller",
    "characteristic",
    "bus_geodata",
)

# Cases of pandapower have 99999 kA where a line has no rating.
_UNLIMITED_KA = 9_999.0
_ANGLE_TOLERANCE_DEG = 1e-6

BranchKey = tuple[str, int]
"""Table of a pandapower network ("line", "trafo" or "switch") and index in it."""


class ImportedFeeder(NamedTuple):
    """A feeder and the positions of the elements of its pandapower network.

    Attributes:
        feeder: The feeder.
        bus_position: Index in `net.bus` -> position in `feeder.buses`; buses without supply are
            missing.
        branch_position: Table and index of a branch -> position in `feeder.branches`.
    """

    feeder: Feeder
    bus_position: dict[int, int]
    branch_position: dict[BranchKey, int]


def from_pandapower(net: "pandapowerNet", name: str = "", where: str = "network") -> ImportedFeeder:
    """Import a balanced pandapower network with one external grid.

    Phase shifts of transformers are ignored: unless a loop contains unequal ones, they change no
    voltage magnitude and no current. Loads are constant power; static generation and storage count
    as negative loads.

    Args:
        net: A `pandapowerNet`, which is not changed.
        name: Name for reports; the network's own if empty.
        where: Field or file, for messages.

    Raises:
        InputError: If the network has elements that a feeder cannot represent (such as generators
            with voltage control or three-winding transformers), not exactly one external grid, or
            a loop over unequal phase shifts.
    """
    _check_elements(net, where)
    net = copy.deepcopy(net)
    bus, branch, in_service = _bus_branch_model(net, where)
    column = _bus_columns()
    bus_position = _bus_positions(net, len(bus))
    branch_keys = _branch_keys(net)
    keys = [branch_keys[row] for row in in_service.tolist()]
    names = _bus_names(net, bus_position, len(bus))
    branches, shift = _build_branches(net, branch[in_service], bus[:, column["BASE_KV"]], keys)
    source = bus_position[int(net.ext_grid.bus[net.ext_grid.in_service].iloc[0])]
    tree = spanning_tree(len(bus), source, branches.from_bus, branches.to_bus)
    _check_phase_shifts(tree, branches, shift, where)
    x, y = _coordinates(net, bus_position, tree)
    shunt_mva = bus[:, column["GS"]] + 1j * bus[:, column["BS"]]
    feeder = Feeder(
        name=name or str(net.name or "pandapower network"),
        buses=names,
        base_kv=bus[:, column["BASE_KV"]].copy(),
        source_bus=source,
        source_voltage_pu=float(net.ext_grid.vm_pu[net.ext_grid.in_service].iloc[0]),
        branches=branches,
        shunt_pu=np.asarray(shunt_mva * 1000.0 / BASE_KVA, np.complex128),
        load_kw=1000.0 * bus[:, column["PD"]],
        load_kvar=1000.0 * bus[:, column["QD"]],
        x=x,
        y=y,
        zone=_zones(net, bus_position, tree),
        notes=tuple(_notes(net, bus_position, names)),
    )
    branch_position = {key: position for position, key in enumerate(keys)}
    return ImportedFeeder(feeder, bus_position, branch_position)


def _bus_branch_model(
    net: "pandapowerNet", where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return pandapower's buses with supply, all its branches, and the rows in service."""
    import pandapower
    from pandapower.pypower.idx_bus import BUS_TYPE, NONE

    try:
        # The linear power flow builds the same model as the AC one and cannot fail to converge.
        with _without_numba_hint():
            pandapower.rundcpp(net, trafo_model="t")
    except Exception as error:  # Pandapower raises errors of any type on inconsistent data.
        raise InputError(
            where,
            f"pandapower cannot use this network ({type(error).__name__}: {error})",
            "Fix it until pandapower.runpp(net) succeeds; pandapower.diagnostic(net) helps.",
        ) from error
    bus = np.real(net._ppc["bus"])
    branch = np.real(net._ppc["branch"])
    # Buses without supply come last.
    has_supply = bus[:, BUS_TYPE] != NONE
    return bus[has_supply], branch, np.flatnonzero(net._ppc["internal"]["branch_is"])


@contextlib.contextmanager
def _without_numba_hint() -> Iterator[None]:
    """Suppress the hint to install numba, which would gain nothing here."""
    logger = logging.getLogger("pandapower.auxiliary")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _bus_positions(net: "pandapowerNet", supplied: int) -> dict[int, int]:
    lookup = net._pd2ppc_lookups["bus"]
    positions = {int(index): int(lookup[index]) for index in net.bus.index}
    return {index: place for index, place in positions.items() if 0 <= place < supplied}


def _bus_columns() -> dict[str, int]:
    from pandapower.pypower import idx_bus

    return {name: getattr(idx_bus, name) for name in ("PD", "QD", "GS", "BS", "BASE_KV")}


def _check_elements(net: "pandapowerNet", where: str) -> None:
    """Check that only tables which a feeder can represent have elements in service."""
    import pandas as pd

    for table, content in net.items():
        if not isinstance(content, pd.DataFrame) or content.empty:
            continue
        if table in _IMPORTED_TABLES or table in _IGNORED_TABLES:
            continue
        if table.startswith(("_", "res_")) or "in_service" not in content:
            continue
        if content.in_service.any():
            raise InputError(
                where,
                f"the network has {int(content.in_service.sum())} element(s) of the kind {table}"
                " in service,"
                " which a feeder of lines, transformers and loads cannot represent",
                f"Take them out of service (net.{table}.in_service = False) or replace them.",
            )
    sources = int(net.ext_grid.in_service.sum())
    if sources != 1:
        raise InputError(
            where,
            f"the network has {sources or 'no'} external grid(s) in service",
            "Keep exactly one: the bus at which the upstream grid holds the voltage.",
        )


def _branch_keys(net: "pandapowerNet") -> dict[int, BranchKey]:
    """Return table and index of every row of the bus-branch model."""
    keys: dict[int, BranchKey] = {}
    for table, (begin, _) in net._pd2ppc_lookups["branch"].items():
        # Of the switches only those with an impedance are branches.
        if table == "switch":
            index = net.switch.index[net._impedance_bb_switches]
        else:
            index = net[table].index
        keys |= {begin + number: (table, int(row)) for number, row in enumerate(index)}
    return keys


def _build_branches(
    net: "pandapowerNet",
    branch: NDArray[np.float64],
    base_kv: NDArray[np.float64],
    keys: list[BranchKey],
) -> tuple[Branches, NDArray[np.float64]]:
    """Return the branches, and the phase shift of each in degrees."""
    from pandapower.pypower import idx_brch as column

    def values(name: str) -> NDArray[np.float64]:
        return branch[:, getattr(column, name)]

    from_bus = values("F_BUS").astype(np.int64)
    to_bus = values("T_BUS").astype(np.int64)
    g = values("BR_G")
    b = values("BR_B")
    tap = values("TAP")
    # Impedances grow with the base power, admittances shrink.
    base_ratio = BASE_KVA / 1000.0 / float(net.sn_mva)
    limit = np.array([_RATED_KA[table](net[table].loc[index]) for table, index in keys])
    limit = limit.reshape(-1, 2)
    limit = np.where(limit > 0, limit, np.inf)
    base_ka = BASE_KVA / 1000.0 / np.sqrt(3.0) / base_kv
    length = [float(net.line.length_km[index]) if table == "line" else 0.0 for table, index in keys]
    labels = _make_unique(
        [_branch_label(net, table, index) for table, index in keys], [index for _, index in keys]
    )
    to_shunt = g + values("BR_G_ASYM") + 1j * (b + values("BR_B_ASYM"))
    branches = Branches(
        name=tuple(labels),
        from_bus=from_bus,
        to_bus=to_bus,
        is_transformer=np.array([table == "trafo" for table, _ in keys], bool),
        series_pu=np.asarray((values("BR_R") + 1j * values("BR_X")) * base_ratio, np.complex128),
        shunt_from_pu=np.asarray((g + 1j * b) / 2 / base_ratio, np.complex128),
        shunt_to_pu=np.asarray(to_shunt / 2 / base_ratio, np.complex128),
        ratio=np.where(tap == 0, 1.0, tap),
        rating_from_pu=limit[:, 0] / base_ka[from_bus],
        rating_to_pu=limit[:, 1] / base_ka[to_bus],
        length_km=np.array(length),
    )
    return branches, values("SHIFT")


def _line_rating_ka(line: "pd.Series[float]") -> tuple[float, float]:
    rated = float(line["max_i_ka"] * line["df"] * line["parallel"])
    return (rated, rated) if rated < _UNLIMITED_KA else (np.inf, np.inf)


def _trafo_rating_ka(trafo: "pd.Series[float]") -> tuple[float, float]:
    rated_mva = float(trafo["sn_mva"] * trafo["parallel"] * trafo["df"])
    root_3 = np.sqrt(3.0)
    return rated_mva / (root_3 * trafo["vn_hv_kv"]), rated_mva / (root_3 * trafo["vn_lv_kv"])


def _switch_rating_ka(switch: "pd.Series[float]") -> tuple[float, float]:
    rated = float(switch["in_ka"])
    return (rated, rated) if np.isfinite(rated) else (np.inf, np.inf)


_RATED_KA: dict[str, Callable[["pd.Series[float]"], tuple[float, float]]] = {
    "line": _line_rating_ka,
    "trafo": _trafo_rating_ka,
    "switch": _switch_rating_ka,
}
"""Current in kA that pandapower calls 100 %, at either end."""


def _branch_label(net: "pandapowerNet", table: str, index: int) -> str:
    given = net[table].name[index] if "name" in net[table] else None
    return _text(given) or f"{table} {index}"


def _text(value: object) -> str:
    """Return text without surrounding spaces; empty for None and NaN."""
    return "" if value is None or value != value else str(value).strip()


def _make_unique(names: list[str], index: list[int]) -> list[str]:
    """Append the index to names that occur more than once."""
    counts = Counter(names)
    return [
        f"{name} ({number})" if counts[name] > 1 else name
        for name, number in zip(names, index, strict=True)
    ]


def _bus_names(net: "pandapowerNet", bus_position: dict[int, int], count: int) -> tuple[str, ...]:
    """Return the name of the first bus at each position.

    Buses that pandapower adds behind an open switch are called "open end".
    """
    first_index: dict[int, int] = {}
    for index, place in bus_position.items():
        first_index.setdefault(place, index)
    named = sorted(first_index)
    indices = [first_index[place] for place in named]
    labels = [_text(net.bus.name.get(index)) or f"bus {index}" for index in indices]
    name = dict(zip(named, _make_unique(labels, indices), strict=True))
    open_ends = (place for place in range(count) if place not in name)
    name |= {place: f"open end {number}" for number, place in enumerate(open_ends, start=1)}
    return tuple(name[place] for place in range(count))


def _check_phase_shifts(
    tree: SpanningTree, branches: Branches, shift: NDArray[np.float64], where: str
) -> None:
    """Check that the phase shifts of every loop add up to zero."""
    ends = zip(branches.from_bus.tolist(), branches.to_bus.tolist(), shift.tolist(), strict=True)
    shift_between = {(a, b): degree for a, b, degree in ends}
    angle = np.zeros(len(tree.parent))
    for bus in tree.order[1:].tolist():
        parent = int(tree.parent[bus])
        if (parent, bus) in shift_between:
            angle[bus] = angle[parent] - shift_between[parent, bus]
        else:
            angle[bus] = angle[parent] + shift_between[bus, parent]
    difference = angle[branches.from_bus] - shift - angle[branches.to_bus]
    wrapped = np.abs((difference + 180.0) % 360.0 - 180.0)
    is_wrong = wrapped > _ANGLE_TOLERANCE_DEG
    if is_wrong.any():
        name = branches.name[int(np.argmax(is_wrong))]
        raise InputError(
            where,
            f"closes a loop over transformers of unequal phase shift (at {name!r})",
            "Open a switch in that loop, or give the transformers the same shift_degree.",
        )


def _coordinates(
    net: "pandapowerNet", bus_position: dict[int, int], tree: SpanningTree
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the geographic positions if every bus has one, or else a tree layout."""
    x = np.full(len(tree.parent), np.nan)
    y = np.full(len(tree.parent), np.nan)
    for index, place in bus_position.items():
        point = _parse_point(net.bus.geo.get(index)) if "geo" in net.bus else None
        if point is not None and np.isnan(x[place]):
            x[place], y[place] = point
    named = set(bus_position.values())
    # An open end is drawn where its line begins.
    for bus in tree.order[1:].tolist():
        if np.isnan(x[bus]) and bus not in named:
            x[bus] = x[tree.parent[bus]]
            y[bus] = y[tree.parent[bus]]
    return tree_layout(tree) if np.isnan(x).any() else (x, y)


def _parse_point(geo: str) -> tuple[float, float] | None:
    """Parse a GeoJSON point."""
    try:
        x, y = json.loads(geo)["coordinates"][:2]
        return float(x), float(y)
    except (TypeError, ValueError, KeyError):
        return None


def _zones(
    net: "pandapowerNet", bus_position: dict[int, int], tree: SpanningTree
) -> tuple[str, ...]:
    """Return the zones of the data if there are several, or else the zones of the topology."""
    zone = [""] * len(tree.parent)
    for index, place in bus_position.items():
        zone[place] = zone[place] or _text(net.bus.zone.get(index))
    for bus in tree.order[1:].tolist():
        zone[bus] = zone[bus] or zone[tree.parent[bus]]
    return tuple(zone) if len(set(zone)) > 1 and all(zone) else feeder_zones(tree)


def _notes(net: "pandapowerNet", bus_position: dict[int, int], names: tuple[str, ...]) -> list[str]:
    notes = []
    isolated = [index for index in net.bus.index if int(index) not in bus_position]
    if isolated:
        is_isolated = net.load.in_service & net.load.bus.isin(isolated)
        isolated_kw = 1000.0 * float(net.load.p_mw[is_isolated].sum())
        notes.append(
            f"{len(isolated)} of {len(net.bus)} buses have no supply and are left out, with"
            f" {isolated_kw:g} kW of load."
        )
    merged: dict[int, list[int]] = {}
    for index, place in bus_position.items():
        merged.setdefault(place, []).append(index)
    for place, indices in merged.items():
        if len(indices) > 1:
            others = ", ".join(
                _text(net.bus.name.get(index)) or f"bus {index}" for index in indices[1:]
            )
            notes.append(f"Closed switches make {others} one bus with {names[place]}.")
    ignored = _ignored_taps(net)
    if ignored:
        notes.append(
            f"The tap positions of {', '.join(ignored)} have no effect, as in pandapower:"
            " tap_changer_type is missing in the data. To put them into effect, set"
            ' net.trafo["tap_changer_type"] = "Ratio" and save again.'
        )
    shares = [name for name in net.load if name.startswith(("const_z", "const_i"))]
    if (net.load.loc[net.load.in_service, shares].to_numpy(dtype=float) > 0).any():
        notes.append("Voltage-dependent loads are modeled as constant power.")
    if any(net[table].in_service.any() for table in ("asymmetric_load", "asymmetric_sgen")):
        notes.append("Single-phase loads are divided equally among the three phases.")
    return notes


def _ignored_taps(net: "pandapowerNet") -> list[str]:
    """Return transformers off their neutral position whose type of tap changer is missing."""
    trafo = net.trafo[net.trafo.in_service]
    if trafo.empty or "tap_changer_type" not in trafo:
        return []  # Without the column, pandapower puts taps into effect.
    is_moved = (
        trafo.tap_pos.notna()
        & trafo.tap_neutral.notna()
        & (trafo.tap_pos != trafo.tap_neutral)
        & (trafo.tap_step_percent.fillna(0) != 0)
        & trafo.tap_changer_type.isna()
    )
    return [_branch_label(net, "trafo", int(index)) for index in trafo.index[is_moved]]
