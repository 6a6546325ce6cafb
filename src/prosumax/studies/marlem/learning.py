"""Learners in MARLEM's case studies 5 (batteries) and 6 (implicit cooperation)."""

from prosumax.rl.algorithms.registry import algorithms
from prosumax.studies.engine import Study, Variant, mapping_metric, studies
from prosumax.studies.learning import OPTIMAL_POLICY, RANDOM_POLICY, learning_runs

LEARNING_METRICS = (
    mapping_metric("episode.objective"),
    mapping_metric("episode.gap_closed"),
    mapping_metric("episode.welfare"),
    mapping_metric("episode.p2p_share"),
    mapping_metric("episode.imbalance"),
    mapping_metric("episode.reward", digits=2),
)

_POLICY_GRADIENT_SETTINGS: dict[str, object] = {
    "settings": {"ent_coef": 0.01, "learning_rate": 1e-3, "critic_learning_rate": 2e-3},
    "anneal": {"ent_coef": 0.0, "learning_rate": 1e-4},
}
_LEARNERS: dict[str, dict[str, object]] = {
    "ppo": _POLICY_GRADIENT_SETTINGS | {"iterations": 150},
    "vtrace": _POLICY_GRADIENT_SETTINGS | {"iterations": 150},
    # Gradient steps take most of the time of SAC: a quarter of the usual number.
    "sac": {"iterations": 100, "settings": {"gradient_steps": 8}},
}
_PARADIGMS = ("ctce", "ctde", "dtde")
_RULES = (
    RANDOM_POLICY,
    "marlem-zero-intelligence",
    "truthful",
    "self-consumption",
    "optimal",
    OPTIMAL_POLICY,
)
_PRIVATE_OBSERVATIONS = [
    "hour",
    "progress",
    "clearing_price",
    "retail",
    "feed_in",
    "load",
    "solar",
    "load_forecast",
    "solar_forecast",
    "soc",
    "max_sell",
    "max_buy",
    "profit",
]
"""Observations of a home without the shared market indicators."""

_SELFISH: dict[str, object] = {
    "environment.observations": _PRIVATE_OBSERVATIONS,
    "environment.rewards": {"profit": 1.0},
}

_NOTES = (
    "Days of 24 hours; trained on the first 70 of the preset's 100, selected on the next 15,"
    " evaluated on the last.",
    "Bills include the fees of the network operator. The optimum has perfect foresight, shares all"
    " surplus, and pays no fees, so no market reaches it.",
    "Seeds differ in the random numbers of the learner; the days are the same.",
)


def _make_study(preset: str) -> Study:
    """Make a study of learners, rules and the optimum on a preset.

    Each learner runs in three paradigms, rewarded with its profit or as MARLEM does. At the end one
    learner has one half of MARLEM's signals: the shared observations or the shared reward.
    """
    variants = [
        Variant("rules", name, {"preset": preset, "controller": name} | _SELFISH) for name in _RULES
    ]
    signals = {"own profit only": _SELFISH, "shared indicators and cooperation": {}}
    for group, changes in signals.items():
        for name, options in _LEARNERS.items():
            if name not in algorithms:
                continue
            for paradigm in _PARADIGMS:
                own = {"preset": preset, "controller": name, "paradigm": paradigm}
                variants.append(Variant(group, f"{name} {paradigm}", own | options | changes))
    selfish_parts = {
        "shared observations, own profit": "environment.rewards",
        "private observations, cooperation": "environment.observations",
    }
    for title, path in selfish_parts.items():
        own = {"preset": preset, "controller": "ppo", "paradigm": "dtde"}
        settings = own | _LEARNERS["ppo"] | {path: _SELFISH[path]}
        variants.append(Variant("one of the two, ppo dtde", title, settings))
    return Study(tuple(variants), None, LEARNING_METRICS, _NOTES, learning_runs, currency="$")


studies.register(
    "marlem-learning-battery", "PPO and others in three paradigms on MARLEM's strategic batteries."
)(_make_study("marlem-battery-strategic"))
studies.register(
    "marlem-learning-cooperation",
    "The same on MARLEM's implicit cooperation, with and without signals.",
)(_make_study("marlem-cooperation"))
