"""Networks of pandapower and SimBench, and pandapower files of users."""

import hashlib
import importlib
import random
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from prosumax.errors import InputError, did_you_mean
from prosumax.grid.catalog.cache import cached_feeder
from prosumax.grid.catalog.pandapower_import import from_pandapower
from prosumax.grid.feeder import Feeder

if TYPE_CHECKING:
    from pandapower import pandapowerNet

PANDAPOWER_CREATORS = {
    "cigre_lv": "create_cigre_network_lv",
    "case33bw": "case33bw",
    "kerber_landnetz_freileitung_1": "create_kerber_landnetz_freileitung_1",
    "kerber_landnetz_freileitung_2": "create_kerber_landnetz_freileitung_2",
    "kerber_landnetz_kabel_1": "create_kerber_landnetz_kabel_1",
    "kerber_landnetz_kabel_2": "create_kerber_landnetz_kabel_2",
    "kerber_dorfnetz": "create_kerber_dorfnetz",
    "kerber_vorstadtnetz_kabel_1": "create_kerber_vorstadtnetz_kabel_1",
    "kerber_vorstadtnetz_kabel_2": "create_kerber_vorstadtnetz_kabel_2",
}
"""Function of `pandapower.networks` by network kind."""

SIMBENCH_LV = (
    "1-LV-rural1--0-no_sw",
    "1-LV-rural2--0-no_sw",
    "1-LV-rural3--0-no_sw",
    "1-LV-semiurb4--0-no_sw",
    "1-LV-semiurb5--0-no_sw",
    "1-LV-urban6--0-no_sw",
)
"""The six low-voltage grids of SimBench today; --1 and --2 are their near and far future."""

# Seed of the cable types that some networks of pandapower draw.
_CABLE_SEED = 1


def packaged_feeder(kind: str, where: str = "network") -> Feeder:
    """Load one of the benchmark networks of pandapower.

    Args:
        kind: One of `PANDAPOWER_CREATORS`.
        where: Field of the scenario, for messages.

    Raises:
        InputError: If pandapower is not installed.
    """
    versions = _package_versions(("pandapower",), "grid", f"{where}.kind")

    def build() -> Feeder:
        return from_pandapower(create_network(kind), kind, where).feeder

    return cached_feeder((kind, *versions), build)


def create_network(kind: str) -> "pandapowerNet":
    """Create the pandapower network of a kind, reproducibly.

    Some creators draw cable types from Python's global generator, which is seeded and restored.

    Args:
        kind: One of `PANDAPOWER_CREATORS`.
    """
    networks = importlib.import_module("pandapower.networks")
    creator: Callable[[], pandapowerNet] = getattr(networks, PANDAPOWER_CREATORS[kind])
    state = random.getstate()
    random.seed(_CABLE_SEED)
    try:
        return creator()
    finally:
        random.setstate(state)


def simbench_feeder(code: str, where: str = "network") -> Feeder:
    """Load a grid of SimBench with its loads, without its generators and storage.

    The tap positions of the data are in effect. SimBench was published with pandapower 2, in which
    they were; since pandapower 3 they are only if the data name a type of tap changer, which the
    data of SimBench do not.

    Args:
        code: SimBench code such as "1-LV-rural1--0-no_sw".
        where: Field of the scenario, for messages.

    Raises:
        InputError: If SimBench is not installed, or has no such grid.
    """
    versions = _package_versions(("pandapower", "simbench"), "simbench", f"{where}.kind")

    def build() -> Feeder:
        net, moved = simbench_net(code, where)
        removed_kw = 1000.0 * float(net.sgen.p_mw.sum())
        net.sgen["in_service"] = False
        net.storage["in_service"] = False
        feeder = from_pandapower(net, f"SimBench {code}", where).feeder
        notes = [
            "SimBench data, (c) the SimBench consortium, Open Database License 1.0 (simbench.de):"
            " name the source, and share changed data under the same license.",
            f"Its generators ({removed_kw:.0f} kW) and storage are left out of the nominal loads.",
        ]
        if moved:
            notes.append(
                f"The tap positions of {', '.join(moved)} are in effect, as when SimBench was"
                " published."
            )
        return replace(feeder, notes=(*feeder.notes, *notes))

    return cached_feeder(("simbench", code, *versions), build)


def simbench_net(code: str, where: str = "network") -> tuple["pandapowerNet", list[str]]:
    """Create the pandapower network of a SimBench code.

    Args:
        code: SimBench code.
        where: Field of the scenario, for messages.

    Returns:
        The network, and the names of the transformers whose tap positions were put into effect.

    Raises:
        InputError: If SimBench has no such grid.
    """
    simbench = importlib.import_module("simbench")
    known = simbench.collect_all_simbench_codes()
    if code not in known:
        nearest = did_you_mean(code, known).partition("Allowed:")[0]
        raise InputError(
            f"{where}.simbench_code",
            f"SimBench has no grid {code!r}",
            f"{nearest}Low-voltage grids: {', '.join(SIMBENCH_LV)}; their future with --1 or --2"
            " for --0.",
        )
    net = simbench.get_simbench_net(code)
    is_undefined = net.trafo.tap_changer_type.isna()
    is_moved = is_undefined & (net.trafo.tap_pos != net.trafo.tap_neutral)
    net.trafo["tap_changer_type"] = net.trafo.tap_changer_type.where(~is_undefined, "Ratio")
    return net, [str(name) for name in net.trafo.name[is_moved]]


def pandapower_file_feeder(path: Path, where: str = "network") -> Feeder:
    """Load a network that was saved with `pandapower.to_json`.

    Args:
        path: The file.
        where: Field of the scenario, for messages.

    Raises:
        InputError: If the file is missing or is not a pandapower network, or the network has
            elements that a feeder cannot represent.
    """
    versions = _package_versions(("pandapower",), "grid", f"{where}.kind")
    place = f"{where}.file {path.name}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            place, f"the file cannot be read ({error.strerror})", "Correct the path."
        ) from error

    def build() -> Feeder:
        return from_pandapower(_parse_network(content, place), path.stem, place).feeder

    # The name is part of the feeder, and therefore of the key.
    digest = hashlib.sha256(content).hexdigest()[:32]
    return cached_feeder(("file", path.stem, digest, *versions), build)


def _parse_network(content: bytes, where: str) -> "pandapowerNet":
    pandapower = importlib.import_module("pandapower")
    fix = "Save a network with pandapower.to_json(net, file)."
    try:
        net = pandapower.from_json_string(content.decode())
    except Exception as error:  # The readers of pandapower raise errors of any type.
        reason = f"{type(error).__name__}: {error}"
        raise InputError(where, f"pandapower cannot read it ({reason})", fix) from error
    if not isinstance(net, pandapower.pandapowerNet):
        raise InputError(where, "the file holds no pandapower network", fix)
    return net


def _package_versions(packages: tuple[str, ...], extra: str, where: str) -> list[str]:
    """Return name and version of each package without importing it, which would take seconds."""
    try:
        return [f"{package}-{version(package)}" for package in packages]
    except PackageNotFoundError as error:
        raise InputError(
            where,
            f"the network needs the package {error.name}, which is not installed",
            f"Run: pip install 'prosumax[{extra}]'",
        ) from error
