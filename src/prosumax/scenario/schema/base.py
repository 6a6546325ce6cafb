"""Base model and shared number types of the scenario schema."""

from prosumax.config import (
    DayType,
    Fraction,
    HourOfDay,
    NonNegative,
    Positive,
    PositiveFraction,
    StrictModel,
)

__all__ = [
    "DayType",
    "Fraction",
    "HourOfDay",
    "NonNegative",
    "Positive",
    "PositiveFraction",
    "StrictModel",
]
