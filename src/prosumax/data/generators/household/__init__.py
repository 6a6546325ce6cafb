"""Bottom-up household models: occupancy, appliance load, hot water demand and car trips."""

from prosumax.data.generators.household.hot_water import hot_water_kwh, typical_occupants
from prosumax.data.generators.household.lifestyles import LIFESTYLES
from prosumax.data.generators.household.load import END_USES, HouseholdLoad, synthetic_load
from prosumax.data.generators.household.schedule import OpeningPeriod, schedule_kwh
from prosumax.data.generators.household.trips import (
    DRIVING_PROFILES,
    Trips,
    ev_availability,
    sample_plug_ins,
    sample_trips,
    scheduled_trips,
)

__all__ = [
    "DRIVING_PROFILES",
    "END_USES",
    "LIFESTYLES",
    "HouseholdLoad",
    "OpeningPeriod",
    "Trips",
    "ev_availability",
    "hot_water_kwh",
    "sample_plug_ins",
    "sample_trips",
    "schedule_kwh",
    "scheduled_trips",
    "synthetic_load",
    "typical_occupants",
]
