"""The objective of a plan equals the bills of the run that follows it, under random tariffs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prosumax
from tests.optimization.test_exact import random_scenario


def random_plannable_tariff(seed):
    """Sample all components that a linear program can express; local energy is always worth it."""
    rng = np.random.default_rng(seed)

    def amount(high):
        return float(rng.uniform(0, high))

    return {
        "feed_in": {"source": "values", "values": rng.uniform(0.0, 0.05, 12).round(3).tolist()},
        "levies": {"Excise": amount(0.05)},
        "vat_exempt_levies": amount(0.02),
        "local_levies": amount(1),
        "supplier_fee_per_year": {"Subscription": amount(200)},
        "network_fee_per_year": amount(100),
        "levies_per_year": amount(50),
        "capacity_charge_per_kw_year": amount(3000),
        "min_billed_peak_kw": amount(1),
        "injection_fee_per_kwh": {"Injection": amount(0.03)},
        "injection_fee_per_year": amount(100),
        "community_fee_per_month": {"Membership": amount(200)},
        "community_fee_per_kwh": amount(0.02),
    }


def check_objective_equals_bills(seed):
    """Compare the optimum alone and together with the bills of the runs that follow the plans."""
    source = random_scenario(seed, **random_plannable_tariff(seed))
    source["objective"] = {}
    alone = prosumax.run(source | {"policy": "optimal"}, optimum=True)
    assert alone.kpis["community_revenue"] == 0
    assert alone.kpis["individual_optimum"] == pytest.approx(alone.kpis["cost"], abs=2e-3)
    market = {"mechanism": "mid_market_rate"}
    together = prosumax.run(
        source | {"policy": "community-optimal", "market": market}, optimum=True
    )
    assert together.kpis["community_revenue"] > 0
    assert together.kpis["community_optimum"] == pytest.approx(together.kpis["cost"], abs=2e-3)
    for optimum in ("individual_optimum", "community_optimum"):
        # The bound is lower by the cost of holding the batteries against self-discharge.
        bound = together.kpis[f"{optimum}_bound"]
        assert together.kpis[optimum] - 0.02 < bound < together.kpis[optimum] + 2e-3


def test_objective_of_a_plan_equals_the_bills():
    check_objective_equals_bills(7)


@pytest.mark.slow
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_objective_of_any_plan_equals_the_bills(seed):
    check_objective_equals_bills(seed)
