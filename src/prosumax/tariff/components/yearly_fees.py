"""Fixed fees per home and year, of which a period pays its share."""

from collections.abc import Iterable

from jaxtyping import Float

from prosumax.scenario.schema.tariff import Fee, tariff_components, total_fee
from prosumax.tariff.component import (
    Array,
    BillingPeriod,
    MeteredEnergy,
    PlanTerms,
    TariffComponent,
)
from prosumax.tariff.statement import StatementLine


@tariff_components.register("supplier_fee", "Fixed fee of the supplier per year.")
class SupplierFee(TariffComponent):
    """Subscription of the supplier."""

    order = 50
    item = "supplier_fee"
    title = "fixed fee"
    receiver = "supplier"
    step_item = "supplier_fee"
    bill_labels = {"supplier_fee_per_year": "Subscription"}

    supplier_fee_per_year: Fee = 0.0
    """Fixed fee per home, before VAT."""

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return a line for each entry of the fee."""
        return self.fee_lines(
            "supplier_fee_per_year", float(period.home_years[home]), "year", period
        )

    def plan_terms(self, period: BillingPeriod) -> PlanTerms:
        """Return the fee, which plans cannot change."""
        return PlanTerms(fixed_fee=total_fee(self.supplier_fee_per_year) * period.home_years)


@tariff_components.register("network_fee", "Fixed fee of the network operator per year.")
class NetworkFee(TariffComponent):
    """Fixed fee of the network operator, such as metering and data management."""

    order = 51
    item = "network_fee"
    title = "fixed fee"
    receiver = "network_operator"
    step_item = "network_fee"
    bill_labels = {"network_fee_per_year": "Fixed network fee"}

    network_fee_per_year: Fee = 0.0
    """Fixed fee per home, before VAT."""

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return a line for each entry of the fee."""
        return self.fee_lines(
            "network_fee_per_year", float(period.home_years[home]), "year", period
        )

    def plan_terms(self, period: BillingPeriod) -> PlanTerms:
        """Return the fee, which plans cannot change."""
        return PlanTerms(fixed_fee=total_fee(self.network_fee_per_year) * period.home_years)


@tariff_components.register("levies_fee", "Fixed levies per year.")
class YearlyLevies(TariffComponent):
    """Fixed levies, settled after the period."""

    order = 52
    item = "levies_per_year"
    title = "fixed levies"
    receiver = "government"
    bill_labels = {"levies_per_year": "Fixed levy"}

    levies_per_year: Fee = 0.0
    """Fixed levy per home, before VAT."""

    def amount(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, " home"]:
        """Return the levies over the period."""
        return total_fee(self.levies_per_year) * period.home_years

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return a line for each entry of the levies."""
        return self.fee_lines("levies_per_year", float(period.home_years[home]), "year", period)

    def plan_terms(self, period: BillingPeriod) -> PlanTerms:
        """Return the levies, which plans cannot change."""
        return PlanTerms(fixed_fee=total_fee(self.levies_per_year) * period.home_years)
