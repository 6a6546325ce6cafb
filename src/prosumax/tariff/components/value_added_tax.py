"""Value added tax."""

from prosumax.config import Fraction
from prosumax.scenario.schema.tariff import tariff_components
from prosumax.tariff.component import TariffComponent


@tariff_components.register("vat", "Value added tax on all components that bear it.")
class ValueAddedTax(TariffComponent):
    """Value added tax; the other components state whether they bear it."""

    order = 100
    item = "vat"
    title = "VAT"
    receiver = "government"
    bears_vat = False
    step_item = "vat"

    vat: Fraction = 0.0
    """Value added tax rate."""
