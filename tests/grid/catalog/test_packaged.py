"""Networks of pandapower and SimBench, pandapower files, and their cache."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pp = pytest.importorskip("pandapower")

from prosumax.errors import InputError  # noqa: E402
from prosumax.grid.catalog import packaged as module  # noqa: E402
from prosumax.grid.catalog.cache import (
    cached_feeder,
    read_feeder,
    write_feeder,  # noqa: E402
)
from prosumax.grid.catalog.loading import load_feeder  # noqa: E402
from prosumax.grid.catalog.packaged import (
    PANDAPOWER_CREATORS,
    SIMBENCH_LV,
    create_network,  # noqa: E402
)
from prosumax.grid.catalog.pandapower_import import from_pandapower
from prosumax.grid.feeder import Feeder  # noqa: E402
from prosumax.scenario.schema.network import NetworkConfig  # noqa: E402


def load(kind: str, **fields: Any) -> Feeder:
    return load_feeder(NetworkConfig(kind=kind, **fields), homes=4, seed=0)  # type: ignore[arg-type]


def assert_same(one: Feeder, other: Feeder) -> None:
    for mine, theirs in ((one, other), (one.branches, other.branches)):
        for field in dataclasses.fields(mine):
            a, b = getattr(mine, field.name), getattr(theirs, field.name)
            if isinstance(a, np.ndarray):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)
            elif not dataclasses.is_dataclass(a):
                assert a == b
                assert type(a) is type(b)


@pytest.mark.parametrize(
    ("kind", "buses", "load_kw"),
    [
        ("cigre_lv", 41, 686.6),
        ("case33bw", 33, 3715.0),
        ("kerber_landnetz_freileitung_1", 15, 104.0),
        ("kerber_landnetz_kabel_2", 30, 112.0),
        ("kerber_dorfnetz", 116, 342.0),
        ("kerber_vorstadtnetz_kabel_1", 294, 292.0),
    ],
)
def test_size_and_load_of_pandapower_networks(kind: str, buses: int, load_kw: float) -> None:
    feeder = load(kind)
    assert len(feeder.buses) == buses
    assert len(feeder.branches.name) == buses - 1
    assert feeder.load_kw.sum() == pytest.approx(load_kw, rel=1e-3)
    assert "substation" in feeder.zone


def test_random_cables_are_reproducible() -> None:
    kind = "kerber_vorstadtnetz_kabel_1"
    again = from_pandapower(create_network(kind)).feeder.branches
    np.testing.assert_array_equal(load(kind).branches.series_pu, again.series_pu)
    ends = np.unique(
        np.round(again.series_pu / np.maximum(again.length_km, 1e-9), 6)[~again.is_transformer]
    )
    assert len(ends) == 3  # main cable, and two kinds of house connection that are drawn


def test_simbench_feeder_and_its_cache() -> None:
    pytest.importorskip("simbench")
    feeder = load("simbench")
    assert feeder.name == "SimBench 1-LV-rural1--0-no_sw"
    assert len(feeder.buses) == 15
    assert (feeder.load_kw > 0).sum() == 13
    assert feeder.load_kw.min() == 0  # generators are left out
    assert feeder.source_voltage_pu == 1.025
    assert any("Open Database License" in note for note in feeder.notes)
    again = load("simbench")  # from the cache
    assert_same(feeder, again)


@pytest.mark.slow
@pytest.mark.parametrize("code", [*SIMBENCH_LV, "1-LV-rural1--2-no_sw", "1-LV-urban6--2-sw"])
def test_every_low_voltage_grid_of_simbench(code: str) -> None:
    pytest.importorskip("simbench")
    feeder = load("simbench", simbench_code=code)
    assert feeder.load_kw.sum() > 0
    if code == "1-LV-rural1--2-no_sw":
        assert any("tap positions" in note for note in feeder.notes)


def test_unknown_simbench_codes_raise_an_error() -> None:
    pytest.importorskip("simbench")
    with pytest.raises(
        InputError, match=r"network\.simbench_code: SimBench has no grid .*1-LV-rural2--0-no_sw"
    ) as caught:
        load("simbench", simbench_code="1-LV-rural1--0-nosw")
    assert "Did you mean '1-LV-rural1--0-no_sw'" in caught.value.fix
    assert len(caught.value.fix) < 400


@pytest.mark.parametrize(("kind", "extra"), [("cigre_lv", "grid"), ("simbench", "simbench")])
def test_missing_packages_raise_an_error(
    kind: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", missing)
    with pytest.raises(InputError, match="needs the package pandapower") as caught:
        load(kind)
    assert caught.value.fix == f"Run: pip install 'prosumax[{extra}]'"


# --- users' files


def test_pandapower_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "my street.json"
    pp.to_json(create_network("cigre_lv"), str(path))
    feeder = load("pandapower", file=path)
    assert feeder.name == "my street"
    np.testing.assert_allclose(feeder.branches.series_pu, load("cigre_lv").branches.series_pu)


def test_ignored_taps_are_noted(tmp_path: Path) -> None:
    net = create_network("kerber_dorfnetz")
    net.trafo["tap_pos"], net.trafo["tap_changer_type"] = 2.0, None
    pp.to_json(net, str(tmp_path / "net.json"))
    feeder = load("pandapower", file=tmp_path / "net.json")
    assert any("no effect, as in pandapower" in note for note in feeder.notes)
    np.testing.assert_array_equal(feeder.branches.ratio, 1.0)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("no json", "cannot read it"),
        ("", "cannot read it|holds no pandapower network"),
        ('{"a": 1}', "holds no pandapower network|cannot read it"),
        ("[1, 2]", "holds no pandapower network|cannot read it"),
    ],
)
def test_invalid_files_raise_an_error(tmp_path: Path, content: str, pattern: str) -> None:
    (tmp_path / "net.json").write_text(content)
    with pytest.raises(InputError, match=pattern) as caught:
        load("pandapower", file=tmp_path / "net.json")
    assert caught.value.where == "network.file net.json"


def test_missing_files_raise_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"network\.file none\.json: the file cannot be read"):
        load("pandapower", file=tmp_path / "none.json")


# --- cache


def counted(feeder: Feeder, calls: list[int]) -> Any:
    def build() -> Feeder:
        calls.append(1)
        return feeder

    return build


def test_cached_feeders_are_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path))
    for kind in ("case33bw", "ieee34"):
        feeder, calls = load(kind), []
        for _ in range(2):
            assert_same(cached_feeder((kind, "a b/../c"), counted(feeder, calls)), feeder)
        assert len(calls) == 1
    kept = sorted(path.name for path in (tmp_path / "feeders").iterdir())
    assert len(kept) == 3  # case33bw under its own key, too
    assert not any(name.startswith(".") for name in kept)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", None])
def test_damaged_cache_is_rebuilt(
    damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path))
    feeder, calls = load("ieee13"), []
    cached_feeder(("x",), counted(feeder, calls))
    (file,) = (tmp_path / "feeders").iterdir()
    file.write_bytes(file.read_bytes()[:-300] if damage is None else damage)
    assert_same(cached_feeder(("x",), counted(feeder, calls)), feeder)
    assert len(calls) == 2
    assert_same(read_feeder(file), feeder)


def test_cache_of_another_format_is_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path))
    feeder, calls = load("ieee13"), []
    cached_feeder(("x",), counted(feeder, calls))
    (file,) = (tmp_path / "feeders").iterdir()
    np.savez(file, surprise=np.zeros(3))
    cached_feeder(("x",), counted(feeder, calls))
    assert len(calls) == 2


def test_an_unwritable_cache_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "file"))
    assert len(load("cigre_lv").buses) == 41


def test_failed_writes_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feeder = load("ieee13")
    monkeypatch.setattr(
        np, "savez_compressed", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        write_feeder(feeder, tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


def test_cached_feeders_do_not_import_pandapower(shared_cache: Path) -> None:
    load("cigre_lv")
    code = (
        "import sys; from prosumax.grid.catalog import load_feeder;"
        "from prosumax.scenario import NetworkConfig;"
        "load_feeder(NetworkConfig(kind='cigre_lv'), 3, 0);"
        "load_feeder(NetworkConfig(kind='ieee34'), 3, 0);"
        "sys.exit('pandapower' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_creators_are_network_kinds_of_the_scenario() -> None:
    kinds = NetworkConfig.model_fields["kind"].annotation
    assert all(kind in str(kinds) for kind in PANDAPOWER_CREATORS)
