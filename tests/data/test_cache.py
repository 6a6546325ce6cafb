"""Series kept as files: whole or not at all, made again when damaged, never taken for other settings."""

import os
from pathlib import Path

import numpy as np
import pytest

from prosumax.data import cache
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.inputs import read_profiles


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path))
    return tmp_path / "profiles"


def test_made_once(folder: Path) -> None:
    made = []

    def make() -> dict[str, np.ndarray]:
        made.append(1)
        return {"kwh": np.arange(3.0)}

    for key in ({"seed": 1}, {"seed": 1}, {"seed": 2}):
        np.testing.assert_array_equal(cache.load_or_compute("load", key, make)["kwh"], np.arange(3.0))
    assert len(made) == 2
    first = sorted(folder.iterdir())[0]
    first.write_bytes(first.read_bytes()[:50])  # a disk that was full
    cache.load_or_compute("load", {"seed": 1}, make)
    cache.load_or_compute("load", {"seed": 2}, make)
    assert len(made) == 3


def test_who_is_interrupted_leaves_no_half_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.np, "savez", stop)
    with pytest.raises(KeyboardInterrupt):
        cache.load_or_compute("load", {}, lambda: {"kwh": np.ones(2)})
    assert list(folder.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "file"))
    np.testing.assert_array_equal(
        cache.load_or_compute("load", {}, lambda: {"kwh": np.ones(2)})["kwh"], np.ones(2)
    )


def test_a_scenario_is_read_the_same_from_the_cache(folder: Path) -> None:
    scenario = load_scenario("street", {"period.steps": 96 * 3})
    first = read_profiles(scenario)
    files = len(list(folder.iterdir()))
    assert files == 8 + 5  # homes and roofs
    again = read_profiles(scenario)
    np.testing.assert_array_equal(again.load_kwh, first.load_kwh)
    np.testing.assert_array_equal(again.solar_kwh, first.solar_kwh)
    assert again.end_use_kwh == first.end_use_kwh
    other = read_profiles(load_scenario("street", {"period.steps": 96 * 3, "seed": 2}))
    assert len(list(folder.iterdir())) == 2 * files
    assert not np.array_equal(other.load_kwh, first.load_kwh)


def test_what_was_not_asked_for_longest_goes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> dict[str, np.ndarray]:
        return {"kwh": np.zeros(1000)}

    for seed in (1, 2):
        cache.load_or_compute("load", {"seed": seed}, make)
    size = next(folder.iterdir()).stat().st_size
    for path in folder.iterdir():
        os.utime(path, (0, 0))  # clocks of files tick slowly
    monkeypatch.setattr(cache, "MOST_BYTES", 2 * size + 10)
    cache.load_or_compute("load", {"seed": 1}, make)
    cache.load_or_compute("load", {"seed": 3}, make)
    assert len(list(folder.iterdir())) == 2
    cache.load_or_compute("load", {"seed": 1}, lambda: pytest.fail("it was asked for after 2"))
