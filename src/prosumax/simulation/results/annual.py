"""What is settled after the period: monthly peaks, net metering, fees by the year, and levies free of VAT."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax import tariff
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.tariff import total_fee
from prosumax.simulation.inputs import Profiles

Array = NDArray[np.float64]
_HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True)
class PeriodSettlement:
    """Bills of the period, with all that no single step knows.

    Attributes:
        years: length of the period; fees by the year count so often.
        bill: sums over the steps, less what net metering cancels [home].
        alone: the same total without exchange, and with the fees below [home].
        bought_kwh, sold_kwh: traded with the grid [step, home].
        peaks: of each month, kW [month, home].
        covered: share of each calendar month that the period covers [month].
        capacity, prosumer, levies: fees before VAT [home].
        cancelled: by net metering; None where nobody has it.
    """

    years: float
    bill: tariff.Bill
    bill_without_exchange: Float[Array, " home"]
    bought_kwh: Float[Array, "step home"]
    sold_kwh: Float[Array, "step home"]
    monthly_peaks_kw: Float[Array, "month home"]
    month_coverage: Float[Array, " month"]
    capacity_charge: Float[Array, " home"]
    prosumer_fee: Float[Array, " home"]
    annual_levies: Float[Array, " home"]
    net_metering: tariff.NetMeteringResult | None

    @property
    def mean_peak_kw(self) -> Float[Array, " home"]:
        """Mean of the monthly peaks; a month counts by its share in the period."""
        mean: Array = self.month_coverage @ self.monthly_peaks_kw / self.month_coverage.sum()
        return mean

    @property
    def fees(self) -> Float[Array, " home"]:
        """All fees before VAT."""
        return self.capacity_charge + self.prosumer_fee + self.annual_levies


def settle_period(scenario: Scenario, profiles: Profiles, exact: Any) -> PeriodSettlement:
    """Settle what the steps could not.

    Arguments:
        scenario, profiles: what was run.
        exact: the trajectory in double precision.
    """
    terms, record, hours = scenario.tariff, exact.record, scenario.period.step_hours
    rest = record.flows.net_kwh - record.local.bought_kwh + record.local.sold_kwh
    bought, sold = np.maximum(rest, 0), np.maximum(-rest, 0)
    bill = tariff.Bill(*(np.asarray(item).sum(0) for item in record.bill))
    bill = _split_levies(scenario, profiles, bill, bought, record.local.bought_kwh)
    years = len(rest) * hours / _HOURS_PER_YEAR
    calendar, covered = tariff.meter_calendar(profiles.local_index, hours)
    peaks = tariff.monthly_peaks(
        record.flows.import_kwh, calendar, hours, terms.min_billed_peak_kw
    )
    inverter_kw = np.array([home.net_metering_kw or 0.0 for home in scenario.homes])
    fees = (
        tariff.capacity_charge(peaks, covered, terms.capacity_charge_per_kw_year),
        terms.prosumer_fee_per_kw_year * years * inverter_kw,
        np.full(len(inverter_kw), total_fee(terms.levies_per_year) * years),
    )
    alone = exact.bill_alone.sum(0) + sum(fees) * (1 + terms.vat)
    cancelled = None
    if inverter_kw.any():
        series = [profiles.prices[name] for name in ("energy", "network", "levies", "feed_in")]
        register, metered = tariff.assign_registers(*series), (inverter_kw > 0).astype(float)
        cancelled = tariff.apply_net_metering(bought, sold, register, series[-1], metered)
        bill = _less(scenario, profiles, bill, cancelled)
        flows = record.flows
        by_itself = tariff.apply_net_metering(
            flows.import_kwh, flows.export_kwh, register, series[-1], metered
        )
        nothing = tariff.Bill(*(np.zeros_like(alone) for _ in bill))
        alone = alone + _less(scenario, profiles, nothing, by_itself).total
    return PeriodSettlement(years, bill, alone, bought, sold, peaks, covered, *fees, cancelled)


def _split_levies(
    scenario: Scenario, profiles: Profiles, bill: tariff.Bill, bought: Array, bought_locally: Array
) -> tariff.Bill:
    """Levies free of VAT enter the steps as what costs as much before VAT; here levies and VAT get what is theirs."""
    free = sum(profiles.charges["vat_exempt_levies"].values(), np.zeros(len(bought)))
    money = free @ (bought + scenario.tariff.local_levies_share * bought_locally)
    too_much = money * scenario.tariff.vat / (1 + scenario.tariff.vat)
    return bill._replace(levies=bill.levies + too_much, vat=bill.vat - too_much)


def _less(
    scenario: Scenario, profiles: Profiles, bill: tariff.Bill, cancelled: tariff.NetMeteringResult
) -> tariff.Bill:
    """A bill without the charges on energy that net metering cancels, and without the feed-in for it."""
    _, first = np.unique(cancelled.register, return_index=True)
    free = sum(profiles.charges["vat_exempt_levies"].values(), np.zeros(len(cancelled.register)))
    vat = scenario.tariff.vat
    taxed = profiles.prices["levies"] - free / (1 + vat)
    money = {
        name: price[first] @ cancelled.netted_kwh
        for name, price in (
            ("energy", profiles.prices["energy"]),
            ("network", profiles.prices["network"]),
            ("levies", taxed),
        )
    }
    return bill._replace(
        energy=bill.energy - money["energy"],
        network=bill.network - money["network"],
        levies=bill.levies - money["levies"] - free[first] @ cancelled.netted_kwh,
        vat=bill.vat - vat * sum(money.values()),
        feed_in=bill.feed_in - cancelled.lost_feed_in,
    )
