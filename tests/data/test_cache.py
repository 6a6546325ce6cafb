"""Disk cache of series: atomic entries, recovery from damage, and pruning."""

import os
from pathlib import Path

import numpy as np
import pytest

from prosumax.data import cache
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.inputs import read_profiles


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path))
    return tmp_path / "profiles"


def test_series_is_computed_once_per_key(cache_folder: Path) -> None:
    calls = []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"kwh": np.arange(3.0)}

    for key in ({"seed": 1}, {"seed": 1}, {"seed": 2}):
        np.testing.assert_array_equal(
            cache.load_or_compute("load", key, compute)["kwh"], np.arange(3.0)
        )
    assert len(calls) == 2
    entry = sorted(cache_folder.iterdir())[0]
    entry.write_bytes(entry.read_bytes()[:50])  # A truncated entry.
    cache.load_or_compute("load", {"seed": 1}, compute)
    cache.load_or_compute("load", {"seed": 2}, compute)
    assert len(calls) == 3


def test_interrupted_write_leaves_no_file(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.np, "savez", stop)
    with pytest.raises(KeyboardInterrupt):
        cache.load_or_compute("load", {}, lambda: {"kwh": np.ones(2)})
    assert list(cache_folder.iterdir()) == []


def test_unwritable_cache_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "file"))
    np.testing.assert_array_equal(
        cache.load_or_compute("load", {}, lambda: {"kwh": np.ones(2)})["kwh"], np.ones(2)
    )


def test_cached_profiles_equal_generated_profiles(cache_folder: Path) -> None:
    scenario = load_scenario("street", {"period.steps": 96 * 3})
    first = read_profiles(scenario)
    files = len(list(cache_folder.iterdir()))
    assert files == 8 + 5  # Homes and PV systems.
    again = read_profiles(scenario)
    np.testing.assert_array_equal(again.load_kwh, first.load_kwh)
    np.testing.assert_array_equal(again.solar_kwh, first.solar_kwh)
    assert again.end_use_kwh == first.end_use_kwh
    other = read_profiles(load_scenario("street", {"period.steps": 96 * 3, "seed": 2}))
    assert len(list(cache_folder.iterdir())) == 2 * files
    assert not np.array_equal(other.load_kwh, first.load_kwh)


def test_least_recently_used_entry_is_deleted_first(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute() -> dict[str, np.ndarray]:
        return {"kwh": np.zeros(1000)}

    for seed in (1, 2):
        cache.load_or_compute("load", {"seed": seed}, compute)
    size = next(cache_folder.iterdir()).stat().st_size
    for path in cache_folder.iterdir():
        os.utime(path, (0, 0))  # File times have a coarse resolution.
    monkeypatch.setattr(cache, "MAX_CACHE_BYTES", 2 * size + 10)
    cache.load_or_compute("load", {"seed": 1}, compute)
    cache.load_or_compute("load", {"seed": 3}, compute)
    assert len(list(cache_folder.iterdir())) == 2
    cache.load_or_compute("load", {"seed": 1}, lambda: pytest.fail("seed 1 was used after seed 2"))
