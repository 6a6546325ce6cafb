"""Loading of the network that a scenario requests."""

from collections.abc import Callable

from prosumax.errors import InputError
from prosumax.grid.catalog.edge_list import read_edge_list
from prosumax.grid.catalog.generators import generate_feeder
from prosumax.grid.catalog.ieee import ieee13, ieee34
from prosumax.grid.catalog.packaged import (
    PANDAPOWER_CREATORS,
    packaged_feeder,
    pandapower_file_feeder,
    simbench_feeder,
)
from prosumax.grid.feeder import Feeder
from prosumax.scenario.schema.network import GENERATED_NETWORKS, NetworkConfig


def load_feeder(spec: NetworkConfig, homes: int, seed: int, where: str = "network") -> Feeder:
    """Load the network that a scenario requests and validate it.

    Args:
        spec: Network settings of the scenario, with a `kind`.
        homes: Number of homes; a generated network has one bus for each by default.
        seed: Seed of a generated network.
        where: Field of the scenario, for messages.

    Raises:
        InputError: If a file, a package or a name is missing, or the network is not valid.
    """
    if spec.kind is None:
        raise InputError(
            f"{where}.kind", "the field is missing", "Name a network, or remove the section."
        )
    return _LOADERS[spec.kind](spec, homes, seed, where).validate()


def _generated(spec: NetworkConfig, homes: int, seed: int, where: str) -> Feeder:
    kind = str(spec.kind)
    buses = spec.num_buses
    if buses is None:
        buses = max(homes + 1, 3 if kind == "ring" else 2)
    return generate_feeder(kind, buses, spec.mean_line_km, seed, where)


def _packaged(spec: NetworkConfig, homes: int, seed: int, where: str) -> Feeder:
    return packaged_feeder(str(spec.kind), where)


def _simbench(spec: NetworkConfig, homes: int, seed: int, where: str) -> Feeder:
    return simbench_feeder(spec.simbench_code, where)


def _pandapower_file(spec: NetworkConfig, homes: int, seed: int, where: str) -> Feeder:
    assert spec.file is not None  # The scenario has been validated.
    return pandapower_file_feeder(spec.file, where)


def _edge_list(spec: NetworkConfig, homes: int, seed: int, where: str) -> Feeder:
    assert spec.file is not None  # The scenario has been validated.
    return read_edge_list(spec.file, where)


def _ieee13(spec: NetworkConfig, homes: int, seed: int, where: str) -> Feeder:
    return ieee13()


def _ieee34(spec: NetworkConfig, homes: int, seed: int, where: str) -> Feeder:
    return ieee34()


_LOADERS: dict[str, Callable[[NetworkConfig, int, int, str], Feeder]] = {
    **dict.fromkeys(GENERATED_NETWORKS, _generated),
    **dict.fromkeys(PANDAPOWER_CREATORS, _packaged),
    "ieee13": _ieee13,
    "ieee34": _ieee34,
    "simbench": _simbench,
    "pandapower": _pandapower_file,
    "edges": _edge_list,
}
