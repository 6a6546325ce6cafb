"""The network that a scenario asks for."""

from collections.abc import Callable

from prosumax.errors import InputError
from prosumax.grid.catalog.edge_list import edges_feeder
from prosumax.grid.catalog.generators import generate
from prosumax.grid.catalog.ieee import ieee13, ieee34
from prosumax.grid.catalog.packaged import CREATORS, file_feeder, packaged_feeder, simbench_feeder
from prosumax.grid.feeder import Feeder
from prosumax.scenario.schema.network import GENERATED, Network


def load_feeder(spec: Network, homes: int, seed: int, where: str = "network") -> Feeder:
    """The network that a scenario asks for, in which power can flow.

    Arguments:
        spec: what the scenario says; it has a `kind`.
        homes: how many there are; a generated network has a bus for each unless told otherwise.
        seed: of a generated network.
        where: field that asks, for messages.

    Raises:
        InputError: a file, a package or a name is missing, or the network is not one.
    """
    if spec.kind is None:
        raise InputError(f"{where}.kind", "is missing", "Name a network, or leave the network out.")
    return _KINDS[spec.kind](spec, homes, seed, where).check()


def _generated(spec: Network, homes: int, seed: int, where: str) -> Feeder:
    kind = str(spec.kind)
    buses = max(homes + 1, 3 if kind == "ring" else 2) if spec.buses is None else spec.buses
    return generate(kind, buses, spec.section_km, seed, where)


def _packaged(spec: Network, homes: int, seed: int, where: str) -> Feeder:
    return packaged_feeder(str(spec.kind), where)


def _simbench(spec: Network, homes: int, seed: int, where: str) -> Feeder:
    return simbench_feeder(spec.code, where)


def _file(spec: Network, homes: int, seed: int, where: str) -> Feeder:
    assert spec.file is not None  # checked by the scenario
    return file_feeder(spec.file, where)


def _edges(spec: Network, homes: int, seed: int, where: str) -> Feeder:
    assert spec.file is not None  # checked by the scenario
    return edges_feeder(spec.file, where)


def _ieee13(spec: Network, homes: int, seed: int, where: str) -> Feeder:
    return ieee13()


def _ieee34(spec: Network, homes: int, seed: int, where: str) -> Feeder:
    return ieee34()


_KINDS: dict[str, Callable[[Network, int, int, str], Feeder]] = {
    **dict.fromkeys(GENERATED, _generated),
    **dict.fromkeys(CREATORS, _packaged),
    "ieee13": _ieee13,
    "ieee34": _ieee34,
    "simbench": _simbench,
    "pandapower": _file,
    "edges": _edges,
}
