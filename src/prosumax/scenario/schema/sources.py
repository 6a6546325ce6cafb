"""Where a series may come from that is read from data, whatever it is a series of."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from prosumax.scenario.schema.base import StrictModel


class TableSource(StrictModel):
    """A column of the user's own CSV or Parquet file; see `prosumax.data.readers.tables.read_table`."""

    source: Literal["table"]
    file: Path
    """Relative to the scenario file."""
    column: str | None = None
    """Wide table: the column. Long table: the home's name in `id_column`."""
    id_column: str | None = None
    value_column: str | None = None
    time_column: str | None = None
    unit: Literal["kWh", "Wh", "kW", "W"] | None = None
    """Read from the header (`load_kwh`, `Load [kW]`) when absent."""
    time_zone: str | None = None
    """Of time stamps without offset; the period's zone when absent."""
    fill: Literal["none", "interpolate", "zero"] = "none"
    """What to do with gaps; by default they are an error that lists them."""


class CityLearnSource(StrictModel):
    """A series of a CityLearn data set."""

    source: Literal["citylearn"]
    dataset: str
    """Name of a data set (fetched on first use) or a folder that holds one."""
    building: str | None = None
    skip_rows: Annotated[int, Field(ge=0)] = 0
    """Rows of the data set before the first step of the period."""


class ValuesSource(StrictModel):
    """The numbers themselves: for small examples and tests."""

    source: Literal["values"]
    values: Annotated[list[float], Field(min_length=1)]
    """One per step (kWh per step for a load or a roof, a price otherwise), or fewer, then repeated."""
