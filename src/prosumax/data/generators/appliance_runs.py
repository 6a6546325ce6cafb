"""When a washing machine, a dishwasher or a dryer is filled; a calendar year is drawn whole from (seed, year)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def sample_appliance_runs(
    local: pd.DatetimeIndex,
    runs_per_week: float,
    from_hour: int,
    to_hour: int,
    min_gap_steps: int,
    seed: int,
) -> NDArray[np.bool_]:
    """Whether the machine is filled at the start of each step [step].

    Arguments:
        local: step starts on the local clock.
        runs_per_week: mean, at most 7: no more than one a day.
        from_hour, to_hour: local hours between which it is filled.
        busy_steps: least distance of two fills; one that comes earlier waits for the machine.
        seed: of the machine.
    """
    years = range(int(local[0].year), int(local[-1].year) + 1)
    naive = local.tz_localize(None)
    filled, free = np.zeros(len(local), bool), 0
    for year in years:
        rng = np.random.default_rng((seed, year))
        days = pd.date_range(f"{year}-01-01", f"{year}-12-31", freq="D")
        wanted = rng.random(len(days)) < runs_per_week / 7
        hour = rng.uniform(from_hour, to_hour, len(days))
        for moment in (days + pd.to_timedelta(hour, unit="h"))[wanted]:
            at = max(int(naive.searchsorted(moment)), free)  # the first step that starts after it
            if naive[0] <= moment and at < len(local):
                filled[at], free = True, at + min_gap_steps
    return filled
