"""Communities in which something learns: homes that try things, and an agent that sets the price.

Training goes through `prosumax.rl.training`: several tries at once, looked at in parts. What was learned then lives
through the whole period, and is billed like any other run.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from prosumax.optimization.gap import summarize_with_optimality
from prosumax.rl.engine.compilation import compiled
from prosumax.rl.engine.evaluation import fixed
from prosumax.rl.engine.rollout import rollout, start
from prosumax.rl.training.setup import Stage, stage_of
from prosumax.rl.training.training import Now, Training, train
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.results.result import Result
from prosumax.simulation.rollout import Trajectory, bill_alone
from prosumax.web.jobs.worker import Report
from prosumax.web.model.communities import community_of, learners_of, scenario_of
from prosumax.web.model.outcome import Outcome, Spread, outcome_of

SEEDS = 3
ROUNDS = 300
_ENVIRONMENTS = 32
_BEGUN, _PREPARED, _TRAINED = (
    0.02,
    0.2,
    0.92,
)  # shares of the work done when training is prepared, begins, ends
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "ppo": {"hidden": [32, 32], "learning_rate": 0.003, "discount": 0.95, "entropy": 0.002},
    "qlearning": {"learning_rate": 0.1, "discount": 0.95, "epsilon": 0.1, "cells": 7, "bins": 9},
}
_PRICE_GOAL = {"fairness": 1.0}
"""A price moves money between homes that do not answer to it and saves none: it can only be fairer or less so."""
_SEEN = ["hour_of_day", "load", "solar", "soc"]


def learn(spec: Mapping[str, Any], report: Report) -> Outcome:
    """Train whoever learns in a community, and run it with what they learned.

    Arguments:
        spec: from `communities.asked`.
        report: of rounds, with the curve so far.
    """
    report(_BEGUN / 2, "preparing")
    wanted = learning_scenario(spec)
    report(_BEGUN, "preparing")
    only_price = all(entry.homes is None for entry in wanted.population)
    what = "uneven" if only_price else "cost"
    rounds: list[int] = []
    curve: list[tuple[float, ...]] = []
    drawn: dict[str, Any] = {}

    def told(now: Now) -> None:
        preparing.set()
        rounds.append(now.iteration)
        # What the price agent is paid for is minus the mean difference of two homes' gains of a day.
        values = -now.by_seed["validation"] if only_price else now.by_seed["cost"]
        curve.append(tuple(values.tolist()))
        drawn.update(curve=tuple(curve), curve_rounds=tuple(rounds), curve_of=what)
        share = _PREPARED + (_TRAINED - _PREPARED) * now.iteration / now.iterations
        report(
            share, "training", now.seconds_left, round=now.iteration, rounds=now.iterations, **drawn
        )

    with _ticking(report) as preparing:
        training = train(
            _hours_of(wanted),
            iterations=ROUNDS,
            seeds=SEEDS,
            environments=_ENVIRONMENTS,
            finite=only_price,  # evenness is counted anew every day
            judged="no",
            on_progress=told,
        )
    stage = stage_of(replace(training.plan, scenario=wanted.model_dump(mode="json")))
    live = _live(stage)
    results = []
    for seed in range(SEEDS):
        share = _TRAINED + (1 - _TRAINED) * seed / SEEDS
        report(share, "trying", round=seed + 1, rounds=SEEDS, **drawn)
        results.append(_lived(live, stage, training, seed))
    return _outcome(results, training, rounds, curve, what)


@contextmanager
def _ticking(report: Report) -> Iterator[threading.Event]:
    """Goes on reporting while the program is compiled, which tells nothing, until the event that it yields is set."""
    over = threading.Event()

    def tick() -> None:
        share = _BEGUN
        while not over.wait(0.7):
            share += (_PREPARED - share) / 25
            try:
                report(share, "preparing")
            except Exception:
                return  # the job is to stop, and the first look at the training ends it

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield over
    finally:
        over.set()
        thread.join()


def learning_scenario(spec: Mapping[str, Any]) -> Scenario:
    """The scenario of a community with what its learners see and do, and who they are."""
    state, file = community_of(spec)
    scenario = scenario_of(state, file)
    population, goals = learners_of(state)
    names = [home.name for home in scenario.homes]
    return load_scenario(
        scenario,
        {
            "environment.episode_steps": min(
                round(24 / scenario.period.step_hours), scenario.period.steps
            ),
            "environment.observations": _SEEN,
            "population": [
                one | {"settings": dict(_SETTINGS[one["policy"]])} for one in population
            ],
            **({"environment.price_goal": _PRICE_GOAL} if state.rule == "learned" else {}),
            **{f"homes.{names.index(name)}.rewards": goal for name, goal in goals.items()},
        },
    )


def _hours_of(scenario: Scenario) -> Scenario:
    """The days agents train on, in steps of an hour: those of the period, and a month at least.

    What they learn is what power suits what they see, which is the same in quarter-hours; a day is a quarter as long.
    """
    if scenario.homes[0].load.source == "values":
        return scenario
    hours = max(30 * 24, round(scenario.period.steps * scenario.period.step_hours))
    return load_scenario(
        scenario,
        {"period.steps": hours, "period.step_minutes": 60, "environment.episode_steps": 24},
    )


def _lived(live: Any, stage: Stage, training: Training, seed: int) -> Result:
    """The whole period with what one try has learned."""
    states = jax.tree.map(lambda leaf: leaf[seed], training.learners)
    record, alone = live(states, stage.env.params, jax.random.key(seed))
    found = jax.tree.map(np.asarray, Trajectory(record, alone))
    return summarize_with_optimality(
        stage.scenario, stage.profiles, stage.env.params.community, found, {}
    )


def _live(stage: Stage) -> Any:
    """The period as one compiled program."""
    steps = stage.scenario.period.steps
    game = fixed(stage.game, steps)

    def live(states: Any, params: Any, key: Any) -> Any:
        begin, go = jax.random.split(key)
        carry = start(game, params, begin, 1)
        _, found = rollout(
            game,
            states,
            stage.schedule.last,
            carry,
            params,
            go,
            steps,
            explore=False,
            watch=lambda s: s.info["record"],
        )
        record = jax.tree.map(lambda leaf: leaf[:, 0], found.watched)
        return record, bill_alone(params.community, record)

    return compiled(live)


def _outcome(
    results: list[Result],
    training: Training,
    rounds: list[int],
    curve: list[tuple[float, ...]],
    what: str,
) -> Outcome:
    """The try in the middle is shown, and how far the others are from it."""
    costs = [float(result.kpis["cost"]) for result in results]
    shown = int(np.argsort(costs)[len(costs) // 2])
    outcomes = [outcome_of(result) for result in results]
    spread = Spread(
        cost=tuple(costs),
        cost_alone=tuple(float(result.kpis["cost_without_exchange"]) for result in results),
        shared_share=tuple(one.shared_share or 0.0 for one in outcomes),
        losers=tuple(one.losers for one in outcomes),
        rounds=training.iteration,
        curve_rounds=tuple(rounds),
        curve=tuple(curve),
        curve_of=what,
    )
    return replace(outcomes[shown], spread=spread)
