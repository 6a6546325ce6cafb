"""Price that the supplier pays for exported energy."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from prosumax.scenario.schema.tariff import Price, tariff_components
from prosumax.tariff.component import (
    BillingPeriod,
    EnergyCharge,
    MeteredEnergy,
    TariffComponent,
    TariffPrices,
)
from prosumax.tariff.statement import StatementLine, money_line


@tariff_components.register("feed_in", "Price that the supplier pays per exported kWh.")
class FeedIn(TariffComponent):
    """Price that the supplier pays for every kWh that a home does not sell to another."""

    order = 90
    item = "feed_in"
    title = "sold to the grid"
    receiver = "supplier"
    bears_vat = False
    step_item = "feed_in"
    price_fields = ("feed_in",)
    bill_labels = {"feed_in": "Sent to the grid"}

    feed_in: Price
    """Price paid to the home per exported kWh."""

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the price as a negative charge on energy sold to the supplier."""
        for label, price, hours in self.price_entries("feed_in", prices):
            yield EnergyCharge(label, -price, "sold", hours)

    def lines(
        self, period: BillingPeriod, energy: MeteredEnergy, home: int
    ) -> Iterable[StatementLine]:
        """Return one line with the revenue, after net metering."""
        label = self.bill_labels["feed_in"]
        sold_kwh = energy.sold[:, home]
        price = sum(period.prices.series["feed_in"].values(), np.zeros(len(sold_kwh)))
        revenue = float(sold_kwh @ price)
        kwh = float(sold_kwh.sum())
        if energy.net_metering is not None:
            kwh -= float(energy.net_metering.netted_kwh[:, home].sum())
            revenue -= float(energy.net_metering.lost_feed_in[home])
        for line in money_line(self.receiver, label, -revenue, -kwh):
            yield replace(line, is_mean_price=bool(np.ptp(price) > 0))
