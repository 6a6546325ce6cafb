"""Value of each layer of MAHTM's hierarchy with homes and prices that learn.

`mahtm-layers` compares learned prices with a pool and the optimum in one microgrid,
`mahtm-district` the layers of a district of four microgrids.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Required, TypedDict, cast

import numpy as np

from prosumax.rl.training.comparison import SeedMetrics, evaluate_baselines
from prosumax.rl.training.setup import TrainingConfig, make_training_setup
from prosumax.rl.training.training import TrainingProgress, train
from prosumax.scenario.loading import load_scenario
from prosumax.studies.engine import Study, StudyProgress, Variant, mapping_metric, studies

COMMUNITY_OPTIMUM = "community-optimal"


class _Settings(TypedDict, total=False):
    """Settings of a run beside the changes to the scenario; see `layer_runs`."""

    preset: Required[str]
    controller: Required[str]
    iterations: int
    num_envs: int


_PPO_SETTINGS: dict[str, object] = {
    "learning_rate": 2e-3,
    "critic_learning_rate": 3e-3,
    "ent_coef": 0.01,
    "gamma": 1.0,
}
_ANNEAL = {"ent_coef": 0.0, "learning_rate": 2e-4}
_HOME_LEARNERS: dict[str, object] = {
    "homes": "others",
    "policy": "ppo",
    "paradigm": "dtde-shared",
    "settings": _PPO_SETTINGS,
}
_PRICE_LEARNERS: dict[str, object] = {
    "price_agents": "all",
    "policy": "ppo",
    "paradigm": "dtde",
    "settings": _PPO_SETTINGS,
}


def layer_runs(
    settings: Mapping[str, object], seeds: Sequence[int], on_progress: StudyProgress
) -> list[dict[str, float]]:
    """Evaluate one way to control MAHTM's homes, per home and day, per seed.

    Args:
        settings: `preset`; `controller`: `learned` for the population in the settings, a rule of
            homes or an optimum; `iterations` and `num_envs` for learners. Everything else is a
            change to the scenario.
        seeds: Seeds of the learners.
        on_progress: Called with the completed share.

    Returns:
        Metrics of each seed, by the last part of their catalog keys (`layers.*`).
    """
    own = cast(_Settings, settings)
    preset = own["preset"]
    count = len(seeds)
    num_homes = len(load_scenario(preset).homes)
    pool, optimum = _reference_objectives(preset)

    def report(progress: TrainingProgress) -> None:
        on_progress(progress.iteration / progress.iterations)

    if own["controller"] == "learned":
        changes = {
            path: value for path, value in settings.items() if path not in _Settings.__annotations__
        }
        result = train(
            preset,
            changes,
            anneal=_ANNEAL,
            bootstrap_on_truncation=False,
            seeds=count,
            evaluation="learned",
            iterations=own.get("iterations", 100),
            num_envs=own.get("num_envs", 16),
            on_progress=report,
        )
        learned = result.test_metrics["learned"]
        metrics = {name: np.asarray(values) for name, values in learned.items()}
    else:
        metrics = _evaluate_baseline(preset, own["controller"], count)
    runs = []
    for position in range(count):
        run = {name: float(values[position]) for name, values in metrics.items()}
        objective = run["objective"] / num_homes
        runs.append(
            {
                "reward": -objective,
                "gap_closed": (pool - objective) / (pool - optimum),
                "cost": run.get("cost", np.nan) / num_homes,
                "emissions_kg": run.get("emissions_kg", np.nan) / num_homes,
                "p2p_share": run.get("p2p_share", np.nan),
            }
        )
    return runs


def _evaluate_baseline(preset: str, controller: str, seeds: int) -> SeedMetrics:
    """Evaluate a rule of homes under a pool of all, or an optimum."""
    # Power is continuous: none of MAHTM's forty levels is zero, so no battery would ever be idle.
    changes = {"market.mechanism": "price_mid_market", "environment.power_levels": None}
    homes = {"homes": "others", "policy": "ppo"}
    scenario = load_scenario(load_scenario(preset, changes), {"population": [homes]})
    config = TrainingConfig(scenario.model_dump(mode="json"), 1, seeds)
    rules = () if controller in (COMMUNITY_OPTIMUM, "optimal") else (controller,)
    return evaluate_baselines(make_training_setup(config), rules)[controller]


@lru_cache
def _reference_objectives(preset: str) -> tuple[float, float]:
    """Compute the objective per home of one pool with idle batteries, and of the optimum."""
    num_homes = len(load_scenario(preset).homes)
    pool = _evaluate_baseline(preset, "none", 1)["objective"][0]
    optimum = _evaluate_baseline(preset, COMMUNITY_OPTIMUM, 1)["objective"][0]
    return float(pool) / num_homes, float(optimum) / num_homes


_METRICS = (
    mapping_metric("layers.reward"),
    mapping_metric("layers.gap_closed"),
    mapping_metric("layers.cost"),
    mapping_metric("layers.emissions_kg"),
    mapping_metric("layers.p2p_share"),
)

_AGENT_SETTINGS: dict[str, object] = {
    "environment.power_levels": None,
    "environment.observations": [
        "hour_of_day",
        "retail",
        "emission_factor",
        "load",
        "solar",
        "soc",
        "battery_capacity",
        "solar_peak",
        "load_peak",
        "local_buy",
        "local_sell",
        "district_buy",
        "district_sell",
    ],
    "environment.rewards": {"cost": 1.0, "emissions": 1.0},
    "environment.price_rewards": {"community_cost": 1.0, "emissions": 1.0},
}
"""Observations of homes and rewards of both kinds of agents; battery power is continuous."""


def _learned(
    preset: str, mechanism: str, *population: dict[str, object], **changes: object
) -> dict[str, object]:
    """Return the settings of a variant whose population learns."""
    return {
        "preset": preset,
        "controller": "learned",
        "market.mechanism": mechanism,
        "population": list(population),
        **_AGENT_SETTINGS,
        **changes,
    }


def _make_layers_study() -> Study:
    preset = "mahtm-train"
    settings: dict[str, dict[str, object]] = {
        "pool only, idle batteries": {"preset": preset, "controller": "none"},
        "individual optimum, no pool": {"preset": preset, "controller": "optimal"},
        "homes learn, no pool": _learned(preset, "none", _HOME_LEARNERS),
        "homes learn, mid-market price": _learned(preset, "price_mid_market", _HOME_LEARNERS),
        "homes and price learn": _learned(preset, "learned_price", _HOME_LEARNERS, _PRICE_LEARNERS),
        "community optimum": {"preset": preset, "controller": COMMUNITY_OPTIMUM},
    }
    notes = (
        "MAHTM's houses of table 4. Homes learn with PPO and shared parameters; the reward of each"
        " is the negative of its bill and emissions, that of the price agent (PPO) the negative of"
        " all. Policies are deterministic in the test.",
        "The gap is from one pool of all homes with idle batteries (-1.0588) to the optimum of the"
        " community (-0.7119).",
    )
    variants = tuple(Variant("one microgrid", name, value) for name, value in settings.items())
    return Study(variants, None, _METRICS, notes, layer_runs)


def _make_district_study() -> Study:
    preset = "mahtm-district"
    fixed_price = {"market.price_policy": "fixed", "market.price": 0.1}
    settings: dict[str, dict[str, object]] = {
        "isolated microgrids, learned prices (no L3)": _learned(
            preset, "microgrids", _HOME_LEARNERS, _PRICE_LEARNERS
        ),
        "isolated microgrids, mid-market prices (no L3)": _learned(
            preset, "microgrids", _HOME_LEARNERS
        ),
        "no pools at all": _learned(preset, "none", _HOME_LEARNERS),
        "one pool of the district, learned price (no L2)": _learned(
            preset, "learned_price", _HOME_LEARNERS, _PRICE_LEARNERS
        ),
        "hierarchy, fixed prices": _learned(preset, "hierarchy", _HOME_LEARNERS, **fixed_price),
        "hierarchy, mid-market prices": _learned(preset, "hierarchy", _HOME_LEARNERS),
        "hierarchy, learned prices": _learned(preset, "hierarchy", _HOME_LEARNERS, _PRICE_LEARNERS),
        "one pool, idle batteries": {"preset": preset, "controller": "none"},
        "community optimum": {"preset": preset, "controller": COMMUNITY_OPTIMUM},
    }
    notes = (
        "Fourteen houses in four microgrids (preset mahtm-district). Homes always learn (PPO,"
        " shared parameters).",
        "The reward of every price agent, the distributor included, is the negative of the bills"
        " and emissions of the homes of its own pool.",
        "The fixed price is 0.1, clipped to the range between feed-in and retail price of each"
        " hour.",
    )
    variants = tuple(Variant("four microgrids", name, value) for name, value in settings.items())
    return Study(variants, None, _METRICS, notes, layer_runs)


studies.register(
    "mahtm-layers",
    "Value of learned prices in MAHTM's one microgrid, against pool and optimum.",
)(_make_layers_study())
studies.register(
    "mahtm-district",
    "Value of each layer in four microgrids: no L3, no L2, fixed, rule, learned.",
)(_make_district_study())
