"""Settlement of the period: components that no single step determines, and net metering."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax import tariff
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.rollout import Trajectory
from prosumax.tariff.component import (
    BillingPeriod,
    MeteredEnergy,
    TariffComponent,
    TariffPrices,
    tariff_parts,
)
from prosumax.tariff.components.capacity_charge import CapacityCharge
from prosumax.tariff.components.levies import Levies
from prosumax.tariff.prices import surcharge_series, vat_rate

Array = NDArray[np.float64]

_HOURS_PER_YEAR = 8760.0


class SettledComponent(NamedTuple):
    """A component that is settled after the period, before VAT.

    Attributes:
        component: Component of the tariff.
        amount: Charge of each home.
        amount_alone: The same without local exchange.
        vat_rate: VAT rate on the component.
    """

    component: TariffComponent
    amount: Float[Array, " home"]
    amount_alone: Float[Array, " home"]
    vat_rate: float


@dataclass(frozen=True)
class PeriodSettlement:
    """Bills of the period with all items that no single step determines.

    Attributes:
        period: Period of the bills.
        energy: Energy of all homes.
        bill: Sums over the steps after net metering, without `components`.
        components: Components that are settled after the period.
        bill_without_exchange: Total without local exchange, fees included.
        mean_peak_kw: Mean of the monthly peaks, weighted by the billed part of the months.
    """

    period: BillingPeriod
    energy: MeteredEnergy
    bill: tariff.Bill
    components: list[SettledComponent]
    bill_without_exchange: Float[Array, " home"]
    mean_peak_kw: Float[Array, " home"]

    @property
    def vat(self) -> Float[Array, " home"]:
        """VAT on the components that are settled after the period."""
        vat = (part.vat_rate * part.amount for part in self.components)
        return sum(vat, np.zeros(self.period.num_homes))

    @property
    def total(self) -> Float[Array, " home"]:
        """Total of the bill, without what the mechanism settles after the period."""
        return np.asarray(self.bill.total) + _total(self.components, self.period)


def unplanned_costs(
    scenario: Scenario, profiles: Profiles, exact: Trajectory
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Return the parts of the bills that optimal plans leave out, VAT included.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        exact: Results of all steps in double precision, NumPy arrays.

    Returns:
        Cost of each home with and without local exchange.
    """
    settled = settle_period(scenario, profiles, exact)
    left_out = [
        part for part in settled.components if part.component.plan_terms(settled.period) is None
    ]
    alone = [part._replace(amount=part.amount_alone) for part in left_out]
    return _total(left_out, settled.period), _total(alone, settled.period)


def billing_period(scenario: Scenario, profiles: Profiles) -> BillingPeriod:
    """Return the period of the bills of a scenario.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
    """
    hours = scenario.period.step_hours
    calendar, coverage = tariff.meter_calendar(profiles.local_index, hours)
    present = profiles.present
    return BillingPeriod(
        prices=TariffPrices(scenario.tariff, profiles.charges, len(profiles.local_index)),
        years=len(profiles.local_index) * hours / _HOURS_PER_YEAR,
        step_hours=hours,
        calendar=calendar,
        month_coverage=coverage,
        vat=vat_rate(scenario.tariff),
        net_metering_kw=np.array([home.net_metering_kw or 0.0 for home in scenario.homes]),
        has_solar=np.array([home.solar is not None for home in scenario.homes]),
        membership=None if present is None else tariff.month_membership(calendar.month, present),
    )


def settle_period(scenario: Scenario, profiles: Profiles, exact: Trajectory) -> PeriodSettlement:
    """Settle the items of the bills that depend on the whole period.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        exact: Results of all steps in double precision, NumPy arrays.
    """
    period = billing_period(scenario, profiles)
    record = exact.record
    imported = np.asarray(record.flows.import_kwh)
    exported = np.asarray(record.flows.export_kwh)
    grid_kwh = np.asarray(record.flows.grid_kwh(record.local))
    bought = np.maximum(grid_kwh, 0)
    sold = np.maximum(-grid_kwh, 0)
    nothing = np.zeros_like(imported)
    metering = _net_metering(profiles, period, bought, sold)
    energy = MeteredEnergy(
        imported=imported,
        exported=exported,
        bought=bought,
        sold=sold,
        bought_locally=np.asarray(record.local.bought_kwh),
        sold_locally=np.asarray(record.local.sold_kwh),
        is_shared=scenario.market.mechanism != "none",
        net_metering=metering,
    )
    metering_alone = _net_metering(profiles, period, imported, exported)
    alone = MeteredEnergy(
        imported, exported, imported, exported, nothing, nothing, False, metering_alone
    )
    sums: tariff.Bill = jax.tree.map(lambda item: np.asarray(item).sum(0), record.bill)
    bill = _separate_exempt_levies(profiles, period, sums, energy)
    bill = _subtract_surcharges(period, bill, _surcharges(profiles, energy))
    without_exchange = np.asarray(exact.standalone_bill).sum(0) - _surcharges(profiles, alone)
    if metering is not None and metering_alone is not None:
        bill = _subtract_netted(profiles, period, bill, metering)
        zero_bill = tariff.Bill(*(np.zeros_like(without_exchange) for _ in bill))
        reduction = _subtract_netted(profiles, period, zero_bill, metering_alone)
        without_exchange = without_exchange + np.asarray(reduction.total)
    components = [
        SettledComponent(
            part, part.amount(period, energy), part.amount(period, alone), part.vat_rate(period)
        )
        for part in tariff_parts(scenario.tariff)
        if part.step_item is None
    ]
    settled_alone = [part._replace(amount=part.amount_alone) for part in components]
    peaks = scenario.tariff.component(CapacityCharge).peaks_kw(period, energy)
    return PeriodSettlement(
        period=period,
        energy=energy,
        bill=bill,
        components=components,
        bill_without_exchange=without_exchange + _total(settled_alone, period),
        mean_peak_kw=period.mean_of_months(peaks),
    )


