"""Training of communities with learning agents: homes, or an agent that sets the price.

Several seeds are trained in parallel and evaluated at intervals. The trained policies are then
simulated over the whole period, which is billed like any other run.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from prosumax.optimization.gap import summarize_with_optimality
from prosumax.rl.engine.compilation import jit_program
from prosumax.rl.engine.evaluation import with_fixed_start
from prosumax.rl.engine.rollout import collect_rollout, init_rollout
from prosumax.rl.training.setup import TrainingSetup, make_training_setup
from prosumax.rl.training.training import TrainingProgress, TrainingResult, train
from prosumax.rl.types import EnvParams
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.dynamics import StepRecord
from prosumax.simulation.results.result import Result
from prosumax.simulation.rollout import Trajectory, standalone_bill
from prosumax.web.jobs.worker import JobProgressCallback
from prosumax.web.model.communities import build_population, community_scenario, from_job_spec
from prosumax.web.model.outcome import CommunityOutcome, TrainingSpread, summarize_outcome

SEEDS = 3
ITERATIONS = 300
_NUM_ENVS = 32
# Shares of the work that are complete when preparation starts, when training starts and when it
# ends.
_STARTED = 0.02
_PREPARED = 0.2
_TRAINED = 0.92
_SETTINGS: Mapping[str, Mapping[str, object]] = {
    "ppo": {"hidden_sizes": [32, 32], "learning_rate": 0.003, "gamma": 0.95, "ent_coef": 0.002},
    "qlearning": {
        "learning_rate": 0.1,
        "gamma": 0.95,
        "epsilon": 0.1,
        "obs_bins": 7,
        "action_bins": 9,
    },
}
_PRICE_REWARD = {"fairness": 1.0}
"""Rewards of the price agent.

