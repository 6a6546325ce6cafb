"""Studies of prices that learn: what each of MAHTM's layers is worth, and a learned price beside other rules."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from prosumax.rl.training.comparison import judge_others
from prosumax.rl.training.setup import Plan, stage_of
from prosumax.rl.training.training import train
from prosumax.scenario.loading import load_scenario
from prosumax.studies.engine import Figure, Study, Tell, Variant, number, studies

BEST = "community-optimal"

_OWN = ("preset", "player", "iterations", "environments")

_SETTINGS: dict[str, Any] = {
    "learning_rate": 2e-3,
    "critic_learning_rate": 3e-3,
    "entropy": 0.01,
    "discount": 1.0,
}
_ANNEAL = {"entropy": 0.0, "learning_rate": 2e-4}
_HOMES: dict[str, Any] = {
    "homes": "others",
    "policy": "ppo",
    "paradigm": "dtde-shared",
    "settings": _SETTINGS,
}
_PRICES: dict[str, Any] = {
    "prices": "all",
    "policy": "ppo",
    "paradigm": "dtde",
    "settings": _SETTINGS,
}


def layer_runs(
    settings: Mapping[str, Any], seeds: Sequence[int], tell: Tell
) -> list[dict[str, float]]:
    """Figures of one way to run MAHTM's homes, per home and day, per seed.

    Arguments:
        settings: `preset`; `player`: `learned` for the population in the settings, or a rule of homes, or an optimum;
            `iterations` and `environments` for learners. Everything else is a change to the scenario.
        seeds: of the learners.
        tell: called with the share done.
    """
    count, plain = len(seeds), {name: value for name, value in settings.items() if name not in _OWN}
    homes = len(load_scenario(settings["preset"]).homes)
    pool, best = _ends(settings["preset"])
    if settings["player"] == "learned":
        done = train(
            settings["preset"], plain, anneal=_ANNEAL, finite=True, seeds=count, judged="alone",
            iterations=settings.get("iterations", 100), environments=settings.get("environments", 16),
            on_progress=lambda now: tell(now.iteration / now.iterations),
        )  # fmt: skip
        found = {name: np.asarray(values) for name, values in done.test["learned"].items()}
    else:
        found = _beside(settings["preset"], settings["player"], count)
    runs = []
    for at in range(count):
        one = {name: float(values[at]) for name, values in found.items()}
        objective = one["objective"] / homes
        gap = (pool - objective) / (pool - best)
        money, carbon, local = (
            one.get(name, np.nan) for name in ("cost", "carbon_kg", "p2p_share")
        )
        runs.append(
            {
                "reward": -objective,
                "gap": gap,
                "cost": money / homes,
                "carbon": carbon / homes,
                "local": local,
            }
        )
    return runs


def _beside(preset: str, player: str, seeds: int) -> dict[str, Any]:
    """A rule of homes under a pool of all, or an optimum."""
    # Any power: with MAHTM's forty levels, of which none is zero, no battery is ever unused.
    scenario = load_scenario(
        preset, {"market.mechanism": "price_mid_market", "environment.levels": None}
    )
    homes = {"homes": "others", "policy": "ppo"}
    plan = Plan(load_scenario(scenario, {"population": [homes]}).model_dump(mode="json"), 1, seeds)
    rules = () if player in (BEST, "optimal") else (player,)
    return judge_others(stage_of(plan), rules)[player]


@lru_cache
def _ends(preset: str) -> tuple[float, float]:
    """Objective per home of all homes in one pool, batteries unused, and of the community's optimum."""
    homes = len(load_scenario(preset).homes)
    pool, best = (_beside(preset, name, 1)["objective"][0] for name in ("none", BEST))
    return float(pool) / homes, float(best) / homes


