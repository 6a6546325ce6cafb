"""Price of the supplier per kWh."""

from collections.abc import Iterable

from prosumax.scenario.schema.tariff import Charge, tariff_components
from prosumax.tariff.component import EnergyCharge, TariffComponent, TariffPrices


@tariff_components.register("energy", "Price of the supplier per kWh.")
class EnergyPrice(TariffComponent):
    """Price of the supplier on every kWh that it delivers."""

    order = 10
    item = "energy"
    title = "energy"
    receiver = "supplier"
    step_item = "energy"
    price_fields = ("energy",)
    bill_labels = {"energy": "Energy"}

    energy: Charge
    """Price of the supplier per kWh."""

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the price of every entry on energy from the supplier."""
        for label, price, hours in self.price_entries("energy", prices):
            yield EnergyCharge(label, price, "bought", hours)
