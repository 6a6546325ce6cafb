"""SimBench profiles, if the package is installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.errors import InputError

BRUSSELS = "Europe/Brussels"


@pytest.fixture(autouse=True)
def isolated_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "cache"))


class TestSimBench:
    """Tests with the installed package."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        if find_spec("simbench") is None:
            pytest.skip("simbench is not installed")

    def test_load_profile_reproduces_the_year_2016(self) -> None:
        from prosumax.data.readers.simbench import simbench_load

        year = pd.date_range("2015-12-31 23:00", periods=366 * 96, freq="15min", tz="UTC")
        kwh = simbench_load("H0-A", 3500.0, year, "Etc/GMT-1")
        assert kwh.sum() == pytest.approx(3500.0, rel=1e-6)  # In 2016 every day takes itself.
        hourly = simbench_load("H0-A", 3500.0, year[::4], "Etc/GMT-1")
        np.testing.assert_allclose(hourly, kwh.reshape(-1, 4).sum(axis=1))

    def test_pv_profile_is_scaled_to_the_annual_energy(self) -> None:
        from prosumax.data.readers.simbench import simbench_solar

        year = pd.date_range("2016-01-01", periods=366 * 24, freq="60min", tz="UTC")
        kwh = simbench_solar("PV5", 950.0, year)
        assert kwh.sum() == pytest.approx(950.0, rel=1e-6)
        noon = (kwh * year.hour.to_numpy()).sum() / kwh.sum() + 0.5
        assert noon == pytest.approx(11.2, abs=0.5)  # UTC, at some 10 degrees east.

    def test_unknown_profile_is_rejected(self) -> None:
        from prosumax.data.readers.simbench import simbench_load, simbench_solar

        week = pd.date_range("2016-01-04", periods=96 * 7, freq="15min", tz="UTC")
        with pytest.raises(InputError, match="no profile 'H0-X'"):
            simbench_load("H0-X", 1000.0, week, BRUSSELS)
        with pytest.raises(InputError, match="no profile 'WP4'"):
            simbench_solar("WP4", 1000.0, week)
        for profile in ("Air_Parallel_1", "HLS_A_11.0"):
            assert simbench_load(profile, 3000.0, week, BRUSSELS).sum() > 0


def test_missing_simbench_package_is_reported_with_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prosumax.data.readers import simbench

    monkeypatch.setattr(simbench, "find_spec", lambda name: None)
    week = pd.date_range("2016-01-04", periods=96, freq="15min", tz="UTC")
    with pytest.raises(InputError, match=r"pip install 'prosumax\[simbench\]'"):
        simbench.simbench_load("H0-A", 1000.0, week, BRUSSELS)
