"""Levies per kWh with and without VAT, with a discount on local energy."""

from collections.abc import Iterable

from prosumax.config import Fraction
from prosumax.scenario.schema.tariff import Charge, tariff_components
from prosumax.tariff.component import (
    EnergyCharge,
    TariffComponent,
    TariffPrices,
    charges_with_local_share,
)


@tariff_components.register("levies", "Levies and excise per kWh, reduced on local energy.")
class Levies(TariffComponent):
    """Levies on energy from the supplier, and in part on local energy."""

    order = 30
    item = "levies"
    title = "levies"
    receiver = "government"
    step_item = "levies"
    price_fields = ("levies",)
    bill_labels = {"levies": "Levies"}

    levies: Charge = 0.0
    """Levies and excise per kWh."""
    local_levies: Fraction = 1.0
    """Fraction of the levies due on local energy, those without VAT included."""

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the levy of every entry on energy from the supplier, then on local energy."""
        return charges_with_local_share(self.price_entries("levies", prices), self.local_levies)


@tariff_components.register("vat_exempt_levies", "Levies per kWh without VAT.")
class VatExemptLevies(TariffComponent):
    """Levies without VAT, due on local energy in the same part as other levies."""

    order = 31
    item = "levies"
    title = "levies"
    receiver = "government"
    bears_vat = False
    step_item = "levies"
    price_fields = ("vat_exempt_levies",)
    bill_labels = {"vat_exempt_levies": "Levies free of VAT"}

    vat_exempt_levies: Charge = 0.0
    """Levies per kWh without VAT."""

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the levy of every entry on energy from the supplier, then on local energy."""
        share = prices.tariff.component(Levies).local_levies
        return charges_with_local_share(self.price_entries("vat_exempt_levies", prices), share)
