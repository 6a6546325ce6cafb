"""pandapower networks become feeders, such that our power flow solves the same equations as pandapower's.

pandapower itself converts its tables to a bus-branch model in per unit (it merges buses over closed switches, follows
open ones, turns iron losses and taps into the numbers of a pi circuit); that model is read here.
"""

import contextlib
import copy
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.grid.catalog.layout import Tree, parts, tree_layout, tree_of
from prosumax.grid.feeder import BASE_KVA, Branches, Feeder

_POWER = ("load", "sgen", "storage", "motor", "ward", "shunt", "asymmetric_load", "asymmetric_sgen")
"""Tables that are nothing but power or admittance at a bus."""

_READ = ("bus", "line", "trafo", "switch", "ext_grid", *_POWER)
_HARMLESS = (
    "measurement",
    "poly_cost",
    "pwl_cost",
    "group",
    "controller",
    "characteristic",
    "bus_geodata",
)
_NO_LIMIT_KA = 9_999.0  # pandapower's own cases write 99999 where a line has no rating
_SAME_ANGLE_DEG = 1e-6


class Imported(NamedTuple):
    """A feeder, and where the elements of the pandapower network are in it.

    Attributes:
        feeder: the network.
        bus_position: index in `net.bus` -> position in `feeder.buses`; buses without supply are missing.
        branch_position: ("line" or "trafo", index in that table) -> position in `feeder.branches`.
    """

    feeder: Feeder
    bus_position: dict[int, int]
    branch_position: dict[tuple[str, int], int]


def from_pandapower(net: Any, name: str = "", where: str = "network") -> Imported:
    """A balanced pandapower network with one external grid, as a feeder.

    Phase shifts of transformers are left out: where no loop runs over unequal ones they change no voltage magnitude
    and no current. Loads are constant power, static generation and storage count negative.

    Arguments:
        net: a pandapowerNet.
        name: for reports; the network's own when empty.
        where: field or file that asks, for messages.

    Raises:
        InputError: an element that has no place in a feeder (generators with voltage control, three-winding
            transformers, ..), not exactly one external grid, or a loop over unequal phase shifts.
    """
    _check_elements(net, where)
    net = copy.deepcopy(net)  # the caller's keeps its results
    bus, branch, kept = _bus_branch_model(net, where)
    column = _bus_columns()
    bus_position = _bus_position(net, len(bus))
    table_row = _table_rows(net)
    rows = [table_row[row] for row in kept.tolist()]
    names = _bus_names(net, bus_position, len(bus))
    branches, shift = _branches(net, branch[kept], bus[:, column["BASE_KV"]], rows)
    source = bus_position[int(net.ext_grid.bus[net.ext_grid.in_service].iloc[0])]
    tree = tree_of(len(bus), source, branches.from_bus, branches.to_bus)
    _check_shifts(tree, branches, shift, where)
    x, y = _coordinates(net, bus_position, tree)
    feeder = Feeder(
        name=name or str(net.name or "pandapower network"),
        buses=names,
        base_kv=bus[:, column["BASE_KV"]].copy(),
        source=source,
        source_pu=float(net.ext_grid.vm_pu[net.ext_grid.in_service].iloc[0]),
        branches=branches,
        shunt_pu=(bus[:, column["GS"]] + 1j * bus[:, column["BS"]]) * 1000.0 / BASE_KVA,
        load_kw=1000.0 * bus[:, column["PD"]],
        load_kvar=1000.0 * bus[:, column["QD"]],
        x=x,
        y=y,
        zone=_zones(net, bus_position, tree),
        notes=tuple(_notes(net, bus_position, names)),
    )
    used = {row: place for place, row in enumerate(rows)}
    return Imported(feeder, bus_position, used)


