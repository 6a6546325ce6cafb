"""Source `table`: a column of a file."""

from pathlib import Path
from typing import Literal

from jaxtyping import Float

from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.readers.tables import read_table
from prosumax.data.registry import limit_sources, load_sources, price_sources, solar_sources

_SUMMARY = "Column of a CSV or Parquet file."


@load_sources.register("table", _SUMMARY)
@solar_sources.register("table", _SUMMARY)
@limit_sources.register("table", _SUMMARY)
@price_sources.register("table", _SUMMARY)
class TableSource(Source):
    """A column of a CSV or Parquet file; read by `prosumax.data.readers.tables`."""

    source: Literal["table"]
    file: Path
    """Relative to the scenario file."""
    column: str | None = None
    """Column of a wide table, or the home's name in `id_column` of a long table."""
    id_column: str | None = None
    value_column: str | None = None
    time_column: str | None = None
    unit: Literal["kWh", "Wh", "kW", "W"] | None = None
    """Defaults to the unit in the header (`load_kwh`, `Load [kW]`)."""
    time_zone: str | None = None
    """Time zone of timestamps without offset; defaults to that of the period."""
    fill: Literal["none", "interpolate", "zero"] = "none"
    """Treatment of gaps, which are an error by default."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Read the column over the period."""
        values, notes = read_table(
            self.file,
            context.index,
            column=self.column,
            id_column=self.id_column,
            value_column=self.value_column,
            time_column=self.time_column,
            unit=self.unit,
            time_zone=self.time_zone or context.time_zone,
            fill=self.fill,
            quantity=context.quantity,
            where=context.where,
        )
        context.note(*notes)
        return values
