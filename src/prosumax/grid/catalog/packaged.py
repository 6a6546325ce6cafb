"""Networks that come with pandapower and SimBench, and a user's own pandapower file."""

import hashlib
import importlib
import random
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from prosumax.errors import InputError, did_you_mean
from prosumax.grid.catalog.cache import cached
from prosumax.grid.catalog.pandapower_import import from_pandapower
from prosumax.grid.feeder import Feeder

CREATORS = {
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
"""Kind -> function of pandapower.networks."""

SIMBENCH_LV = (
    "1-LV-rural1--0-no_sw",
    "1-LV-rural2--0-no_sw",
    "1-LV-rural3--0-no_sw",
    "1-LV-semiurb4--0-no_sw",
    "1-LV-semiurb5--0-no_sw",
    "1-LV-urban6--0-no_sw",
)
"""The six low-voltage grids of SimBench as they are today; --1 and --2 are their near and far future."""

_DRAW = 1


def packaged_feeder(kind: str, where: str = "network") -> Feeder:
    """One of the benchmark networks of pandapower.

    Arguments:
        kind: one of `CREATORS`.
        where: field that asks, for messages.

    Raises:
        InputError: pandapower is not installed.
    """
    versions = _versions(("pandapower",), "grid", f"{where}.kind")

    def build() -> Feeder:
        return from_pandapower(create(kind), kind, where).feeder

    return cached((kind, *versions), build)


def create(kind: str) -> Any:
    """The pandapower network of a kind, the same every time: some draw cables from Python's global generator."""
    creator: Callable[[], Any] = getattr(
        importlib.import_module("pandapower.networks"), CREATORS[kind]
    )
    state = random.getstate()
    random.seed(_DRAW)
    try:
        return creator()
    finally:
        random.setstate(state)


def simbench_feeder(code: str, where: str = "network") -> Feeder:
    """A grid of SimBench by its code, with its loads but without its generators and storage: homes bring their own.

    The tap positions of the data are in effect. SimBench was published with pandapower 2, which let them act; since
    pandapower 3 they act only where the data name a kind of tap changer, which SimBench's leave out.

    Arguments:
        code: such as "1-LV-rural1--0-no_sw".
        where: field that asks, for messages.

    Raises:
        InputError: SimBench is not installed, or has no such grid.
    """
    versions = _versions(("pandapower", "simbench"), "simbench", f"{where}.kind")

    def build() -> Feeder:
        net, moved = simbench_net(code, where)
        left_out = 1000.0 * float(net.sgen.p_mw.sum())
        net.sgen["in_service"] = net.storage["in_service"] = False
        feeder = from_pandapower(net, f"SimBench {code}", where).feeder
        return _with_notes(
            feeder,
            "SimBench data, (c) the SimBench consortium, Open Database License 1.0 (simbench.de):"
            " name the source, and share changed data under the same licence.",
            f"Its generators ({left_out:.0f} kW) and storage are left out of the nominal loads.",
            *(
                [f"The tap positions of {', '.join(moved)} act, as when SimBench was published."]
                if moved
                else []
            ),
        )

    return cached(("simbench", code, *versions), build)


def simbench_net(code: str, where: str = "network") -> tuple[Any, list[str]]:
    """The pandapower network of a SimBench code, and the names of the transformers whose taps were made to act."""
    simbench = importlib.import_module("simbench")
    known = simbench.collect_all_simbench_codes()
    if code not in known:
        near = did_you_mean(code, known).partition("Allowed:")[0]
        raise InputError(
            f"{where}.code",
            f"SimBench has no grid {code!r}",
            f"{near}Low-voltage grids: {', '.join(SIMBENCH_LV)}; their future with --1 or --2 for --0.",
        )
    net = simbench.get_simbench_net(code)
    unsaid = net.trafo.tap_changer_type.isna()
    moved = unsaid & (net.trafo.tap_pos != net.trafo.tap_neutral)
    net.trafo["tap_changer_type"] = net.trafo.tap_changer_type.where(~unsaid, "Ratio")
    return net, [str(name) for name in net.trafo.name[moved]]


def file_feeder(path: Path, where: str = "network") -> Feeder:
    """A network that the user saved with `pandapower.to_json`.

    Arguments:
        path: the file.
        where: field that asks, for messages.

    Raises:
        InputError: no such file, no pandapower network in it, or one that a feeder cannot hold.
    """
    versions = _versions(("pandapower",), "grid", f"{where}.kind")
    place = f"{where}.file {path.name}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            place, f"cannot be read ({error.strerror})", "Correct the path."
        ) from error

    def build() -> Feeder:
        return from_pandapower(_read_json(content, place), path.stem, place).feeder

    # The name is part of the feeder, so it is part of the key.
    return cached(("file", path.stem, hashlib.sha256(content).hexdigest()[:32], *versions), build)


def _read_json(content: bytes, place: str) -> Any:
    pandapower = importlib.import_module("pandapower")
    cure = "Save a network with pandapower.to_json(net, file)."
    try:
        net = pandapower.from_json_string(content.decode())
    except (
        Exception
    ) as error:  # whatever pandapower's readers and converters trip over in a foreign file
        raise InputError(
            place, f"pandapower cannot read it ({type(error).__name__}: {error})", cure
        ) from error
    if not isinstance(net, pandapower.pandapowerNet):
        raise InputError(place, "holds no pandapower network", cure)
    return net


def _with_notes(feeder: Feeder, *notes: str) -> Feeder:
    return replace(feeder, notes=(*feeder.notes, *notes))


def _versions(packages: tuple[str, ...], extra: str, where: str) -> list[str]:
    """Name and version of each package without importing it, which would take seconds."""
    try:
        return [f"{package}-{version(package)}" for package in packages]
    except PackageNotFoundError as error:
        raise InputError(
            where,
            f"this network needs the package {error.name}, which is not installed",
            f"Run: pip install 'prosumax[{extra}]'",
        ) from error
