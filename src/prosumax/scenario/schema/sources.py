"""Schema of series that are read from files or given as numbers."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from prosumax.scenario.schema.base import StrictModel


class TableSource(StrictModel):
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


class CityLearnSource(StrictModel):
    """A series of a CityLearn data set."""

    source: Literal["citylearn"]
    dataset: str
    """Name of a data set (fetched on first use) or its folder."""
    building: str | None = None
    skip_rows: Annotated[int, Field(ge=0)] = 0
    """Rows of the data set before the first step of the period."""


class ValuesSource(StrictModel):
    """Numbers in the scenario itself, for small examples and tests."""

    source: Literal["values"]
    values: Annotated[list[float], Field(min_length=1)]
    """One value per step, or fewer that are repeated; kWh per step, or a price."""
