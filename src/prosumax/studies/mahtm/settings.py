"""Settings of the MAHTM paper and observation sets of its agents."""

PAPER_OBSERVATIONS = ["hour_of_day", "soc", "mahtm_family", "mahtm_business", "mahtm_teenagers"]
"""Observations of the paper's agents, 28 numbers: the hour, the state of charge and the type of
house. They do not distinguish two houses of a type, so that no shared policy can serve both."""

RELATIVE_OBSERVATIONS = [
    "hour_of_day",
    "soc",
    "own_surplus",
    "solar_size",
    "load_size",
    "mahtm_family",
    "mahtm_business",
    "mahtm_teenagers",
]
"""Observations relative to the battery's capacity. A house and one of twice its size observe the
same, as they should: the problem is linear."""

PAPER_SETTINGS: dict[str, object] = {
    "advantage": "reward_to_go",
    "gamma": 1.0,
    "learning_rate": 0.00245,
    "critic_learning_rate": 0.001,
    "ent_coef": 0.0,
    "max_grad_norm": 1e9,
    "hidden_sizes": [128],
    "activation": "relu",
    "normalize_advantage": False,
    "normalize_value": False,
}
"""A2C as in table 3 of the paper."""