def _total(components: list[SettledComponent], period: BillingPeriod) -> Float[Array, " home"]:
    """Add up the amounts of components, VAT included."""
    with_vat = (part.amount * (1 + part.vat_rate) for part in components)
    return sum(with_vat, np.zeros(period.num_homes))


def _net_metering(
    profiles: Profiles,
    period: BillingPeriod,
    bought: Float[Array, "step home"],
    sold: Float[Array, "step home"],
) -> tariff.NetMeteringResult | None:
    """Offset purchases of homes with net metering by their sales; None where no home has it."""
    if not period.net_metering_kw.any():
        return None
    names = ("energy", "network", "levies", "feed_in")
    register = tariff.assign_registers(*(profiles.prices[name] for name in names))
    metered = (period.net_metering_kw > 0).astype(float)
    return tariff.apply_net_metering(bought, sold, register, profiles.prices["feed_in"], metered)


def _surcharges(profiles: Profiles, energy: MeteredEnergy) -> Float[Array, " home"]:
    """Return the surcharges that the bills of the steps contain, VAT included."""
    total = np.zeros(energy.imported.shape[1])
    for basis, price in surcharge_series(profiles.prices).items():
        total += price @ energy.on(basis)
    return total


def _subtract_surcharges(
    period: BillingPeriod, bill: tariff.Bill, surcharges: Float[Array, " home"]
) -> tariff.Bill:
    """Remove the surcharges from the network charges, since their components bill them."""
    amount = surcharges / (1 + period.vat)
    return bill._replace(network=bill.network - amount, vat=bill.vat - period.vat * amount)


def _separate_exempt_levies(
    profiles: Profiles, period: BillingPeriod, bill: tariff.Bill, energy: MeteredEnergy
) -> tariff.Bill:
    """Move the VAT that the steps compute on VAT-exempt levies to the levies.

    The simulation steps have VAT-exempt levies as the amount before VAT with the same cost.
    """
    exempt = _exempt_levies(profiles)
    local_share = period.prices.tariff.component(Levies).local_levies
    amount = exempt @ (energy.bought + local_share * energy.bought_locally)
    excess_vat = amount * period.vat / (1 + period.vat)
    return bill._replace(levies=bill.levies + excess_vat, vat=bill.vat - excess_vat)


def _subtract_netted(
    profiles: Profiles,
    period: BillingPeriod,
    bill: tariff.Bill,
    net_metering: tariff.NetMeteringResult,
) -> tariff.Bill:
    """Subtract the charges on offset purchases and the revenue of the offsetting exports."""
    _, first = np.unique(net_metering.register, return_index=True)
    netted_kwh = net_metering.netted_kwh
    exempt = _exempt_levies(profiles)
    taxed_levies = profiles.prices["levies"] - exempt / (1 + period.vat)
    energy = profiles.prices["energy"][first] @ netted_kwh
    network = profiles.prices["network"][first] @ netted_kwh
    levies = taxed_levies[first] @ netted_kwh
    return bill._replace(
        energy=bill.energy - energy,
        network=bill.network - network,
        levies=bill.levies - levies - exempt[first] @ netted_kwh,
        vat=bill.vat - period.vat * (energy + network + levies),
        feed_in=bill.feed_in - net_metering.lost_feed_in,
    )


def _exempt_levies(profiles: Profiles) -> Float[Array, " step"]:
    """Sum the VAT-exempt levies per kWh."""
    steps = len(profiles.local_index)
    return sum(profiles.charges["vat_exempt_levies"].values(), np.zeros(steps))
