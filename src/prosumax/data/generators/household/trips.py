"""EV trips: departures, arrivals, energy and plug-in behavior.

A calendar year is sampled whole from (seed, year), so a day is the same whatever the period around
it. At most one trip a day is sampled, with departure and arrival on the same day.

The mean distance is some 14,000 km per car and year in Belgium; the hours scatter around those of
commuters, N(7.8, 1) and N(18, 1.5). The differences between lifestyles are an assumption.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from prosumax.data.time_steps import infer_step

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Seasonal amplitude of the consumption: 0.22 kWh/km in winter against 0.15 in summer.
_SEASONAL_AMPLITUDE = 0.19
# Share of the battery capacity whose use since the last plug-in makes the next plug-in certain.
_CERTAIN_PLUG_IN_SHARE = 1 / 3
_MAX_SPEED_KM_H = 50  # Mean speed from door to door, both ways.
_CLOCK_HOURS = tuple[tuple[float, float], tuple[float, float]]


class DrivingProfile(NamedTuple):
    """Driving behavior on working days and at weekends.

    Attributes:
        annual_km: Mean distance of a year, km.
        trip_probability: Probability of a trip on a working day and on a weekend day.
        departure_h: Mean and standard deviation of the local departure hour, for both day types.
        arrival_h: Mean and standard deviation of the local arrival hour, for both day types.
    """

    annual_km: float
    trip_probability: tuple[float, float]
    departure_h: _CLOCK_HOURS
    arrival_h: _CLOCK_HOURS


DRIVING_PROFILES: Mapping[str, DrivingProfile] = {
    "single": DrivingProfile(
        12_000, (0.85, 0.6), ((7.9, 1.0), (11.0, 1.8)), ((18.0, 1.5), (16.5, 2.2))
    ),
    "couple": DrivingProfile(
        13_500, (0.9, 0.6), ((7.8, 1.0), (11.0, 1.5)), ((18.0, 1.5), (16.5, 2.0))
    ),
    "family": DrivingProfile(
        14_000, (0.95, 0.75), ((7.9, 0.7), (10.5, 1.5)), ((17.6, 1.3), (15.5, 2.0))
    ),
    "family_with_teenagers": DrivingProfile(
        14_000, (0.95, 0.75), ((7.7, 0.8), (10.5, 1.5)), ((18.2, 1.5), (16.0, 2.5))
    ),
    "students": DrivingProfile(
        10_500, (0.5, 0.5), ((9.5, 1.5), (11.5, 2.0)), ((16.0, 2.5), (18.0, 2.5))
    ),
    "home_business": DrivingProfile(
        11_500, (0.5, 0.6), ((10.0, 1.8), (11.0, 1.5)), ((14.5, 2.0), (16.0, 2.0))
    ),
    "retired": DrivingProfile(
        10_500, (0.5, 0.5), ((10.0, 1.3), (10.5, 1.5)), ((13.5, 2.0), (15.5, 2.0))
    ),
}
"""Driving profile by lifestyle."""


class Trips(NamedTuple):
    """Trips in the order of time.

    Attributes:
        departure: Departure of each trip, UTC.
        arrival: Arrival of each trip, UTC.
        kwh: Energy of each trip, kWh.
    """

    departure: pd.DatetimeIndex
    arrival: pd.DatetimeIndex
    kwh: Float[Array, " trip"]


def sample_trips(
    years: Sequence[int],
    time_zone: str,
    lifestyle: str,
    annual_km: float | None,
    kwh_per_km: float,
    seed: int,
) -> Trips:
    """Sample the trips of whole calendar years.

    Args:
        years: Calendar years.
        time_zone: IANA name of the local time zone.
        lifestyle: Key of `DRIVING_PROFILES`; another lifestyle has the profile of a family.
        annual_km: Distance of each year, km; that of the lifestyle if None.
        kwh_per_km: Mean consumption over the year, kWh/km.
        seed: Seed of the EV.
    """
    profile = DRIVING_PROFILES.get(lifestyle, DRIVING_PROFILES["family"])
    dates = []
    departure_h = []
    arrival_h = []
    km = []
    for year in years:
        rng = np.random.default_rng((seed, year))
        days = pd.date_range(f"{year}-01-01", f"{year}-12-31", freq="D")
        weekend = (days.dayofweek >= 5).astype(int)
        has_trip = rng.random(len(days)) < np.array(profile.trip_probability)[weekend]
        departure = _sample_hours(rng, profile.departure_h, weekend)
        arrival = _sample_hours(rng, profile.arrival_h, weekend)
        distance = rng.lognormal(0.0, np.where(weekend == 1, 0.8, 0.4)) * has_trip
        distance *= (annual_km or profile.annual_km) / max(distance.sum(), 1e-9)
        duration_h = np.maximum(0.5, distance / _MAX_SPEED_KM_H)
        arrival = np.minimum(np.maximum(arrival, departure + duration_h), 23.9)
        departure = np.minimum(departure, arrival - 0.25)
        dates.append(days[has_trip])
        departure_h.append(departure[has_trip])
        arrival_h.append(arrival[has_trip])
        km.append(distance[has_trip])
    trip_dates = dates[0].append(dates[1:])
    return Trips(
        departure=_to_utc(trip_dates, np.concatenate(departure_h), time_zone),
        arrival=_to_utc(trip_dates, np.concatenate(arrival_h), time_zone),
        kwh=np.concatenate(km) * kwh_per_km * _seasonal_factor(trip_dates),
    )


def _sample_hours(
    rng: np.random.Generator, hours: _CLOCK_HOURS, weekend: NDArray[np.int_]
) -> Float[Array, " day"]:
    mean, sd = np.array(hours)[weekend].T
    sampled: NDArray[np.float64] = rng.normal(mean, sd)
    return sampled.clip(0.5, 23.0)


def scheduled_trips(
    dates: pd.DatetimeIndex,
    time_zone: str,
    trips: Sequence[tuple[float, float, float, str]],
    kwh_per_km: float,
) -> Trips:
    """Repeat the same trips every day.

    Args:
        dates: Local days, without time zone.
        time_zone: IANA name of the local time zone.
        trips: Local departure hour, local arrival hour, distance (km), and `all`, `weekdays` or
            `weekend`.
        kwh_per_km: Mean consumption over the year, kWh/km.
    """
    weekend = dates.dayofweek >= 5
    by_day_type = {"all": np.ones(len(dates), bool), "weekdays": ~weekend, "weekend": weekend}
    rows = [
        (date, departure, arrival, km)
        for departure, arrival, km, day_type in trips
        for date in dates[by_day_type[day_type]]
    ]
    table = pd.DataFrame(rows, columns=["date", "departure", "arrival", "km"])
    table = table.sort_values(["date", "departure"])
    days = pd.DatetimeIndex(table["date"])
    return Trips(
        departure=_to_utc(days, table["departure"].to_numpy(), time_zone),
        arrival=_to_utc(days, table["arrival"].to_numpy(), time_zone),
        kwh=table["km"].to_numpy() * kwh_per_km * _seasonal_factor(days),
    )


def sample_plug_ins(
    trips: Trips, probability: float, capacity_kwh: float, seed: int
) -> Bool[Bools, " trip"]:
    """Sample for each trip if the EV is plugged in afterward.

    Args:
        trips: Trips in the order of time.
        probability: Probability of plugging in after a trip.
        capacity_kwh: Capacity of the battery, kWh. Once a third of it has been used since the last
            plug-in, the next one is certain.
        seed: Seed of the EV.
    """
    by_chance = np.random.default_rng((seed, 1)).random(len(trips.kwh)) < probability
    plugged_in = np.zeros(len(by_chance), bool)
    used_kwh = 0.0
    for trip, kwh in enumerate(trips.kwh):
        used_kwh += kwh
        plugged_in[trip] = by_chance[trip] or used_kwh > _CERTAIN_PLUG_IN_SHARE * capacity_kwh
        if plugged_in[trip]:
            used_kwh = 0.0
    return plugged_in


def ev_availability(
    index: pd.DatetimeIndex, trips: Trips, plugged_in: Bool[Bools, " trip"]
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Compute the availability of an EV for charging, and its driving energy.

    The end of the period counts as a departure, so that no schedule gains by ending with an empty
    battery.

    Args:
        index: Step starts, UTC. The EV leaves at the start of the step of its departure, and
            returns at the end of the step of its arrival.
        trips: Trips in the order of time.
        plugged_in: Whether the EV is plugged in after each trip; before the first one it is.

    Returns:
        The time to departure in h (0 while the EV is away or not plugged in), and the energy of
        driving in kWh, per step.
    """
    steps = len(index)
    step = infer_step(index)
    hours = step / pd.Timedelta(hours=1)
    leave = np.floor(np.asarray((trips.departure - index[0]) / step)).astype(int)
    back = np.ceil(np.asarray((trips.arrival - index[0]) / step)).astype(int)
    if len(leave):
        leave = np.maximum(leave, np.append([leave[:1]], back[:-1]))
    back = np.maximum(back, leave + 1)
    trips_before = np.searchsorted(back, 0, side="right")
    initially = bool(plugged_in[trips_before - 1]) if trips_before else True
    connected = np.full(steps, initially)
    trip_kwh = np.zeros(steps)
    for first, stop, kwh, stays in zip(leave, back, trips.kwh, plugged_in, strict=True):
        if stop <= 0 or first >= steps:
            continue
        trip_kwh[max(first, 0) : stop] += kwh / (stop - first)
        connected[max(first, 0) : stop] = False
        connected[stop:] = stays
    away = np.flatnonzero(~connected)
    next_away = np.searchsorted(away, np.arange(steps))
    next_departure = np.append(away, steps)[next_away]
    hours_to_departure = (next_departure - np.arange(steps)) * hours
    return np.where(connected, hours_to_departure, 0.0), trip_kwh


def _seasonal_factor(dates: pd.DatetimeIndex) -> Float[Array, " day"]:
    """Return the consumption of each day relative to the annual mean."""
    phase = 2 * np.pi * (dates.dayofyear.to_numpy() - 21) / 365.25
    return 1.0 + _SEASONAL_AMPLITUDE * np.cos(phase)


def _to_utc(
    dates: pd.DatetimeIndex, hour: Float[Array, " trip"], time_zone: str
) -> pd.DatetimeIndex:
    """Convert local hours to UTC; a time skipped by daylight saving time moves to the next hour."""
    minutes = np.round(np.asarray(hour, np.float64) * 60)
    local = dates + pd.to_timedelta(minutes, unit="min")
    first_occurrence = np.ones(len(local), bool)
    localized = local.tz_localize(
        time_zone, ambiguous=first_occurrence, nonexistent="shift_forward"
    )
    return localized.tz_convert("UTC")
