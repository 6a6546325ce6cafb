"""Ceiling on the network costs of a month per kWh taken from the grid."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from prosumax.config import Positive
from prosumax.scenario.schema.tariff import tariff_components
from prosumax.tariff.component import (
    Array,
    BillingPeriod,
    MeteredEnergy,
    PlanTerms,
    TariffComponent,
)
from prosumax.tariff.components.capacity_charge import CapacityCharge
from prosumax.tariff.components.network import NetworkCharge
from prosumax.tariff.statement import StatementLine, lump_sum_line


@tariff_components.register("network_ceiling", "Ceiling on network costs per kWh in each month.")
class NetworkCeiling(TariffComponent):
    """Reduction of capacity and network charge to a maximum per imported kWh in each month.

    The fixed network fee is not part of the costs that the ceiling limits. Homes with net metering
    have no ceiling, since it requires a digital meter. Optimal plans leave the ceiling out: the
    lower of two costs is not convex.

    References:
        The maximum tariff of the Flemish regulator (VREG, "maximumtarief"): customers with a
        digital meter who would pay more by the capacity charge and the charges per kWh, data
        management excluded, pay the maximum tariff per kWh instead.
    """

    order = 65
    item = "network_ceiling"
    title = "ceiling on network costs"
    receiver = "network_operator"

    network_ceiling_per_kwh: Positive | None = None
    """Maximum of capacity and network charge per imported kWh of a month, before VAT."""

    def reduction(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, "month home"]:
        """Return the costs of each month above the ceiling, before VAT.

        Args:
            period: Period of the bill.
            energy: Energy of all homes.
        """
        if self.network_ceiling_per_kwh is None:
            return np.zeros((len(period.month_coverage), period.num_homes))
        capacity = period.prices.tariff.component(CapacityCharge)
        network = period.prices.tariff.component(NetworkCharge)
        cost = capacity.monthly_amount(period, energy)
        for charge in network.energy_charges(period.prices):
            cost += period.by_month(charge.price[:, None] * energy.on(charge.basis))
        highest = self.network_ceiling_per_kwh * period.by_month(energy.imported)
        reduction: Array = np.maximum(cost - highest, 0.0) * (period.net_metering_kw == 0)
        return reduction

    def amount(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, " home"]:
        """Return the reduction as a negative charge."""
        amount: Array = -self.reduction(period, energy).sum(0)
        return amount

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return one line with the reduction and the number of months that have one."""
        reduction = self.reduction(period, energy)[:, home]
        months = int((reduction > 0).sum())
        label = f"Maximum tariff, {months} month{'' if months == 1 else 's'}"
        return lump_sum_line(self.receiver, label, -float(reduction.sum()), period.vat)

    def plan_terms(self, period: BillingPeriod) -> PlanTerms | None:
        """Return None for a ceiling, which is not convex."""
        return PlanTerms() if self.network_ceiling_per_kwh is None else None
