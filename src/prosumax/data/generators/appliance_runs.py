"""Run requests of flexible appliances such as washing machines, sampled per calendar year."""

import numpy as np
import pandas as pd
from jaxtyping import Bool
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def sample_appliance_runs(
    local_index: pd.DatetimeIndex,
    runs_per_week: float,
    from_hour: int,
    to_hour: int,
    min_gap_steps: int,
    seed: int,
) -> Bool[Bools, " step"]:
    """Sample the steps in which a run of an appliance is requested.

    A calendar year is sampled whole from (seed, year).

    Args:
        local_index: Step starts in the local time zone.
        runs_per_week: Mean number of runs per week, at most 7: at most one run a day is sampled.
        from_hour: First local hour of a request.
        to_hour: Last local hour of a request.
        min_gap_steps: Minimum distance between two requests; an earlier one is postponed.
        seed: Seed of the appliance.
    """
    clock = local_index.tz_localize(None)
    requested = np.zeros(len(local_index), bool)
    next_free = 0
    for year in range(int(local_index[0].year), int(local_index[-1].year) + 1):
        rng = np.random.default_rng((seed, year))
        days = pd.date_range(f"{year}-01-01", f"{year}-12-31", freq="D")
        has_run = rng.random(len(days)) < runs_per_week / 7
        hour = rng.uniform(from_hour, to_hour, len(days))
        for time in (days + pd.to_timedelta(hour, unit="h"))[has_run]:
            step = max(int(clock.searchsorted(time)), next_free)  # First step that starts later.
            if clock[0] <= time and step < len(local_index):
                requested[step] = True
                next_free = step + min_gap_steps
    return requested
