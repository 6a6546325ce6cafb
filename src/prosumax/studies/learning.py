"""Studies of learning: algorithms and paradigms over several seeds, beside random homes, rules and the optimum.

All seeds of a learner are trained at once. Every player is judged on the same days, which nobody trained on.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.training.comparison import judge_learned, judge_others
from prosumax.rl.training.policies import elsewhere
from prosumax.rl.training.setup import read_stage
from prosumax.rl.training.training import Training, train
from prosumax.scenario.loading import load_scenario
from prosumax.studies.engine import Figure, Study, Tell, Variant, number, studies

Players = Mapping[str, Mapping[str, NDArray[np.float64]]]

RANDOM, BEST = "zero-intelligence", "community-optimal"

_OWN = (
    "preset",
    "player",
    "paradigm",
    "iterations",
    "settings",
    "anneal",
    "environments",
    "finite",
)


def runs(settings: Mapping[str, Any], seeds: Sequence[int], tell: Tell) -> list[dict[str, float]]:
    """Figures of one player on the test days, per seed.

    Arguments:
        settings: `preset`; `player`, an algorithm or a rule or an optimum; for learners `paradigm`, `iterations`,
            `settings`, `anneal`, `environments`, `finite`. Everything else is a change to the scenario.
        seeds: of the learners and of what is drawn.
        tell: called with the share done.
    """
    changes = tuple(sorted((k, repr(v)) for k, v in settings.items() if k not in _OWN))
    plain = {k: v for k, v in settings.items() if k not in _OWN}
    beside = _rules(settings["preset"], changes, len(seeds), _Frozen(plain))
    if settings["player"] in algorithms:
        done = trained(settings, len(seeds), tell)
        found = {name: np.asarray(values) for name, values in done.test["learned"].items()}
    else:
        found = dict(beside.get(settings["player"], {}))
    return [
        _with_gap({name: float(values[at]) for name, values in found.items()}, beside)
        for at in range(len(seeds))
    ]


def trained(settings: Mapping[str, Any], seeds: int, tell: Tell) -> Training:
    """A learner of a study, with the settings that `runs` takes."""
    return train(
        settings["preset"],
        {name: value for name, value in settings.items() if name not in _OWN},
        algorithm=settings["player"],
        paradigm=settings.get("paradigm", "dtde"),
        settings=settings.get("settings", {}),
        anneal=settings.get("anneal", {}),
        iterations=settings["iterations"],
        environments=settings.get("environments", 32),
        finite=settings.get("finite", False),
        seeds=seeds,
        judged="alone",
        on_progress=lambda now: tell(now.iteration / now.iterations),
    )


class _Frozen(dict[str, Any]):
    """Changes to a scenario, that a cache passes on without looking at them."""

    def __hash__(self) -> int:  # type: ignore[override]
        return 0


@lru_cache(maxsize=8)
def _rules(
    preset: str, changes: tuple[tuple[str, str], ...], seeds: int, plain: _Frozen
) -> Players:
    """Rules and optima on the test days."""
    return judge_others(read_stage(load_scenario(preset, dict(plain)), seeds))


def _with_gap(figures: dict[str, float], beside: Players) -> dict[str, float]:
    """Its figures, and the share of the way from random homes to the community's optimum."""
    if BEST in beside and "objective" in figures:
        random, best = (
            float(beside[RANDOM]["objective"].mean()),
            float(beside[BEST]["objective"].mean()),
        )
        figures["gap_closed"] = (random - figures["objective"]) / (random - best)
    return figures


FIGURES = {
    "cost": Figure("All bills per day, $", number("objective"), 2),
    "gap_closed": Figure("of the way to the optimum, %", number("gap_closed", 100)),
    "welfare": Figure("Gains from local trade, $", number("welfare"), 2),
    "p2p_share": Figure("P2P share, %", number("p2p_share", 100)),
    "imbalance": Figure("Imbalance of orders, %", number("imbalance", 100)),
    "reward": Figure("Reward per home and day", number("reward"), 2),
}

_ACHIEVED: dict[str, Any] = {
    "settings": {"entropy": 0.01, "learning_rate": 1e-3, "critic_learning_rate": 2e-3},
    "anneal": {"entropy": 0.0, "learning_rate": 1e-4},
}
_LEARNERS: dict[str, dict[str, Any]] = {
    "ppo": _ACHIEVED | {"iterations": 150},
    "vtrace": _ACHIEVED | {"iterations": 150},
    # Its updates cost most: a quarter of the usual ones.
    "sac": {"iterations": 100, "settings": {"updates": 8}},
}
_OBSERVED_ALONE = [
    *(
        "hour",
        "progress",
        "price",
        "retail",
        "feed_in",
        "load",
        "solar",
        "load_forecast",
        "solar_forecast",
    ),
    *("soc", "can_sell", "can_buy", "profit"),
]
"""What a home knows without the market's key figures."""


