"""Small communities made of given numbers, so that no data and little time is needed."""

from typing import Any

from prosumax.viz.chart import Figure

PV = [0.0] * 7 + [0.5, 1.0, 1.5, 2.0, 2.5, 2.5, 2.0, 1.5, 1.0, 0.5] + [0.0] * 7
LOAD = [0.2] * 6 + [0.6, 0.8, 0.4, 0.3, 0.3, 0.5, 0.6, 0.3, 0.3, 0.4, 0.6, 1.0, 1.4]
LOAD += [1.2, 0.9, 0.6, 0.4, 0.3]

TARIFF: dict[str, Any] = {
    "energy": 0.2,
    "network": 0.1,
    "levies": 0.05,
    "vat": 0.06,
    "feed_in": 0.04,
    "emission_factor_kg_per_kwh": 0.2,
}


def values(numbers: list[float]) -> dict[str, Any]:
    """Return a profile given by its numbers."""
    return {"source": "values", "values": numbers}


def home(name: str, load: float = 1.0, pv: float = 0.0, battery: float = 0.0) -> dict[str, Any]:
    """Return a home with a day that repeats, scaled."""
    made: dict[str, Any] = {"name": name, "load": values([load * value for value in LOAD])}
    if pv:
        made["solar"] = values([pv * value for value in PV])
    if battery:
        made["battery"] = {"capacity_kwh": battery, "charge_kw": battery / 2}
    return made


STREET = [
    home("Big roof", 0.4, 2.0),
    home("Small roof", 1.0, 0.5),
    home("Plain", 1.5),
    home("Other", 0.7),
]


def base_of_figure(figure: Figure) -> dict[str, Any]:
    """Return the option itself, without its variants for other widths."""
    option: dict[str, Any] = figure.option.get("baseOption", figure.option)
    return option


def amount(text: str) -> float:
    """Read a number of a table."""
    number = text.replace(",", "").replace("\u2212", "-").split("\u00a0")[0]
    return float(number)
