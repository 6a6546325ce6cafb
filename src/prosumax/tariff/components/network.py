"""Network charge per kWh, with a discount on local energy."""

from collections.abc import Iterable

from pydantic import model_validator

from prosumax.scenario.schema.tariff import Charge, Share, tariff_components
from prosumax.tariff.component import (
    EnergyCharge,
    TariffComponent,
    TariffPrices,
    charges_with_local_share,
)


@tariff_components.register("network", "Network charge per kWh, reduced on local energy.")
class NetworkCharge(TariffComponent):
    """Network charge on energy from the supplier, and in part on local energy."""

    order = 20
    item = "network"
    title = "network"
    receiver = "network_operator"
    step_item = "network"
    price_fields = ("network",)
    bill_labels = {"network": "Network"}

    network: Charge = 0.0
    """Network charge per kWh."""
    local_network: Share = 1.0
    """Fraction of the network charge due on local energy; or one for each `locality`."""
    locality: str | None = None
    """Proximity of the members, a name in `local_network` (Brussels: A, B, C, D)."""

    @model_validator(mode="after")
    def _check_locality(self) -> "NetworkCharge":
        shares = self.local_network
        if isinstance(shares, dict) and self.locality not in shares:
            raise ValueError(
                f"`locality` must be one of {', '.join(shares)}, the names in `local_network`"
            )
        if self.locality is not None and not isinstance(shares, dict):
            raise ValueError(
                "`locality` requires a share for each locality in `local_network`, such as "
                "{A: 0, B: 0.5}"
            )
        return self

    @property
    def local_share(self) -> float:
        """Fraction of the network charge due on local energy in the community's locality."""
        shares = self.local_network
        return shares[self.locality or ""] if isinstance(shares, dict) else shares

    def energy_charges(self, prices: TariffPrices) -> Iterable[EnergyCharge]:
        """Return the charge of every entry on energy from the supplier, then on local energy."""
        return charges_with_local_share(self.price_entries("network", prices), self.local_share)