def _learned(
    preset: str, mechanism: str, *entries: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    return {
        "preset": preset,
        "player": "learned",
        "market.mechanism": mechanism,
        "population": list(entries),
        **changes,
    }


_FIGURES = {
    "reward": Figure("Reward per home and day", number("reward"), 4),
    "gap": Figure("of the way from pool only to the optimum, %", number("gap", 100), 1),
    "cost": Figure("Bills per home and day", number("cost"), 4),
    "carbon": Figure("Emissions per home and day", number("carbon"), 4),
    "local": Figure("Local share of all trade, %", number("local", 100), 1),
}

_SEES = {
    "environment.levels": None,
    "environment.observations": [
        *(
            "hour_of_day",
            "retail",
            "carbon",
            "load",
            "solar",
            "soc",
            "capacity",
            "solar_peak",
            "load_peak",
        ),
        *("local_buy", "local_sell", "district_buy", "district_sell"),
    ],
    "environment.rewards": {"cost": 1.0, "carbon": 1.0},
    "environment.price_goal": {"community_cost": 1.0, "carbon": 1.0},
}
"""What homes see and both kinds of agents are paid; homes move their batteries by any power."""


def _layers() -> Study:
    def learned(mechanism: str, *entries: dict[str, Any]) -> dict[str, Any]:
        return _learned("mahtm-train", mechanism, *entries, **_SEES)

    ends = {name: {"preset": "mahtm-train", "player": name} for name in ("none", "optimal", BEST)}
    variants = (
        Variant("one microgrid", "pool only, batteries unused", ends["none"]),
        Variant("one microgrid", "each home's own optimum, no pool", ends["optimal"]),
        Variant("one microgrid", "homes learn, no pool", learned("none", _HOMES)),
        Variant(
            "one microgrid", "homes learn, mid-market price", learned("price_mid_market", _HOMES)
        ),
        Variant(
            "one microgrid", "homes and price learn", learned("learned_price", _HOMES, _PRICES)
        ),
        Variant("one microgrid", "community optimum", ends[BEST]),
    )
    notes = (
        "MAHTM's houses of table 4. Homes learn alike (PPO, shared parameters), each paid minus its own bill and"
        " emissions; the price agent (PPO) minus those of all. Played with the likeliest actions.",
        "The way is from all homes in one pool with batteries unused (-1.0588) to the community's optimum (-0.7119).",
    )
    return Study(variants, None, _FIGURES, notes, layer_runs)


def _district() -> Study:
    def learned(mechanism: str, *entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return _learned("mahtm-district", mechanism, *entries, **_SEES, **changes)

    ends = {name: {"preset": "mahtm-district", "player": name} for name in ("none", BEST)}
    middle = {"market.price_policy": "fixed", "market.price": 0.1}
    group = "four microgrids"
    variants = (
        Variant(
            group,
            "isolated microgrids, learned prices (no L3)",
            learned("microgrids", _HOMES, _PRICES),
        ),
        Variant(
            group, "isolated microgrids, mid-market prices (no L3)", learned("microgrids", _HOMES)
        ),
        Variant(group, "no pools at all", learned("none", _HOMES)),
        Variant(
            group,
            "one pool of the district, learned price (no L2)",
            learned("learned_price", _HOMES, _PRICES),
        ),
        Variant(group, "hierarchy, fixed prices", learned("hierarchy", _HOMES, **middle)),
        Variant(group, "hierarchy, mid-market prices", learned("hierarchy", _HOMES)),
        Variant(group, "hierarchy, learned prices", learned("hierarchy", _HOMES, _PRICES)),
        Variant(group, "one pool, batteries unused", ends["none"]),
        Variant(group, "community optimum", ends[BEST]),
    )
    notes = (
        "Fourteen houses in four microgrids (preset mahtm-district). Homes always learn (PPO, shared parameters).",
        "Every price agent, the distributor included, is paid minus the bills and emissions of its own pool's homes.",
        "The fixed price is 0.1, cut to the band between feed-in and retail price of each hour.",
    )
    return Study(variants, None, _FIGURES, notes, layer_runs)


studies.register(
    "mahtm-layers",
    "What learned prices are worth in MAHTM's one microgrid, against pool and optimum.",
)(_layers())
studies.register(
    "mahtm-district",
    "What each layer is worth in four microgrids: no L3, no L2, fixed, rule, learned.",
)(_district())
