"""Source `day_ahead`: prices of the day-ahead market."""

from pathlib import Path
from typing import Literal

from jaxtyping import Float

from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.generators.day_ahead import synthetic_day_ahead_eur_per_mwh
from prosumax.data.registry import price_sources
from prosumax.data.sources.table import TableSource


@price_sources.register("day_ahead", "Price linked to the day-ahead market.")
class DayAheadPrice(Source):
    """A price linked to the day-ahead market: `factor` times the market price plus `offset`."""

    source: Literal["day_ahead"]
    factor: float = 1.0
    offset: float = 0.0
    """Per kWh; negative in most contracts for feed-in."""
    file: Path | None = None
    """Table of market prices; typical Belgian days when absent."""
    column: str | None = None
    time_column: str | None = None
    time_zone: str | None = None
    price_per: Literal["MWh", "kWh"] = "MWh"
    """Energy unit of the prices in the file."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Return the price of the contract."""
        return self.factor * self._market_price(context) + self.offset

    def _market_price(self, context: SourceContext) -> Float[Array, " step"]:
        """Return the day-ahead price per kWh."""
        if self.file is None:
            context.note(
                "day-ahead prices are synthetic Belgian prices; set `file` in the tariff to use "
                "actual prices"
            )
            seed = context.community_seed("market")
            return synthetic_day_ahead_eur_per_mwh(context.local_index, seed) / 1000
        columns = self.model_dump(include={"file", "column", "time_column", "time_zone"})
        price = TableSource(source="table", **columns).read(context)
        return price / (1000 if self.price_per == "MWh" else 1)
