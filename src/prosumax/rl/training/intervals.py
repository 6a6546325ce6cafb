"""Train seeds from one look to the next: judged on validation days, the best learners kept."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.rl.engine.compilation import compiled
from prosumax.rl.engine.parallel_seeds import each, lanes
from prosumax.rl.engine.trainer import Figures, Schedule, TrainState
from prosumax.rl.training.comparison import Judge
from prosumax.rl.training.setup import Plan, Stage
from prosumax.rl.types import EnvParams

_LOOKS = 50  # of a whole training run, about

CURVES = ("reward", "validation", "cost", "entropy", "p2p_share")
"""Figures of a look."""


class Seed(NamedTuple):
    """One seed of a training run: all that is needed to go on.

    Attributes:
        train: where it is.
        best: state of every team's learners when they were best on validation days.
        score: their reward there.
        curves: of `CURVES`, NaN where it has not been.
    """

    train: TrainState
    best: tuple[Any, ...]
    score: Float[NDArray[np.float32], ""]
    curves: dict[str, Float[NDArray[np.float32], " look"]]


Lane = tuple[Seed, ...]
"""Seeds of one call; see `lanes`."""


def every(plan: Plan) -> int:
    """Iterations between two looks."""
    return -(-plan.iterations // _LOOKS)


def like(stage: Stage) -> list[Seed]:
    """Shapes of the seeds of a training run."""
    train = jax.eval_shape(
        lambda *given: _begin(stage, 0, *given), stage.schedule, stage.training_params
    )
    return [_fresh(stage, train)] * stage.plan.seeds


def prepare(
    stage: Stage, judge: Judge, seeds: list[Seed] | None
) -> tuple[list[Seed], Callable[[Lane], Lane]]:
    """Seeds at their beginning, and what advances a lane of them by one look.

    Its programs are compiled side by side, in the background while the first one runs.

    Arguments:
        stage: what is trained.
        judge: of the stage's game.
        seeds: where to go on from instead.
    """
    plan, given, whole = stage.plan, (stage.schedule, stage.training_params), stage.env.params
    days, same = (
        jnp.asarray(stage.days.validation),
        jax.random.key(0),
    )  # the same days and draws at every look

    def learn(
        train: TrainState, schedule: Schedule, params: EnvParams
    ) -> tuple[TrainState, Any, dict[str, Array]]:
        train, shown = stage.trainer.chunk(train, schedule, params, every(plan))
        return _typed(train), schedule.at(train.iteration), _shown(shown)

    learn_all = compiled(lambda lane, *given: each(lambda train: learn(train, *given), lane))
    lane = lanes([seed.train for seed in like(stage)])[0]
    learned = jax.eval_shape(learn_all, lane, *given)
    pool = ThreadPoolExecutor()
    learning = pool.submit(lambda: learn_all.lower(lane, *given).compile())
    players = tuple((train.learners, hps, same) for train, hps, _ in learned)
    judging = pool.submit(lambda: judge.lower(players, days, whole).compile())
    pool.shutdown(wait=False)
    if seeds is None:
        begin = compiled(lambda *given: _begin(stage, *given))
        seeds = [_fresh(stage, begin(np.int32(number), *given)) for number in range(plan.seeds)]

    def advance(lane: Lane) -> Lane:
        done = learning.result()(tuple(seed.train for seed in lane), *given)
        found = judging.result()(
            tuple((train.learners, hps, same) for train, hps, _ in done), days, whole
        )
        return tuple(
            _looked(
                seed, train, jax.device_get(figures | shown), every(plan), stage.env.config.steps
            )
            for seed, (train, _, shown), figures in zip(lane, done, found, strict=True)
        )

    return seeds, advance


def _begin(stage: Stage, number: Array | int, schedule: Schedule, params: EnvParams) -> TrainState:
    return _typed(
        stage.trainer.init(jax.random.key(stage.plan.first_seed + number), schedule, params)
    )


def _fresh(stage: Stage, train: TrainState) -> Seed:
    looks = -(-stage.plan.iterations // every(stage.plan))
    curves = {name: np.full(looks, np.nan, np.float32) for name in CURVES}
    return Seed(train, train.learners, np.array(-np.inf, np.float32), curves)


def _shown(figures: Figures) -> dict[str, Array]:
    entropy = [team["entropy"].mean() for team in figures.teams if "entropy" in team]
    mean = jnp.stack(entropy).mean() if entropy else jnp.float32(jnp.nan)
    return {"paid": figures.reward.mean(), "entropy": mean}


def _looked(
    seed: Seed, train: TrainState, figures: dict[str, Any], iterations: int, steps: int
) -> Seed:
    """The seed after a look."""
    at = int(train.iteration) // iterations - 1
    new = {
        "reward": figures["paid"] * steps,
        "validation": figures["score"],
        "cost": figures["cost"],
        "entropy": figures["entropy"],
        "p2p_share": figures["p2p_share"],
    }
    curves = {
        name: np.where(np.arange(len(values)) == at, new[name], values)
        for name, values in seed.curves.items()
    }
    best, score = seed.best, seed.score
    if figures["score"] > score:
        best, score = train.learners, figures["score"]
    return Seed(train, best, score, curves)


def _typed(train: TrainState) -> TrainState:
    """With explicit types: JAX would compile once more for what comes back with stronger ones."""
    key = jax.dtypes.prng_key
    strong: TrainState = jax.tree.map(
        lambda leaf: leaf if jnp.issubdtype(leaf.dtype, key) else jnp.asarray(leaf, leaf.dtype),
        train,
    )
    return strong
