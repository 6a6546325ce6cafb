"""Fees that an energy community charges its members."""

from collections.abc import Iterable

from jaxtyping import Float

from prosumax.scenario.schema.tariff import Charge, Fee, tariff_components, total_fee
from prosumax.tariff.component import (
    Array,
    BillingPeriod,
    EnergyCharge,
    MeteredEnergy,
    PlanTerms,
    TariffComponent,
    TariffPrices,
)
from prosumax.tariff.statement import StatementLine


@tariff_components.register("community_fee", "Fees of the community per month and shared kWh.")
class CommunityFee(TariffComponent):
    """Fee of the community per member and month, and per kWh that a member buys from another.

    A home without exchange is no member and pays none.
    """

    order = 110
    item = "community_fee"
    title = "community fee"
    receiver = "community"
    bears_vat = False
    price_fields = ("community_fee_per_kwh",)
    bill_labels = {
        "community_fee_per_month": "Membership",
        "community_fee_per_kwh": "Fee on shared energy",
    }

    community_fee_per_month: Fee = 0.0
    """Fee of each member per calendar month, as paid (with VAT if the community charges it)."""
    community_fee_per_kwh: Charge = 0.0
    """Fee per kWh bought from another home, as paid."""

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the fee per kWh on energy from other homes."""
        for label, price, hours in self.price_entries("community_fee_per_kwh", prices):
            yield EnergyCharge(label, price, "bought_locally", hours)

    def amount(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, " home"]:
        """Return the fee on shared energy plus the membership."""
        amount = super().amount(period, energy)
        return amount + self._member_fee(period) if energy.is_shared else amount

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return the lines of the membership, then those of the fee per kWh."""
        if energy.is_shared:
            months = float(period.home_months[:, home].sum())
            yield from self.fee_lines("community_fee_per_month", months, "month", period)
        yield from super().lines(period, energy, home)

    def plan_terms(self, period: BillingPeriod) -> PlanTerms:
        """Return the membership; plans know the fee per kWh from `energy_charges`."""
        return PlanTerms(member_fee=self._member_fee(period))

    def _member_fee(self, period: BillingPeriod) -> Float[Array, " home"]:
        fee: Array = total_fee(self.community_fee_per_month) * period.home_months.sum(0)
        return fee
