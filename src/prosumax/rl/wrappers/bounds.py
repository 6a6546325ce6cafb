"""Bounds of what agents see and do, for any library's spaces."""

import numpy as np

from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.observations.home_terms import columns_of

BOUNDS: dict[str, tuple[float, float]] = {
    "hour": (-1.0, 1.0),
    **dict.fromkeys(
        ("hour_of_day", "progress", "soc", "unmet", "reputation", "reputations", "mean_reputation"),
        (0.0, 1.0),
    ),
    **dict.fromkeys(("imbalance", "congestion", "self_consumption", "flexibility"), (0.0, 1.0)),
    **dict.fromkeys(("coordination", "convergence"), (0.0, 1.0)),
    **dict.fromkeys(
        ("car_soc", "car_plugged", "car_hours_left", "car_missing", "appliances"), (0.0, 1.0)
    ),
}
"""Lowest and highest value of the observation terms that have them; the rest, and terms of one's own, have none.

Nothing is clipped to fit a space: what is not in this table may take any value and is called unbounded.
"""


def observation_bounds(env: CommunityEnv) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of every column of a home's observation, each [feature].

    Raises:
        InputError: there are price agents beside the homes, for which other libraries' faces have no place.
    """
    if env.config.price_agents:
        what = f"has price agents ({', '.join(env.config.price_agents)}), which decide other things than homes"
        cure = "Learn with `prosumax train`, or take a mechanism whose prices a rule sets, such as price_mid_market."
        raise InputError("market.mechanism", what, cure)
    low, high = [], []
    for term in env.config.observations:
        lowest, highest = BOUNDS.get(term, (-np.inf, np.inf))
        machines = sum(slot.startswith("appliance") for slot in env.config.slots)
        width = len(columns_of([term], env.num_agents, env.config.forecast_steps, machines))
        low += [lowest] * width
        high += [highest] * width
    return np.asarray(low, np.float32), np.asarray(high, np.float32)


def action_bounds(env: CommunityEnv) -> tuple[float, float]:
    """Lowest and highest number of a continuous action."""
    return (0.0, 1.0) if env.config.control == "bid" else (-1.0, 1.0)


def agent_names(env: CommunityEnv) -> list[str]:
    """Names of the homes as keys of dictionaries.

    Raises:
        InputError: a home has the name by which JaxMARL and RLlib mean all of them.
    """
    if "__all__" in env.agents:
        raise InputError(
            "homes",
            "one is named '__all__', which means all agents elsewhere",
            "Give it another name.",
        )
    return env.agents
