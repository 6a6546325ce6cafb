"""Costs of a tariff that optimal plans consider beside the prices per kWh."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.scenario.schema.tariff import TariffConfig
from prosumax.tariff.component import BillingPeriod, tariff_parts

Array = NDArray[np.float64]


class PlanCosts(NamedTuple):
    """Sum of the terms of all components, VAT included.

    Attributes:
        fixed_fee: Fixed fees of each home over the period.
        member_fee: Fees of the community over the period.
        peak_price: Price per kW of each month's highest import.
        min_peak_kw: Lowest peak that is billed.
    """

    fixed_fee: Float[Array, " home"]
    member_fee: Float[Array, " home"]
    peak_price: Float[Array, " month"]
    min_peak_kw: float


def total_plan_costs(period: BillingPeriod) -> PlanCosts:
    """Add up the costs that optimal plans consider.

    Args:
        period: Period of the bills.
    """
    fixed_fee = np.zeros(period.num_homes)
    member_fee = np.zeros(period.num_homes)
    peak_price = np.zeros(len(period.month_coverage))
    min_peak_kw = 0.0
    for part in tariff_parts(period.prices.tariff):
        terms = part.plan_terms(period)
        if terms is None:
            continue
        gross = 1 + part.vat_rate(period)
        fixed_fee = fixed_fee + gross * terms.fixed_fee
        member_fee = member_fee + gross * terms.member_fee
        if terms.peak_price is not None:
            peak_price = peak_price + gross * terms.peak_price
        min_peak_kw = max(min_peak_kw, terms.min_peak_kw)
    return PlanCosts(fixed_fee, member_fee, peak_price, min_peak_kw)


def unplanned_components(tariff: TariffConfig, period: BillingPeriod) -> list[str]:
    """Return the titles of the components that optimal plans leave out.

    Args:
        tariff: Tariff of the scenario.
        period: Period of the bills.
    """
    return [part.title for part in tariff_parts(tariff) if part.plan_terms(period) is None]
