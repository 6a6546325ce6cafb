"""Schema of planning policies and of discrete battery powers."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prosumax.config import NonNegative, StrictModel


class ControlConfig(StrictModel):
    """Settings of planning policies and of discrete battery powers."""

    horizon_hours: Annotated[float, Field(gt=0, le=24 * 14)] = 24.0
    """Prediction horizon of `mpc`."""
    forecast: Literal["perfect", "persistence", "noisy"] = "perfect"
    """Forecast of load and PV generation of `mpc`: exact, previous day, or exact plus noise."""
    forecast_error: NonNegative = 0.2
    """Standard deviation of the noisy forecast at the end of the horizon.

    In units of the home's mean absolute net energy; it grows with the root of the lead time."""
    power_levels: Annotated[int, Field(ge=2, le=1001)] | None = None
    """Number of evenly spaced battery powers; any power when absent. MAHTM uses 40."""
    max_c_rate: Annotated[float, Field(gt=0, le=10)] = 0.9
    """Largest power level as a fraction of the capacity per hour."""
    zero_level: bool = False
    """Whether to add a level of exactly zero, which an even number of levels lacks."""

    @model_validator(mode="after")
    def _check_zero_level(self) -> "ControlConfig":
        if self.zero_level and self.power_levels is None:
            raise ValueError("zero_level requires power_levels")
        return self
