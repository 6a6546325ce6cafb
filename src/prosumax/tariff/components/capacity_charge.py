"""Charge on the highest import power of each month."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from prosumax.config import NonNegative
from prosumax.scenario.schema.tariff import tariff_components
from prosumax.tariff.capacity import capacity_charge, monthly_peaks
from prosumax.tariff.component import (
    Array,
    BillingPeriod,
    MeteredEnergy,
    PlanTerms,
    TariffComponent,
)
from prosumax.tariff.statement import StatementLine, fixed_line

_MONTHS_PER_YEAR = 12


@tariff_components.register("capacity_charge", "Charge on the mean of the monthly peaks.")
class CapacityCharge(TariffComponent):
    """Charge on the mean of the monthly peaks, a twelfth of the annual rate for each month.

    References:
        The Flemish capacity tariff of 2023 (VREG): quarter-hours, at least 2.5 kW, imports only, so
        that energy sharing does not reduce it.
    """

    order = 60
    item = "capacity_charge"
    title = "capacity charge"
    receiver = "network_operator"

    capacity_charge_per_kw_year: NonNegative = 0.0
    """Charge on the mean of the monthly peaks of quarter-hour import, before VAT."""
    min_billed_peak_kw: NonNegative = 0.0
    """Lower bound of a billed monthly peak (2.5 kW in Flanders)."""

    def peaks_kw(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, "month home"]:
        """Return the billed peak of each month.

        Args:
            period: Period of the bill.
            energy: Energy of all homes.
        """
        return monthly_peaks(
            energy.imported, period.calendar, period.step_hours, self.min_billed_peak_kw
        )

    def monthly_price(self, period: BillingPeriod) -> Float[Array, " month"]:
        """Return the price per kW of each month's peak, before VAT.

        Args:
            period: Period of the bill.
        """
        price: Array = self.capacity_charge_per_kw_year / _MONTHS_PER_YEAR * period.month_coverage
        return price

    def monthly_amount(
        self, period: BillingPeriod, energy: MeteredEnergy
    ) -> Float[Array, "month home"]:
        """Return the charge on the peak of each month, before VAT.

        Args:
            period: Period of the bill.
            energy: Energy of all homes.
        """
        rate = self.capacity_charge_per_kw_year / _MONTHS_PER_YEAR
        charge: Array = rate * period.home_months * self.peaks_kw(period, energy)
        return charge

    def amount(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, " home"]:
        """Return the charge on the peaks of all months."""
        peaks_kw = self.peaks_kw(period, energy)
        return capacity_charge(peaks_kw, period.home_months, self.capacity_charge_per_kw_year)

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return one line with the mean peak."""
        months = np.count_nonzero(period.home_months[:, home])
        minutes = round(60 * period.step_hours)
        label = "Highest quarter-hour" if minutes <= 15 else f"Highest {minutes} minutes"
        if months > 1:
            interval = "quarter-hours" if minutes <= 15 else f"{minutes} minutes"
            label = f"Mean of the highest {interval} of {months} months"
        covered_months = float(period.home_months[:, home].sum())
        mean_peak_kw = period.mean_of_months(self.peaks_kw(period, energy))
        return fixed_line(
            self.receiver,
            label,
            float(mean_peak_kw[home]),
            "kW",
            self.capacity_charge_per_kw_year * (covered_months / _MONTHS_PER_YEAR),
            period.vat,
        )

    def plan_terms(self, period: BillingPeriod) -> PlanTerms:
        """Return the price of each month's peak."""
        if not self.capacity_charge_per_kw_year:
            return PlanTerms(min_peak_kw=self.min_billed_peak_kw)
        return PlanTerms(peak_price=self.monthly_price(period), min_peak_kw=self.min_billed_peak_kw)

    def notes(self, step_minutes: int) -> Iterable[str]:
        """Warn that long steps understate the peaks."""
        if self.capacity_charge_per_kw_year and step_minutes > 15:
            yield (
                "the capacity charge is based on quarter-hours; steps of "
                f"{step_minutes} minutes show lower peaks than a meter does"
            )
