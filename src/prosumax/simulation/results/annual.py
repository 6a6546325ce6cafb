"""Settlement of the period: monthly peaks, net metering, annual fees and VAT-exempt levies."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax import tariff
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.tariff import total_fee
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.rollout import Trajectory

Array = NDArray[np.float64]

_HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True)
class PeriodSettlement:
    """Bills of the period with all items that no single step determines.

    Attributes:
        years: Length of the period in years, the multiple of annual fees.
        bill: Sums over the steps after net metering.
        bill_without_exchange: Total without local exchange, fees included.
        bought_kwh: Energy bought from the grid.
        sold_kwh: Energy sold to the grid.
        monthly_peaks_kw: Billed peak of each month.
        month_coverage: Fraction of each calendar month that the period covers.
        capacity_charge: Charge on monthly peaks, before VAT.
        prosumer_fee: Fee of homes with net metering, before VAT.
        annual_levies: Fixed levies, before VAT.
        net_metering: Energy offset by net metering; None where no home has it.
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
        """Mean of the monthly peaks, weighted by the coverage of the months."""
        mean: Array = self.month_coverage @ self.monthly_peaks_kw / self.month_coverage.sum()
        return mean

    @property
    def fees(self) -> Float[Array, " home"]:
        """Sum of capacity charge, prosumer fee and annual levies, before VAT."""
        return self.capacity_charge + self.prosumer_fee + self.annual_levies


def settle_period(scenario: Scenario, profiles: Profiles, exact: Trajectory) -> PeriodSettlement:
    """Settle the items of the bills that depend on the whole period.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        exact: Results of all steps in double precision, NumPy arrays.
    """
    terms = scenario.tariff
    record = exact.record
    hours = scenario.period.step_hours
    imported = np.asarray(record.flows.import_kwh)
    exported = np.asarray(record.flows.export_kwh)
    bought_locally = np.asarray(record.local.bought_kwh)
    grid_kwh = np.asarray(record.flows.grid_kwh(record.local))
    bought = np.maximum(grid_kwh, 0)
    sold = np.maximum(-grid_kwh, 0)
    bill = tariff.Bill(*(np.asarray(item).sum(0) for item in record.bill))
    bill = _separate_exempt_levies(scenario, profiles, bill, bought, bought_locally)
    years = len(grid_kwh) * hours / _HOURS_PER_YEAR
    calendar, coverage = tariff.meter_calendar(profiles.local_index, hours)
    peaks = tariff.monthly_peaks(imported, calendar, hours, terms.min_billed_peak_kw)
    inverter_kw = np.array([home.net_metering_kw or 0.0 for home in scenario.homes])
    capacity_charge = tariff.capacity_charge(peaks, coverage, terms.capacity_charge_per_kw_year)
    prosumer_fee = terms.prosumer_fee_per_kw_year * years * inverter_kw
    annual_levies = np.full(len(inverter_kw), total_fee(terms.levies_per_year) * years)
    fees = capacity_charge + prosumer_fee + annual_levies
    without_exchange = exact.standalone_bill.sum(0) + fees * (1 + terms.vat)
    net_metering = None
    if inverter_kw.any():
        names = ("energy", "network", "levies", "feed_in")
        register = tariff.assign_registers(*(profiles.prices[name] for name in names))
        feed_in = profiles.prices["feed_in"]
        metered = (inverter_kw > 0).astype(float)
        net_metering = tariff.apply_net_metering(bought, sold, register, feed_in, metered)
        bill = _subtract_netted(scenario, profiles, bill, net_metering)
        standalone = tariff.apply_net_metering(imported, exported, register, feed_in, metered)
        zero_bill = tariff.Bill(*(np.zeros_like(without_exchange) for _ in bill))
        reduction = _subtract_netted(scenario, profiles, zero_bill, standalone)
        without_exchange = without_exchange + reduction.total
    return PeriodSettlement(
        years=years,
        bill=bill,
        bill_without_exchange=without_exchange,
        bought_kwh=bought,
        sold_kwh=sold,
        monthly_peaks_kw=peaks,
        month_coverage=coverage,
        capacity_charge=capacity_charge,
        prosumer_fee=prosumer_fee,
        annual_levies=annual_levies,
        net_metering=net_metering,
    )


def _separate_exempt_levies(
    scenario: Scenario,
    profiles: Profiles,
    bill: tariff.Bill,
    bought: Float[Array, "step home"],
    bought_locally: Float[Array, "step home"],
) -> tariff.Bill:
    """Move the VAT that the steps compute on VAT-exempt levies to the levies.

    The simulation steps have VAT-exempt levies as the amount before VAT with the same cost.
    """
    exempt = _exempt_levies(profiles, len(bought))
    amount = exempt @ (bought + scenario.tariff.local_levies * bought_locally)
    excess_vat = amount * scenario.tariff.vat / (1 + scenario.tariff.vat)
    return bill._replace(levies=bill.levies + excess_vat, vat=bill.vat - excess_vat)


def _subtract_netted(
    scenario: Scenario,
    profiles: Profiles,
    bill: tariff.Bill,
    net_metering: tariff.NetMeteringResult,
) -> tariff.Bill:
    """Subtract the charges on offset purchases and the revenue of the offsetting exports."""
    _, first = np.unique(net_metering.register, return_index=True)
    netted_kwh = net_metering.netted_kwh
    vat = scenario.tariff.vat
    exempt = _exempt_levies(profiles, len(net_metering.register))
    taxed_levies = profiles.prices["levies"] - exempt / (1 + vat)
    energy = profiles.prices["energy"][first] @ netted_kwh
    network = profiles.prices["network"][first] @ netted_kwh
    levies = taxed_levies[first] @ netted_kwh
    return bill._replace(
        energy=bill.energy - energy,
        network=bill.network - network,
        levies=bill.levies - levies - exempt[first] @ netted_kwh,
        vat=bill.vat - vat * (energy + network + levies),
        feed_in=bill.feed_in - net_metering.lost_feed_in,
    )


def _exempt_levies(profiles: Profiles, steps: int) -> Float[Array, " step"]:
    """Sum the VAT-exempt levies per kWh."""
    return sum(profiles.charges["vat_exempt_levies"].values(), np.zeros(steps))