def _marlem(preset: str) -> Study:
    """Random homes, rules and the optimum; each learner in three paradigms, paid its profit, or as MARLEM pays.

    At the end one learner with one half of MARLEM's signals: what is seen, or what is paid.
    """
    alone = {"environment.observations": _OBSERVED_ALONE, "environment.rewards": {"profit": 1.0}}
    rules = (RANDOM, "marlem-zero-intelligence", "truthful", "self-consumption", "optimal", BEST)
    variants = [
        Variant("rules", name, {"preset": preset, "player": name} | alone) for name in rules
    ]
    for signals, changes in (
        ("own profit only", alone),
        ("shared key figures and cooperation", {}),
    ):
        for name, options in _LEARNERS.items():
            if name not in algorithms:
                continue
            for paradigm in ("ctce", "ctde", "dtde"):
                own = {"preset": preset, "player": name, "paradigm": paradigm}
                variants.append(Variant(signals, f"{name} {paradigm}", own | options | changes))
    halves = {
        "figures seen, profit paid": "environment.rewards",
        "figures not seen, paid to cooperate": "environment.observations",
    }
    for title, part in halves.items():
        changes = (
            {"preset": preset, "player": "ppo", "paradigm": "dtde"}
            | _LEARNERS["ppo"]
            | {part: alone[part]}
        )
        variants.append(Variant("one of the two, ppo dtde", title, changes))
    notes = (
        "Days of 24 hours; trained on the first 70 of the preset's 100, chosen by the next 15, judged on the last.",
        "Bills include the network operator's fees. The optimum knows the whole day, shares all surplus, and pays no"
        " fees, so no market reaches it.",
        "Seeds differ in the learner's dice; the days are the same.",
    )
    return Study(tuple(variants), None, FIGURES, notes, runs)


_MONTHS_9, _MONTHS_3 = 6552, 2208  # hours: to the end of April, and the rest of the year
_CITYLEARN: dict[str, Any] = {
    "tariff.feed_in": 0.0,  # CityLearn pays nothing for exports
    "environment.observations": ["hour", "carbon", "retail", "load", "solar", "soc"],
    "environment.rewards": {"cost": 1.0, "carbon": 1.0},
    "environment.episode_steps": 168,
    "environment.starts": "days",
}
_CITYLEARN_RULES = (
    "citylearn-basic-rbc",
    "citylearn-optimized-rbc",
    "none",
    RANDOM,
    "self-consumption",
)


def citylearn_runs(
    settings: Mapping[str, Any], seeds: Sequence[int], tell: Tell
) -> list[dict[str, float]]:
    """Figures of a player over the last three months of CityLearn's year, in one go, per seed.

    Learners learn on the first nine months, in weeks.
    """
    count, player = len(seeds), settings["player"]
    last = load_scenario("citylearn-2022", _CITYLEARN | last_months())
    if player in algorithms:
        own = {**settings, **_CITYLEARN, "preset": "citylearn-2022", "period.steps": _MONTHS_9}
        done = trained(own, count, tell)
        stage = read_stage(load_scenario(done.plan.scenario), count, done.plan)
        found = judge_learned(*elsewhere(stage, done.learners, last, episode_steps=_MONTHS_3))
    else:
        whole = load_scenario(
            last, {"environment.episode_steps": _MONTHS_3, "environment.starts": "first"}
        )
        rules = (player,) if player in _CITYLEARN_RULES else ()
        found = judge_others(read_stage(whole, count), rules)[player]
    return [{name: float(values[at]) for name, values in found.items()} for at in range(count)]


def last_months() -> dict[str, Any]:
    """Changes to `citylearn-2022` that leave the last three months of its year."""
    rows = {"homes.*.load.skip_rows": _MONTHS_9, "homes.*.solar.skip_rows": _MONTHS_9}
    prices = {f"tariff.{name}.skip_rows": _MONTHS_9 for name in ("energy", "carbon_kg_per_kwh")}
    return rows | prices | {"period.start": "2017-04-30T23:00", "period.steps": _MONTHS_3}


def _citylearn() -> Study:
    players = (*_CITYLEARN_RULES, "optimal")
    learner = {
        "player": "ppo",
        "paradigm": "dtde-shared",
        "iterations": 300,
        "settings": {"learning_rate": 1e-3, "critic_learning_rate": 2e-3, "entropy": 0.01},
        "anneal": {"entropy": 0.0, "learning_rate": 1e-4},
    }
    figures = {
        "cost": Figure("All bills, $", number("cost"), 1),
        "carbon_kg": Figure("Emissions, kg", number("carbon_kg"), 1),
        "objective": Figure("Objective, $", number("objective"), 1),
        "grid_kwh": Figure("Bought from the grid, kWh", number("grid_kwh"), 0),
    }
    notes = (
        "Last three months of the year, 2208 hours in one go; learned on the first nine, in episodes of a week.",
        "Paid the negative of its bill and of its emissions in kg; exports earn nothing, as in CityLearn.",
    )
    variants = (
        *(Variant("rules", name, {"player": name}) for name in players),
        Variant("learned", "ppo shared", learner),
    )
    return Study(variants, None, figures, notes, citylearn_runs)


studies.register(
    "citylearn-learning",
    "Shared PPO on CityLearn's homes against its controllers, on unseen months.",
)(_citylearn())
studies.register(
    "marlem-learning-battery", "PPO and others in three paradigms on MARLEM's strategic batteries."
)(_marlem("marlem-battery-strategic"))
studies.register(
    "marlem-learning-cooperation",
    "The same on MARLEM's implicit cooperation, with and without signals.",
)(_marlem("marlem-cooperation"))
