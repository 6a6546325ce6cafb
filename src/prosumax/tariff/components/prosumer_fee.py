"""Network fee of homes with net metering."""

from collections.abc import Iterable

from jaxtyping import Float

from prosumax.config import NonNegative
from prosumax.scenario.schema.tariff import tariff_components
from prosumax.tariff.component import (
    Array,
    BillingPeriod,
    MeteredEnergy,
    PlanTerms,
    TariffComponent,
)
from prosumax.tariff.statement import StatementLine, fixed_line


@tariff_components.register("prosumer_fee", "Network fee of homes with net metering.")
class ProsumerFee(TariffComponent):
    """Network fee per kW of the inverter of homes with net metering."""

    order = 70
    item = "prosumer_fee"
    title = "prosumer fee"
    receiver = "network_operator"

    prosumer_fee_per_kw_year: NonNegative = 0.0
    """Network fee of homes with `net_metering_kw`, before VAT."""

    def amount(self, period: BillingPeriod, energy: MeteredEnergy) -> Float[Array, " home"]:
        """Return the fee of each home's inverter."""
        return self.prosumer_fee_per_kw_year * period.home_years * period.net_metering_kw

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return one line with the power of the inverter."""
        return fixed_line(
            self.receiver,
            "Prosumer fee, inverter",
            float(period.net_metering_kw[home]),
            "kW",
            self.prosumer_fee_per_kw_year * float(period.home_years[home]),
            period.vat,
        )

    def plan_terms(self, period: BillingPeriod) -> PlanTerms:
        """Return the fee, which plans cannot change."""
        return PlanTerms(
            fixed_fee=self.prosumer_fee_per_kw_year * period.net_metering_kw * period.home_years
        )
