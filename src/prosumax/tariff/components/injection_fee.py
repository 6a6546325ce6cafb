"""Fees of the network operator on exported energy."""

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


@tariff_components.register("injection_fee", "Fees of the network operator on exports.")
class InjectionFee(TariffComponent):
    """Fee per kWh exported at the meter, sold locally or not, and per year of homes with PV."""

    order = 75
    item = "injection_fee"
    title = "injection fee"
    receiver = "network_operator"
    price_fields = ("injection_fee_per_kwh",)
    bill_labels = {
        "injection_fee_per_kwh": "Injection fee",
        "injection_fee_per_year": "Fixed injection fee",
    }

    injection_fee_per_kwh: Charge = 0.0
    """Fee per kWh exported at the meter, also if another home buys it, before VAT."""
    injection_fee_per_year: Fee = 0.0
    """Fixed fee of homes with a PV system, before VAT."""

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the fee per exported kWh."""
        for label, price, hours in self.price_entries("injection_fee_per_kwh", prices):
            yield EnergyCharge(label, price, "exported", hours)

    def amount(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, " home"]:
        """Return the fee on exports plus the fixed fee."""
        return super().amount(period, energy) + self._fixed_fee(period)

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return the lines of the fee per kWh, then those of the fixed fee."""
        yield from super().lines(period, energy, home)
        if period.has_solar[home]:
            years = float(period.home_years[home])
            yield from self.fee_lines("injection_fee_per_year", years, "year", period)

    def plan_terms(self, period: BillingPeriod) -> PlanTerms:
        """Return the fixed fee; plans know the fee per kWh from `energy_charges`."""
        return PlanTerms(fixed_fee=self._fixed_fee(period))

    def _fixed_fee(self, period: BillingPeriod) -> Float[Array, " home"]:
        fee: Array = total_fee(self.injection_fee_per_year) * period.home_years * period.has_solar
        return fee
