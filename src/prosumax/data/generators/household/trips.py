"""When a car is away, how far it drives, and whether it is plugged in when it is home.

A calendar year is drawn whole from (seed, year), so that a day is the same whatever the period around it. At most one
drive a day is drawn, leaving and coming back on the same day.

Distances: some 14,000 km per car and year in Belgium; hours around those of commuters, N(7.8, 1) and N(18, 1.5). The
split over lifestyles is an assumption, not a measurement.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.data.time_steps import infer_step

Series = NDArray[np.float64]

_SEASON = 0.19  # of consumption: 0.22 kWh/km in winter against 0.15 in summer
_SURELY_PLUGGED = 1 / 3  # of the battery used since the last time


class DrivingProfile(NamedTuple):
    """Who drives: on working days and at weekends.

    Attributes:
        annual_km: mean distance of a year.
        chance: of driving at all, working day and weekend.
        leave_h, back_h: mean and standard deviation of the local hour, working day and weekend.
    """

    annual_km: float
    trip_probability: tuple[float, float]
    departure_h: tuple[tuple[float, float], tuple[float, float]]
    arrival_h: tuple[tuple[float, float], tuple[float, float]]


DRIVING_PROFILES: Mapping[str, DrivingProfile] = {
    "single": DrivingProfile(12_000, (0.85, 0.6), ((7.9, 1.0), (11.0, 1.8)), ((18.0, 1.5), (16.5, 2.2))),
    "couple": DrivingProfile(13_500, (0.9, 0.6), ((7.8, 1.0), (11.0, 1.5)), ((18.0, 1.5), (16.5, 2.0))),
    "family": DrivingProfile(14_000, (0.95, 0.75), ((7.9, 0.7), (10.5, 1.5)), ((17.6, 1.3), (15.5, 2.0))),
    "family_with_teenagers": DrivingProfile(
        14_000, (0.95, 0.75), ((7.7, 0.8), (10.5, 1.5)), ((18.2, 1.5), (16.0, 2.5))
    ),
    "students": DrivingProfile(10_500, (0.5, 0.5), ((9.5, 1.5), (11.5, 2.0)), ((16.0, 2.5), (18.0, 2.5))),
    "home_business": DrivingProfile(
        11_500, (0.5, 0.6), ((10.0, 1.8), (11.0, 1.5)), ((14.5, 2.0), (16.0, 2.0))
    ),
    "retired": DrivingProfile(10_500, (0.5, 0.5), ((10.0, 1.3), (10.5, 1.5)), ((13.5, 2.0), (15.5, 2.0))),
}


class Trips(NamedTuple):
    """Drives in order of time, each array [drive]."""

    departure: pd.DatetimeIndex
    arrival: pd.DatetimeIndex
    kwh: Series


def sample_trips(
    years: Sequence[int],
    zone: str,
    lifestyle: str,
    annual_km: float | None,
    kwh_per_km: float,
    seed: int,
) -> Trips:
    """The drives of whole calendar years.

    Arguments:
        years: that are wanted.
        zone: IANA name of the clock.
        lifestyle: a name in `DRIVERS`; any other drives like a family.
        annual_km: distance of each year; that of the lifestyle when absent.
        kwh_per_km: mean over the year.
        seed: of the car.
    """
    driver = DRIVING_PROFILES.get(lifestyle, DRIVING_PROFILES["family"])
    days, leave, back, km = [], [], [], []
    for year in years:
        rng = np.random.default_rng((seed, year))
        dates = pd.date_range(f"{year}-01-01", f"{year}-12-31", freq="D")
        weekend = (dates.dayofweek >= 5).astype(int)
        drives = rng.random(len(dates)) < np.array(driver.trip_probability)[weekend]
        out, home = (
            rng.normal(*np.array(hours)[weekend].T).clip(0.5, 23.0)
            for hours in (driver.departure_h, driver.arrival_h)
        )
        length = rng.lognormal(0.0, np.where(weekend == 1, 0.8, 0.4)) * drives
        length *= (annual_km or driver.annual_km) / max(length.sum(), 1e-9)
        # Nobody drives more than 50 km in an hour from door to door and back.
        home = np.minimum(np.maximum(home, out + np.maximum(0.5, length / 50)), 23.9)
        days.append(dates[drives])
        leave.append(np.minimum(out, home - 0.25)[drives])
        back.append(home[drives])
        km.append(length[drives])
    dates = days[0].append(days[1:])
    use = np.concatenate(km) * kwh_per_km * _season(dates)
    return Trips(
        _moments(dates, np.concatenate(leave), zone),
        _moments(dates, np.concatenate(back), zone),
        use,
    )


def scheduled_trips(
    dates: pd.DatetimeIndex,
    zone: str,
    trips: Sequence[tuple[float, float, float, str]],
    kwh_per_km: float,
) -> Trips:
    """The same drives every day.

    Arguments:
        dates: local days, naive.
        zone: of the clock.
        trips: (local hour of leaving, of coming back, km, `all`, `weekdays` or `weekend`).
        kwh_per_km: mean over the year.
    """
    weekend = dates.dayofweek >= 5
    when = {"all": np.ones(len(dates), bool), "weekdays": ~weekend, "weekend": weekend}
    rows = [(date, *trip[:3]) for trip in trips for date in dates[when[trip[3]]]]
    table = pd.DataFrame(rows, columns=["date", "leave", "back", "km"]).sort_values(
        ["date", "leave"]
    )
    on = pd.DatetimeIndex(table["date"])
    use = table["km"].to_numpy() * kwh_per_km * _season(on)
    return Trips(
        _moments(on, table["leave"].to_numpy(), zone),
        _moments(on, table["back"].to_numpy(), zone),
        use,
    )


def sample_plug_ins(
    trips: Trips, chance: float, capacity_kwh: float, seed: int
) -> NDArray[np.bool_]:
    """Whether the car is plugged in after each drive [drive].

    Arguments:
        drives: in order.
        chance: of plugging in after any drive.
        capacity_kwh: of the battery; with a third of it used since the last time the car is plugged in for sure.
        seed: of the car.
    """
    luck = np.random.default_rng((seed, 1)).random(len(trips.kwh)) < chance
    plugged, used = np.zeros(len(luck), bool), 0.0
    for drive, kwh in enumerate(trips.kwh):
        used += kwh
        plugged[drive] = luck[drive] or used > _SURELY_PLUGGED * capacity_kwh
        used = 0.0 if plugged[drive] else used
    return plugged


def ev_availability(
    index: pd.DatetimeIndex, trips: Trips, plugged: NDArray[np.bool_]
) -> tuple[Series, Series]:
    """The car in every step: plugged-in hours to departure (0 while away or unplugged), and energy driven, kWh.

    The end of the period counts as a departure, so that no plan gains by leaving the car empty behind it.

    Arguments:
        index: step starts, UTC; the car leaves at the start of the step it leaves in, and is back at the end of the
            step it comes back in.
        drives: in order of time.
        plugged: after each drive; before the first one the car is plugged in.
    """
    steps = len(index)
    step = infer_step(index)
    hours = step / pd.Timedelta(hours=1)
    leave, back = (np.asarray((when - index[0]) / step) for when in (trips.departure, trips.arrival))
    leave, back = np.floor(leave).astype(int), np.ceil(back).astype(int)
    leave = np.maximum(leave, np.append([leave[:1]], back[:-1])) if len(leave) else leave
    back = np.maximum(back, leave + 1)
    before = np.searchsorted(back, 0, side="right")
    connected = np.full(steps, bool(plugged[before - 1]) if before else True)
    trip = np.zeros(steps)
    for out, home, kwh, stays in zip(leave, back, trips.kwh, plugged, strict=True):
        if home <= 0 or out >= steps:
            continue
        trip[max(out, 0) : home] += kwh / (home - out)
        connected[max(out, 0) : home] = False
        connected[home:] = stays
    away = np.flatnonzero(~connected)
    following = np.searchsorted(away, np.arange(steps))
    departs = np.append(away, steps)[following]
    return np.where(connected, (departs - np.arange(steps)) * hours, 0.0), trip


def _season(dates: pd.DatetimeIndex) -> Series:
    return 1.0 + _SEASON * np.cos(2 * np.pi * (dates.dayofyear.to_numpy() - 21) / 365.25)


def _moments(dates: pd.DatetimeIndex, hour: Series, zone: str) -> pd.DatetimeIndex:
    """Local hours of local days in UTC; an hour that a clock change leaves out becomes the next."""
    naive = dates + pd.to_timedelta(np.round(np.asarray(hour, np.float64) * 60), unit="min")
    first = np.ones(len(naive), bool)
    return naive.tz_localize(zone, ambiguous=first, nonexistent="shift_forward").tz_convert("UTC")