The price redistributes money between homes that do not respond to it, and saves none, so only
fairness depends on it.
"""
_OBSERVATIONS = ["hour_of_day", "load", "solar", "soc"]


def train_community(spec: Mapping[str, object], report: JobProgressCallback) -> CommunityOutcome:
    """Train the learning agents of a community and simulate it with the trained policies.

    Args:
        spec: Result of `communities.to_job_spec`.
        report: Progress callback; its details contain the learning curve.
    """
    report(_STARTED / 2, "preparing")
    scenario = learning_scenario(spec)
    report(_STARTED, "preparing")
    price_only = all(entry.homes is None for entry in scenario.population)
    curve_metric = "uneven" if price_only else "cost"
    rounds: list[int] = []
    curve: list[tuple[float, ...]] = []
    details: dict[str, object] = {}

    def on_progress(training: TrainingProgress) -> None:
        compiled.set()
        rounds.append(training.iteration)
        by_seed = training.metrics_by_seed
        # The price agent's return is minus the mean difference of two homes' savings of a day.
        values = -by_seed["validation"] if price_only else by_seed["cost"]
        curve.append(tuple(values.tolist()))
        details.update(curve=tuple(curve), curve_rounds=tuple(rounds), curve_metric=curve_metric)
        trained = training.iteration / training.iterations
        report(
            _PREPARED + (_TRAINED - _PREPARED) * trained,
            "training",
            training.seconds_left,
            round=training.iteration,
            rounds=training.iterations,
            **details,
        )

    with _progress_while_compiling(report) as compiled:
        training = train(
            _hourly_scenario(scenario),
            iterations=ITERATIONS,
            seeds=SEEDS,
            num_envs=_NUM_ENVS,
            bootstrap_on_truncation=not price_only,  # Fairness is computed per day.
            evaluation="none",
            on_progress=on_progress,
        )
    config = replace(training.config, scenario=scenario.model_dump(mode="json"))
    setup = make_training_setup(config)
    simulate_period = _compile_period(setup)
    results = []
    for seed in range(SEEDS):
        progress = _TRAINED + (1 - _TRAINED) * seed / SEEDS
        report(progress, "trying", None, round=seed + 1, rounds=SEEDS, **details)
        results.append(_run_period(simulate_period, setup, training, seed))
    return _median_outcome(results, training, rounds, curve, curve_metric)


@contextmanager
def _progress_while_compiling(report: JobProgressCallback) -> Iterator[threading.Event]:
    """Report slowly rising progress until the yielded event is set or the block is left."""
    compiled = threading.Event()

    def report_periodically() -> None:
        progress = _STARTED
        while not compiled.wait(0.7):
            progress += (_PREPARED - progress) / 25
            try:
                report(progress, "preparing")
            except Exception:
                return  # The job is cancelled; the first report of the training ends it.

    thread = threading.Thread(target=report_periodically, daemon=True)
    thread.start()
    try:
        yield compiled
    finally:
        compiled.set()
        thread.join()


def learning_scenario(spec: Mapping[str, object]) -> Scenario:
    """Build the scenario of a community with observations, rewards and learning agents.

    Args:
        spec: Result of `communities.to_job_spec`.
    """
    state, file = from_job_spec(spec)
    scenario = community_scenario(state, file)
    population, rewards = build_population(state)
    names = [home.name for home in scenario.homes]
    steps_per_day = round(24 / scenario.period.step_hours)
    overrides: dict[str, object] = {
        "environment.episode_steps": min(steps_per_day, scenario.period.steps),
        "environment.observations": _OBSERVATIONS,
        "population": [
            entry | {"settings": dict(_SETTINGS[cast(str, entry["policy"])])}
            for entry in population
        ],
    }
    if state.rule == "learned":
        overrides["environment.price_rewards"] = _PRICE_REWARD
    for name, weights in rewards.items():
        overrides[f"homes.{names.index(name)}.rewards"] = weights
    return load_scenario(scenario, overrides)


def _hourly_scenario(scenario: Scenario) -> Scenario:
    """Return the training scenario: at least a month, in steps of one hour.

    Policies map observations to powers, which is the same in steps of a quarter-hour; hourly
    episodes are four times shorter.
    """
    if scenario.homes[0].load.source == "values":
        return scenario
    hours = max(30 * 24, round(scenario.period.steps * scenario.period.step_hours))
    return load_scenario(
        scenario,
        {"period.steps": hours, "period.step_minutes": 60, "environment.episode_steps": 24},
    )


def _run_period(
    simulate_period: jax.stages.Wrapped, setup: TrainingSetup, training: TrainingResult, seed: int
) -> Result:
    """Simulate the whole period with the policies trained with one seed."""
    states = jax.tree.map(lambda leaf: leaf[seed], training.learners)
    record, baseline = simulate_period(states, setup.env.params, jax.random.key(seed))
    trajectory = jax.tree.map(np.asarray, Trajectory(record, baseline))
    return summarize_with_optimality(
        setup.scenario, setup.profiles, setup.env.params.community, trajectory, {}
    )


def _compile_period(setup: TrainingSetup) -> jax.stages.Wrapped:
    """Return the simulation of the whole period as one compiled program."""
    steps = setup.scenario.period.steps
    agents = with_fixed_start(setup.agents, steps)

    def simulate_period(
        states: Sequence[PyTree], params: EnvParams, key: PRNGKeyArray
    ) -> tuple[StepRecord, Array]:
        reset_key, rollout_key = jax.random.split(key)
        rollout_state = init_rollout(agents, params, reset_key, 1)
        _, rollout = collect_rollout(
            agents,
            states,
            setup.schedule.final,
            rollout_state,
            params,
            rollout_key,
            steps,
            deterministic=True,
            metrics_fn=lambda step: step.info["record"],
        )
        record = jax.tree.map(lambda leaf: leaf[:, 0], rollout.metrics)
        return record, standalone_bill(params.community, record)

    return jit_program(simulate_period)


def _median_outcome(
    results: list[Result],
    training: TrainingResult,
    rounds: list[int],
    curve: list[tuple[float, ...]],
    curve_metric: str,
) -> CommunityOutcome:
    """Return the outcome of the seed with the median cost, and the spread over all seeds."""
    costs = [float(result.kpis["cost"]) for result in results]
    median = int(np.argsort(costs)[len(costs) // 2])
    outcomes = [summarize_outcome(result) for result in results]
    spread = TrainingSpread(
        cost=tuple(costs),
        baseline_cost=tuple(float(result.kpis["cost_without_exchange"]) for result in results),
        shared_share=tuple(outcome.shared_share or 0.0 for outcome in outcomes),
        losers=tuple(outcome.losers for outcome in outcomes),
        rounds=training.iteration,
        curve_rounds=tuple(rounds),
        curve=tuple(curve),
        curve_metric=curve_metric,
    )
    return replace(outcomes[median], spread=spread)