def _bus_branch_model(net: Any, where: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Pandapower's buses with supply, all its branches, and which of these are in service."""
    import pandapower
    from pandapower.pypower.idx_bus import BUS_TYPE, NONE

    try:
        # The linear power flow builds the same model as the AC one and cannot fail to converge.
        with _without_advice():
            pandapower.rundcpp(net, trafo_model="t")
    except Exception as error:  # pandapower lets pass whatever its arithmetic trips over
        raise InputError(
            where,
            f"pandapower cannot use this network ({type(error).__name__}: {error})",
            "Mend it until pandapower.runpp(net) succeeds; pandapower.diagnostic(net) helps.",
        ) from error
    bus, branch = np.real(net._ppc["bus"]), np.real(net._ppc["branch"])
    # Buses without supply come last.
    return bus[bus[:, BUS_TYPE] != NONE], branch, np.flatnonzero(net._ppc["internal"]["branch_is"])


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Leave out the advice to install numba, which would gain nothing here."""
    logger = logging.getLogger("pandapower.auxiliary")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _bus_position(net: Any, supplied: int) -> dict[int, int]:
    lookup = net._pd2ppc_lookups["bus"]
    at = {int(index): int(lookup[index]) for index in net.bus.index}
    return {index: place for index, place in at.items() if 0 <= place < supplied}


def _bus_columns() -> dict[str, int]:
    from pandapower.pypower import idx_bus

    return {name: getattr(idx_bus, name) for name in ("PD", "QD", "GS", "BS", "BASE_KV")}


def _check_elements(net: Any, where: str) -> None:
    """Only tables that a feeder can hold have anything in service."""
    import pandas as pd

    for table, content in net.items():
        if (
            not isinstance(content, pd.DataFrame)
            or content.empty
            or table in _READ
            or table in _HARMLESS
        ):
            continue
        if table.startswith(("_", "res_")) or "in_service" not in content:
            continue
        if content.in_service.any():
            raise InputError(
                where,
                f"has {int(content.in_service.sum())} element(s) of the kind {table} in service, which a feeder of"
                " lines, transformers and loads cannot hold",
                f"Take them out of service (net.{table}.in_service = False) or replace them.",
            )
    sources = int(net.ext_grid.in_service.sum())
    if sources != 1:
        raise InputError(
            where,
            f"has {sources or 'no'} external grid(s) in service",
            "Keep exactly one: the bus where the grid above holds the voltage.",
        )


def _table_rows(net: Any) -> dict[int, tuple[str, int]]:
    """Row of the bus-branch model -> table and index there."""
    found: dict[int, tuple[str, int]] = {}
    for table, (begin, _) in net._pd2ppc_lookups["branch"].items():
        # Of the switches only those with an impedance are branches.
        rows = (
            net.switch.index[net._impedance_bb_switches] if table == "switch" else net[table].index
        )
        found |= {begin + number: (table, int(index)) for number, index in enumerate(rows)}
    return found


def _branches(
    net: Any, branch: NDArray[np.float64], base_kv: NDArray[np.float64], rows: list[tuple[str, int]]
) -> tuple[Branches, NDArray[np.float64]]:
    """The branches, and the phase shift of each in degrees."""
    from pandapower.pypower import idx_brch as column

    def values(*names: str) -> list[NDArray[Any]]:
        return [branch[:, getattr(column, name)] for name in names]

    from_bus, to_bus = (end.astype(np.int64) for end in values("F_BUS", "T_BUS"))
    r, x, g, b, g_more, b_more, tap, shift = values(
        "BR_R", "BR_X", "BR_G", "BR_B", "BR_G_ASYM", "BR_B_ASYM", "TAP", "SHIFT"
    )
    ours = (
        BASE_KVA / 1000.0 / float(net.sn_mva)
    )  # impedances grow with the base power, admittances shrink
    limit = np.array([_RATING[table](net[table].loc[index]) for table, index in rows]).reshape(
        -1, 2
    )
    limit = np.where(limit > 0, limit, np.inf)
    base_ka = BASE_KVA / 1000.0 / np.sqrt(3.0) / base_kv
    length = [float(net.line.length_km[index]) if table == "line" else 0.0 for table, index in rows]
    return Branches(
        name=tuple(
            _unique(
                [_label(net, table, index) for table, index in rows], [index for _, index in rows]
            )
        ),
        from_bus=from_bus,
        to_bus=to_bus,
        is_transformer=np.array([table == "trafo" for table, _ in rows], bool),
        series_pu=(r + 1j * x) * ours,
        shunt_from_pu=(g + 1j * b) / 2 / ours,
        shunt_to_pu=(g + g_more + 1j * (b + b_more)) / 2 / ours,
        ratio=np.where(tap == 0, 1.0, tap),
        rating_from_pu=limit[:, 0] / base_ka[from_bus],
        rating_to_pu=limit[:, 1] / base_ka[to_bus],
        length_km=np.array(length),
    ), shift


def _line_ka(line: Any) -> tuple[float, float]:
    rated = float(line.max_i_ka * line.df * line.parallel)
    return (np.inf, np.inf) if not rated < _NO_LIMIT_KA else (rated, rated)


def _trafo_ka(trafo: Any) -> tuple[float, float]:
    rated_mva = float(trafo.sn_mva * trafo.parallel * trafo.df)
    return rated_mva / (np.sqrt(3.0) * trafo.vn_hv_kv), rated_mva / (np.sqrt(3.0) * trafo.vn_lv_kv)


def _switch_ka(switch: Any) -> tuple[float, float]:
    rated = float(switch.in_ka)
    return (rated, rated) if np.isfinite(rated) else (np.inf, np.inf)


_RATING: dict[str, Callable[[Any], tuple[float, float]]] = {
    "line": _line_ka,
    "trafo": _trafo_ka,
    "switch": _switch_ka,
}
"""Current in kA that pandapower calls 100 %, at either end."""


def _label(net: Any, table: str, index: int) -> str:
    given = net[table].name[index] if "name" in net[table] else None
    return _text(given) or f"{table} {index}"


def _text(given: Any) -> str:
    return "" if given is None or given != given else str(given).strip()


def _unique(names: list[str], index: list[int]) -> list[str]:
    """Names that occur more than once get their index behind them."""
    times = Counter(names)
    return [
        f"{name} ({number})" if times[name] > 1 else name
        for name, number in zip(names, index, strict=True)
    ]


def _bus_names(net: Any, bus_position: dict[int, int], count: int) -> tuple[str, ...]:
    """Name of the first bus at each position; what pandapower adds behind an open switch is called "open end"."""
    first: dict[int, int] = {}
    for index, place in bus_position.items():
        first.setdefault(place, index)
    inside = sorted(first)
    firsts = [first[place] for place in inside]
    given = _unique([_text(net.bus.name.get(index)) or f"bus {index}" for index in firsts], firsts)
    name = dict(zip(inside, given, strict=True))
    ends = (place for place in range(count) if place not in name)
    name |= {place: f"open end {number}" for number, place in enumerate(ends, start=1)}
    return tuple(name[place] for place in range(count))


def _check_shifts(tree: Tree, branches: Branches, shift: NDArray[np.float64], where: str) -> None:
    """Every loop comes back with the phase angle that it left with."""
    ends = zip(branches.from_bus.tolist(), branches.to_bus.tolist(), shift.tolist(), strict=True)
    turned = {(a, b): degree for a, b, degree in ends}
    angle = np.zeros(len(tree.parent))
    for bus in tree.order[1:].tolist():
        above = int(tree.parent[bus])
        step = -turned[above, bus] if (above, bus) in turned else turned[bus, above]
        angle[bus] = angle[above] + step
    gap = angle[branches.from_bus] - shift - angle[branches.to_bus]
    wrong = np.abs((gap + 180.0) % 360.0 - 180.0) > _SAME_ANGLE_DEG
    if wrong.any():
        raise InputError(
            where,
            f"closes a loop over transformers of unequal phase shift (at {branches.name[int(np.argmax(wrong))]!r})",
            "Open a switch in that loop, or give the transformers the same shift_degree.",
        )


def _coordinates(
    net: Any, bus_position: dict[int, int], tree: Tree
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The network's own geography when every bus has one, else a tree."""
    x, y = np.full(len(tree.parent), np.nan), np.full(len(tree.parent), np.nan)
    for index, place in bus_position.items():
        point = _point(net.bus.geo.get(index)) if "geo" in net.bus else None
        if point is not None and np.isnan(x[place]):
            x[place], y[place] = point
    named = set(bus_position.values())
    for bus in tree.order[1:].tolist():  # an open end lies where its line begins
        if np.isnan(x[bus]) and bus not in named:
            x[bus], y[bus] = x[tree.parent[bus]], y[tree.parent[bus]]
    return tree_layout(tree) if np.isnan(x).any() else (x, y)


def _point(geo: Any) -> tuple[float, float] | None:
    """A GeoJSON point."""
    try:
        x, y = json.loads(geo)["coordinates"][:2]
        return float(x), float(y)
    except (TypeError, ValueError, KeyError):
        return None


def _zones(net: Any, bus_position: dict[int, int], tree: Tree) -> tuple[str, ...]:
    """The zones of the data when they tell buses apart, else the parts of the feeder."""
    zone = [""] * len(tree.parent)
    for index, place in bus_position.items():
        zone[place] = zone[place] or _text(net.bus.zone.get(index))
    for bus in tree.order[1:].tolist():
        zone[bus] = zone[bus] or zone[tree.parent[bus]]
    return tuple(zone) if len(set(zone)) > 1 and all(zone) else parts(tree)


def _notes(net: Any, bus_position: dict[int, int], names: tuple[str, ...]) -> list[str]:
    notes = []
    lost = [index for index in net.bus.index if int(index) not in bus_position]
    if lost:
        cut_kw = 1000.0 * float(net.load.p_mw[net.load.in_service & net.load.bus.isin(lost)].sum())
        notes.append(
            f"{len(lost)} of {len(net.bus)} buses have no supply and are left out, with {cut_kw:g} kW of load."
        )
    merged: dict[int, list[int]] = {}
    for index, place in bus_position.items():
        merged.setdefault(place, []).append(index)
    for place, together in merged.items():
        if len(together) > 1:
            others = ", ".join(
                _text(net.bus.name.get(index)) or f"bus {index}" for index in together[1:]
            )
            notes.append(f"Closed switches make {others} one bus with {names[place]}.")
    ignored = _ignored_taps(net)
    if ignored:
        notes.append(
            f"The tap positions of {', '.join(ignored)} have no effect, as in pandapower: tap_changer_type is missing"
            ' in the data. Set net.trafo["tap_changer_type"] = "Ratio" and save again if they are meant to act.'
        )
    shares = [name for name in net.load if name.startswith(("const_z", "const_i"))]
    if (net.load.loc[net.load.in_service, shares].to_numpy(dtype=float) > 0).any():
        notes.append("Loads that depend on the voltage are taken as constant power.")
    if any(net[table].in_service.any() for table in ("asymmetric_load", "asymmetric_sgen")):
        notes.append("Loads on single phases are spread evenly over the three.")
    return notes


def _ignored_taps(net: Any) -> list[str]:
    """Transformers out of their neutral position whose data do not say what kind of tap changer they have."""
    trafo = net.trafo[net.trafo.in_service]
    if trafo.empty or "tap_changer_type" not in trafo:
        return []  # without the column pandapower lets taps act
    moved = trafo.tap_pos.notna() & trafo.tap_neutral.notna() & (trafo.tap_pos != trafo.tap_neutral)
    step = trafo.tap_step_percent.fillna(0) != 0
    return [
        _label(net, "trafo", int(index))
        for index in trafo.index[moved & step & trafo.tap_changer_type.isna()]
    ]
