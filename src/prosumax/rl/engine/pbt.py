"""Population-based training: many learners at once on one device; the worst become changed copies of the best.

A member is a whole community that learns. After every generation of some iterations each member is judged by what it
does when it does its best; those at the bottom take over everything that one at the top has learnt, with its
hyper-parameters changed a little (truncation selection and perturbation, Jaderberg et al. 2017, arXiv:1711.09846,
section 3 and appendix A.1). So hyper-parameters follow a course that suits the moment, and no run of a grid is wasted.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from prosumax.errors import InputError, did_you_mean
from prosumax.rl.engine.compilation import compiled
from prosumax.rl.engine.rollout import rollout, start
from prosumax.rl.engine.trainer import Figures, Schedule, Trainer, TrainState

NEAR_ONE = frozenset({"discount", "lam"})
"""Hyper-parameters that are changed by their distance from 1, which is what matters of them."""


class Population(NamedTuple):
    """Members side by side, on a leading axis of every array.

    Attributes:
        state: of each member's training.
        schedule: of each member's hyper-parameters.
    """

    state: TrainState
    schedule: Schedule


class Generation(NamedTuple):
    """What a generation did.

    Attributes:
        fitness: mean reward of a step over all homes, nobody trying things [member].
        source: whom each member goes on from; its own number where it was not replaced [member].
        hps: every team's hyper-parameters at its end, before anything was copied [member].
        figures: of its iterations [member, iteration, ..].
    """

    fitness: Float[Array, " member"]
    source: Int[Array, " member"]
    hps: tuple[Any, ...]
    figures: Figures


class Evolution(NamedTuple):
    """How a population changes.

    Attributes:
        names: hyper-parameters that evolve; those that no team has are left out, and one of 0 stays 0.
        share: of the population that is replaced, and that is copied; at most half.
        factors: a copy's hyper-parameters are each multiplied by one of these.
        spread: the first ones are those given, times up to this or its inverse; the first member's are as given.
    """

    names: tuple[str, ...]
    share: float = 0.25
    factors: tuple[float, float] = (0.8, 1.25)
    spread: float = 3.0


def evolution(
    hps: Sequence[Any], names: Sequence[str] | None = None, where: str = "--evolve", **rest: Any
) -> Evolution:
    """What evolves; when no names are given the learning rates and the weight of entropy.

    Arguments:
        hps: of every team.
        names: hyper-parameters.
        where: for messages.
        rest: as in `Evolution`.

    Raises:
        InputError: no team has such a hyper-parameter.
    """
    known = list(dict.fromkeys(name for hp in hps for name in hp._fields))
    for name in names or ():
        if name not in known:
            raise InputError(
                where, f"no learner has a hyper-parameter {name!r}", did_you_mean(name, known)
            )
    chosen = (
        [name for name in known if name.endswith("learning_rate") or name == "entropy"]
        if names is None
        else names
    )
    return Evolution(tuple(chosen), **rest)


def begin(
    trainer: Trainer,
    key: PRNGKeyArray,
    schedule: Schedule,
    params: Any,
    size: int,
    evolving: Evolution,
) -> Population:
    """The first generation: fresh learners, hyper-parameters spread around those given.

    Arguments:
        trainer: of one member.
        key: of all that is drawn.
        schedule: hyper-parameters of one member.
        params: of the environment.
        size: members.
        evolving: how it will change.

    Raises:
        InputError: fewer than 2 members.
    """
    if size < 2:
        raise InputError(
            "--population",
            f"is {size}",
            "It takes at least 2 members to copy one; 8 or more do well.",
        )
    spread_key, init_key = jax.random.split(key)
    reach = math.log(evolving.spread)

    def draw(key: PRNGKeyArray) -> Array:
        return jnp.exp(jax.random.uniform(key, (size,), minval=-reach, maxval=reach)).at[0].set(1.0)

    @jax.jit
    def members(schedule: Schedule, params: Any) -> Population:
        many = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (size, *jnp.shape(leaf))), schedule)
        schedules = _changed(many, evolving.names, spread_key, draw)
        states = jax.vmap(trainer.init, in_axes=(0, 0, None))(
            jax.random.split(init_key, size), schedules, params
        )
        return Population(states, schedules)

    made: Population = members(schedule, params)
    return made


def fitness(
    trainer: Trainer, state: TrainState, schedule: Schedule, params: Any, key: PRNGKeyArray
) -> Float[Array, ""]:
    """Mean reward of a step over all homes and one episode of every environment, with nobody trying things."""
    game, length = trainer.game, trainer.game.env.config.steps
    start_key, key = jax.random.split(key)
    carry = start(game, params, start_key, trainer.environments)
    hps = schedule.at(state.iteration)
    _, steps = rollout(game, state.learners, hps, carry, params, key, length, explore=False)
    return steps.reward.mean()


def evolve(
    key: PRNGKeyArray, population: Population, worth: Float[Array, " member"], evolving: Evolution
) -> tuple[Population, Int[Array, " member"]]:
    """Replace the worst by changed copies of the best.

    Arguments:
        key: of the choice of the copied and of the changes.
        population: before.
        worth: each member's fitness; not a number counts as worst.
        evolving: how many, and how.

    Returns:
        The population after, and whom each member goes on from [member].
    """
    size = worth.shape[0]
    count = min(max(1, round(evolving.share * size)), size // 2)
    pick_key, change_key, next_key = jax.random.split(key, 3)
    safe = jnp.where(jnp.isfinite(worth), worth, -jnp.inf)
    order = jnp.argsort(safe)
    worst, model = order[:count], jax.random.choice(pick_key, order[-count:], (count,))
    replaced = safe[model] > safe[worst]
    source = jnp.arange(size).at[worst].set(jnp.where(replaced, model, worst))
    state, schedule = jax.tree.map(lambda leaf: leaf[source], population)
    # A copy with the key of its model would see and try the same things.
    state = state._replace(key=jax.random.split(next_key, size))
    copied = source != jnp.arange(size)

    def draw(key: PRNGKeyArray) -> Array:
        factor = jax.random.choice(key, jnp.array(evolving.factors), (size,))
        return jnp.where(copied, factor, 1.0)

    return Population(state, _changed(schedule, evolving.names, change_key, draw)), source


Judge = Callable[[Trainer, TrainState, Schedule, Any, PRNGKeyArray], Float[Array, ""]]
"""What a member is worth; see `fitness`."""


def generation(
    trainer: Trainer,
    population: Population,
    params: Any,
    held_out: Any,
    key: PRNGKeyArray,
    iterations: int,
    evolving: Evolution,
    judge: Judge = fitness,
) -> tuple[Population, Generation]:
    """Train every member, judge it, and let the population evolve; one program.

    Arguments:
        trainer: of one member.
        population: before.
        params: of the environment that they learn in.
        held_out: params of the environment that they are judged in.
        key: of judgement and evolution.
        iterations: static; of training.
        evolving: static.
        judge: static.
    """
    judge_key, evolve_key = jax.random.split(key)
    chunk = jax.vmap(lambda state, schedule: trainer.chunk(state, schedule, params, iterations))
    state, figures = chunk(*population)
    trained = population._replace(state=state)
    # All are judged by the same dice.
    worth = jax.vmap(lambda state, schedule: judge(trainer, state, schedule, held_out, judge_key))(
        *trained
    )
    hps = jax.vmap(lambda state, schedule: schedule.at(state.iteration))(*trained)
    after, source = evolve(evolve_key, trained, worth, evolving)
    return after, Generation(worth, source, hps, figures)


class Evolved(NamedTuple):
    """What population-based training leaves behind.

    Attributes:
        population: after the last generation.
        history: every generation, as NumPy.
        best: number of the member with the highest fitness at the end; `member` takes it out.
    """

    population: Population
    history: list[Generation]
    best: int


def evolve_population(
    trainer: Trainer,
    schedule: Schedule,
    params: Any,
    key: PRNGKeyArray,
    *,
    size: int = 8,
    generations: int = 10,
    iterations: int = 10,
    evolving: Evolution | None = None,
    held_out: Any = None,
    judge: Judge = fitness,
    on_generation: Callable[[int, Generation], None] = lambda number, done: None,
) -> Evolved:
    """Train a population on one device.

    Arguments:
        trainer: of one member.
        schedule: its hyper-parameters to begin with.
        params: of the environment.
        key: of all that is drawn.
        size: members; memory and time grow with it.
        generations: how many.
        iterations: of training in each.
        evolving: what changes and how; `evolution` of the schedule's hyper-parameters when absent.
        held_out: params of the environment that members are judged in; those they learn in when absent.
        judge: says what a member is worth.
        on_generation: called with the number of each generation and what it did.

    Raises:
        InputError: fewer than 2 members.
    """
    chosen = evolution(schedule.first) if evolving is None else evolving
    begin_key, key = jax.random.split(key)
    population = begin(trainer, begin_key, schedule, params, size, chosen)
    advance = compiled(
        partial(generation, trainer, iterations=iterations, evolving=chosen, judge=judge),
        donate_argnames="population",
    )
    history: list[Generation] = []
    for number in range(generations):
        population, done = advance(
            population=population,
            params=params,
            held_out=params if held_out is None else held_out,
            key=jax.random.fold_in(key, number),
        )
        history.append(jax.tree.map(np.asarray, done))
        on_generation(number, history[-1])
    # The best is never replaced, so it still is what was judged.
    return Evolved(
        population, history, int(np.argmax(np.nan_to_num(history[-1].fitness, nan=-np.inf)))
    )


def member(population: Population, number: int) -> Population:
    """One member by itself, without the axis of members: state and schedule as `Trainer` takes them."""
    alone: Population = jax.tree.map(lambda leaf: leaf[number], population)
    return alone


def scaled(schedule: Schedule, name: str, factor: Array) -> Schedule:
    """Both ends of a hyper-parameter times a factor, on every team that has it."""

    def change(hps: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            hp._replace(**{name: _scaled(getattr(hp, name), factor, name in NEAR_ONE)})
            if name in hp._fields
            else hp
            for hp in hps
        )

    return schedule._replace(first=change(schedule.first), last=change(schedule.last))


def _changed(
    schedule: Schedule,
    names: Sequence[str],
    key: PRNGKeyArray,
    draw: Callable[[PRNGKeyArray], Array],
) -> Schedule:
    """Both ends of every evolving hyper-parameter times one factor that is drawn for it."""
    first, last = [], []
    for team, (begins, ends) in enumerate(zip(schedule.first, schedule.last, strict=True)):
        for number, name in enumerate(sorted(set(names) & set(begins._fields))):
            factor = draw(jax.random.fold_in(jax.random.fold_in(key, team), number))
            change = partial(_scaled, factor=factor, near_one=name in NEAR_ONE)
            begins = begins._replace(**{name: change(getattr(begins, name))})
            ends = ends._replace(**{name: change(getattr(ends, name))})
        first.append(begins)
        last.append(ends)
    return schedule._replace(first=tuple(first), last=tuple(last))


def _scaled(value: Array, factor: Array, near_one: bool) -> Array:
    return 1.0 - jnp.minimum((1.0 - value) * factor, 1.0) if near_one else value * factor
