"""Itemized bill statements of a run."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.sources.prices.time_of_use import TimeOfUsePrice
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.tariff import BILL_ITEM_LABELS, charge_components
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.annual import PeriodSettlement
from prosumax.simulation.rollout import Trajectory
from prosumax.tariff.statement import (
    BillStatement,
    StatementLine,
    fixed_line,
    kwh_lines,
    mean_line,
    money_line,
)

Array = NDArray[np.float64]

_RECEIVER = {
    "energy": "supplier",
    "network": "network_operator",
    "levies": "government",
    "vat_exempt_levies": "government",
}


def make_statements(
    scenario: Scenario,
    profiles: Profiles,
    exact: Trajectory,
    settled: PeriodSettlement,
    redistribution: Float[Array, " home"],
) -> list[BillStatement]:
    """Create the statement of every home from the energy and prices of every step.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        exact: Results of all steps in double precision, NumPy arrays.
        settled: Settlement of the period.
        redistribution: Money that the mechanism charges after the period.
    """
    return [
        _HomeStatement(scenario, profiles, exact, settled, number).make(float(amount))
        for number, amount in enumerate(redistribution)
    ]


@dataclass(frozen=True)
class _HomeStatement:
    """The data behind the statement of one home, and the groups of its lines."""

    scenario: Scenario
    profiles: Profiles
    exact: Trajectory
    settled: PeriodSettlement
    number: int

    def make(self, redistribution: float) -> BillStatement:
        period = self.scenario.period
        terms = self.scenario.tariff
        flows = self.exact.record.flows
        net_metering = self.settled.net_metering
        netted_kwh = 0.0 if net_metering is None else net_metering.netted_kwh[:, self.number].sum()
        lines = [
            *self._supplier_lines(),
            *self._network_lines(),
            *self._levy_lines(),
            *self._local_lines(),
            *money_line("mechanism", "Settled by the exchange after the period", redistribution),
        ]
        return BillStatement(
            home=self.scenario.homes[self.number].name,
            tariff=terms.description,
            currency=terms.currency,
            first_day=f"{self.profiles.local_index[0]:%Y-%m-%d}",
            last_day=f"{self.profiles.local_index[-1]:%Y-%m-%d}",
            days=period.steps * period.step_hours / 24,
            vat_rate=terms.vat,
            import_kwh=float(flows.import_kwh[:, self.number].sum()),
            export_kwh=float(flows.export_kwh[:, self.number].sum()),
            netted_kwh=float(netted_kwh),
            lines=lines,
        )

    def _supplier_lines(self) -> Iterator[StatementLine]:
        yield from self._grid_energy_lines("energy")
        yield from self._fee_lines("supplier_fee_per_year", "supplier")
        yield from self._feed_in_lines()

    def _feed_in_lines(self) -> Iterator[StatementLine]:
        price = sum(
            self.profiles.charges["feed_in"].values(), np.zeros(len(self.profiles.local_index))
        )
        sold_kwh = self.settled.sold_kwh[:, self.number]
        revenue = float(sold_kwh @ price)
        kwh = float(sold_kwh.sum())
        net_metering = self.settled.net_metering
        if net_metering is not None:
            kwh -= float(net_metering.netted_kwh[:, self.number].sum())
            revenue -= float(net_metering.lost_feed_in[self.number])
        for line in money_line("supplier", BILL_ITEM_LABELS["feed_in"], -revenue, -kwh):
            yield replace(line, is_mean_price=bool(np.ptp(price) > 0))

    def _network_lines(self) -> Iterator[StatementLine]:
        terms = self.scenario.tariff
        yield from self._grid_energy_lines("network")
        yield from self._local_energy_lines("network", terms.local_network_share)
        yield from self._fee_lines("network_fee_per_year", "network_operator")
        yield from self._capacity_lines()
        inverter_kw = self.scenario.homes[self.number].net_metering_kw or 0.0
        yield from fixed_line(
            "network_operator",
            "Prosumer fee, inverter",
            inverter_kw,
            "kW",
            terms.prosumer_fee_per_kw_year * self.settled.years,
            terms.vat,
        )
        trade_fees = float(self.exact.record.bill.network_fees[:, self.number].sum())
        yield from money_line("network_operator", "Fees on trades with neighbors", trade_fees)

    def _capacity_lines(self) -> Iterator[StatementLine]:
        terms = self.scenario.tariff
        step_minutes = self.scenario.period.step_minutes
        months = len(self.settled.month_coverage)
        if months == 1:
            interval = "quarter-hour" if step_minutes <= 15 else f"{step_minutes} minutes"
            label = f"Highest {interval}"
        else:
            interval = "quarter-hours" if step_minutes <= 15 else f"{step_minutes} minutes"
            label = f"Mean of the highest {interval} of {months} months"
        covered_years = float(self.settled.month_coverage.sum()) / 12
        yield from fixed_line(
            "network_operator",
            label,
            float(self.settled.mean_peak_kw[self.number]),
            "kW",
            terms.capacity_charge_per_kw_year * covered_years,
            terms.vat,
        )

    def _levy_lines(self) -> Iterator[StatementLine]:
        for field in ("levies", "vat_exempt_levies"):
            yield from self._grid_energy_lines(field)
            yield from self._local_energy_lines(field, self.scenario.tariff.local_levies)
        yield from self._fee_lines("levies_per_year", "government")

    def _local_lines(self) -> Iterator[StatementLine]:
        local = self.exact.record.local
        bought_kwh = float(local.bought_kwh[:, self.number].sum())
        sold_kwh = float(local.sold_kwh[:, self.number].sum())
        paid = float(local.paid[:, self.number].sum())
        earned = float(local.earned[:, self.number].sum())
        yield from money_line("mechanism", "Bought from neighbors", paid, bought_kwh)
        yield from money_line("mechanism", "Sold to neighbors", -earned, -sold_kwh)

    def _grid_energy_lines(self, field: str) -> Iterator[StatementLine]:
        """Yield the lines of a charge per kWh on energy from the grid."""
        bought_kwh = self.settled.bought_kwh[:, self.number]
        prices = charge_components(field, getattr(self.scenario.tariff, field))
        net_metering = self.settled.net_metering
        for item, price in self.profiles.charges[field].items():
            netted = None
            if net_metering is not None:
                _, first = np.unique(net_metering.register, return_index=True)
                netted = (net_metering.netted_kwh[:, self.number], price[first])
            labels = _window_labels(prices[item])
            yield from kwh_lines(
                _RECEIVER[field], item, bought_kwh, price, self._vat(field), labels, netted
            )

    def _local_energy_lines(self, field: str, share: float) -> Iterator[StatementLine]:
        """Yield the lines of a charge per kWh on local energy."""
        if share == 0:
            return
        bought_kwh = np.asarray(self.exact.record.local.bought_kwh[:, self.number])
        suffix = "shared" if share == 1 else f"shared at {100 * share:g} %"
        for item, price in self.profiles.charges[field].items():
            label = f"{item}, {suffix}"
            yield from mean_line(
                _RECEIVER[field], label, bought_kwh, price * share, self._vat(field)
            )

    def _fee_lines(self, field: str, receiver: str) -> Iterator[StatementLine]:
        terms = self.scenario.tariff
        for item, fee in charge_components(field, getattr(terms, field)).items():
            yield from fixed_line(receiver, item, self.settled.years, "year", fee, terms.vat)

    def _vat(self, field: str) -> float:
        return 0.0 if field == "vat_exempt_levies" else self.scenario.tariff.vat


def _window_labels(price: object) -> dict[float, str]:
    """Return the hours in which each price of a time-of-use tariff applies, by price."""
    if not isinstance(price, TimeOfUsePrice):
        return {}
    hours: dict[float, list[str]] = {}
    for window in price.windows:
        days = "" if window.days == "all" else f" on {window.days}"
        label = f"{window.from_hour}-{window.to_hour} h{days}"
        hours.setdefault(window.price, []).append(label)
    return {
        value: " and ".join(labels) for value, labels in hours.items() if value != price.default
    }
