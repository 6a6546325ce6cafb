"""Energy KPIs and those of CityLearn on cases small enough for pencil and paper."""

import jax.numpy as jnp
import numpy as np
import pytest

from prosumax import metrics
from prosumax.types import Fills, Flows, StorageFlow

# Two homes, four hours. Home 0 has PV and a battery of 4 kWh, home 1 only load.
NET = np.array([[-2.0, 1.0], [-1.0, 2.0], [0.5, 1.0], [2.0, 0.0]])
LOAD = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 1.0], [2.0, 0.0]])
SOLAR = np.array([[4.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
CHARGE = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
DISCHARGE = np.array([[0.0, 0.0], [0.0, 0.0], [0.5, 0.0], [0.0, 0.0]])
# Home 0 sells to home 1.
SHARED = np.array([1.0, 1.0, 0.0, 0.0])
CARBON = np.array([0.1, 0.2, 0.3, 0.4])


def make_example(xp=np):
    """Return flows and local trade as arrays of a namespace."""
    zeros = np.zeros_like(NET)
    battery = StorageFlow(*(xp.asarray(part) for part in (CHARGE, DISCHARGE, zeros, zeros)))
    parts = (LOAD, SOLAR, np.maximum(NET, 0), np.maximum(-NET, 0), zeros)
    flows = Flows(*(xp.asarray(part) for part in parts), devices={"battery": battery})
    bought, sold = np.stack([zeros[:, 0], SHARED], 1), np.stack([SHARED, zeros[:, 0]], 1)
    return flows, Fills(*(xp.asarray(part) for part in (bought, sold, zeros, zeros)))


def test_home_kpis_by_hand():
    kpis = metrics.home_kpis(*make_example(), CARBON, np.array([4.0, 0.0]), 1.0)
    assert kpis["import_kwh"].tolist() == [2.5, 4.0]
    assert kpis["grid_import_kwh"].tolist() == [2.5, 2.0]
    assert kpis["export_kwh"].tolist() == [3.0, 0.0]
    assert kpis["self_consumption"][0] == pytest.approx(1 - (3 - 2) / 6)
    assert np.isnan(kpis["self_consumption"][1])
    assert kpis["self_sufficiency"].tolist() == pytest.approx([1 - 2.5 / 5, 1 - 2 / 4])
    assert kpis["peak_kw"].tolist() == [2.0, 2.0]
    assert kpis["peak_export_kw"].tolist() == [2.0, 0.0]
    assert kpis["emissions_kg"].tolist() == pytest.approx([0.5 * 0.3 + 2 * 0.4, 1 * 0.2 + 1 * 0.3])
    assert kpis["battery_cycles"].tolist() == pytest.approx([1.5 / 8, 0.0])


def test_community_kpis_by_hand():
    """The meter of the community reads -1, 1, 1.5 and 2."""
    kpis = metrics.community_kpis(*make_example(), CARBON, 0.5)
    assert (kpis["import_kwh"], kpis["export_kwh"]) == (4.5, 1.0)
    assert (kpis["home_import_kwh"], kpis["home_export_kwh"], kpis["traded_kwh"]) == (6.5, 3.0, 2.0)
    assert (kpis["grid_import_kwh"], kpis["grid_export_kwh"]) == (4.5, 1.0)
    assert kpis["self_consumption"] == kpis["self_consumption_physical"] == pytest.approx(1 - 1 / 6)
    assert (
        kpis["self_sufficiency"] == kpis["self_sufficiency_physical"] == pytest.approx(1 - 4.5 / 9)
    )
    assert (kpis["peak_kw"], kpis["peak_export_kw"]) == (4.0, 2.0)  # half-hour steps
    assert kpis["load_factor"] == pytest.approx(3.5 / 4 / 2)
    assert kpis["ramping_kw"] == pytest.approx(2 * (2 + 0.5 + 0.5))
    assert kpis["reverse_flow_hours"] == 0.5
    assert kpis["emissions_kg"] == pytest.approx(0 + 1 * 0.2 + 1.5 * 0.3 + 2 * 0.4)
    assert kpis["emissions_with_export_credit_kg"] == pytest.approx(-0.1 + 0.2 + 0.45 + 0.8)


def test_citylearn_kpis_by_hand():
    """One window of a day; home 0 saves with its battery, home 1 has none."""
    baseline = LOAD - SOLAR  # -3 1 / -1 2 / 1 1 / 2 0
    kpis = metrics.citylearn_kpis(NET, baseline, np.full(4, 0.2), CARBON, 1.0)
    assert kpis["electricity_consumption_total"] == pytest.approx((2.5 / 3 + 1) / 2)
    assert kpis["cost_total"] == pytest.approx((2.5 / 3 + 1) / 2)
    assert kpis["carbon_emissions_total"] == pytest.approx(((0.15 + 0.8) / (0.3 + 0.8) + 1) / 2)
    assert kpis["zero_net_energy"] == pytest.approx((-0.5 / -1 + 1) / 2)
    assert kpis["ramping_average"] == pytest.approx((2 + 0.5 + 0.5) / (3 + 1 + 0))
    assert kpis["daily_peak_average"] == kpis["all_time_peak_average"] == pytest.approx(2 / 2)
    assert kpis["daily_one_minus_load_factor_average"] == pytest.approx((1 - 3.5 / 8) / (1 - 3 / 8))
    # Relative benefits 100/6 % and 0: Gini of (0, x) over two homes is one half.
    assert kpis["equity_gini"] == pytest.approx(0.5)
    assert kpis["equity_top_20_percent_share"] == pytest.approx(1.0)
    assert kpis["equity_losers_percent"] == 0


@pytest.mark.parametrize("net", [0.0, -1.0])
def test_a_day_without_imports_has_no_load_factor(net):
    """0 / 0 without load and -1 / 0 where exports pause are undefined and give no warning."""
    flat = np.full((24, 2), net)
    flat[0] = 0
    kpis = metrics.citylearn_kpis(flat, flat, np.full(24, 0.2), np.full(24, 0.1), 1.0)
    assert np.isnan(kpis["daily_one_minus_load_factor_average"])
    assert np.isnan(kpis["monthly_one_minus_load_factor_average"])


def test_jax_and_numpy_agree():
    plain = metrics.community_kpis(*make_example(), CARBON, 0.5)
    jitted = metrics.community_kpis(*make_example(jnp), jnp.asarray(CARBON), 0.5)
    for name, value in plain.items():
        assert float(jitted[name]) == pytest.approx(float(value), rel=1e-6), name
