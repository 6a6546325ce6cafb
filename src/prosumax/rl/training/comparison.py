"""How players did on days: figures, and the rules and the optimum beside them."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from prosumax.optimization.planning import plan_alone, plan_together
from prosumax.optimization.problem import cost_alone, cost_together, pose
from prosumax.rl.engine.compilation import compiled
from prosumax.rl.engine.evaluation import Account, fixed, play
from prosumax.rl.engine.multi_agent import make_game
from prosumax.rl.engine.parallel_seeds import each, lanes, side_by_side
from prosumax.rl.engine.rollout import Game
from prosumax.rl.engine.scripted import PriceScript, script
from prosumax.rl.env import CommunityEnv
from prosumax.rl.training.setup import Stage
from prosumax.rl.types import EnvParams


def p2p_share(days: Account) -> Array:
    """Local share of all energy traded, over the days."""
    local = days.bought.sum()
    return local / jnp.maximum(local + days.grid_in.sum() + days.grid_out.sum(), 1e-9)


def figures_of(days: Account, carbon_price: float = 0.0) -> dict[str, Array]:
    """Key figures of played episodes [day, home]: means per episode, of the whole community unless it says home.

    Arguments:
        days: from `play`.
        carbon_price: per kg, of the scenario's objective.
    """
    priced = carbon_price * jnp.nan_to_num(days.carbon) if carbon_price else 0.0
    return {
        "reward": days.reward.mean(),
        "objective": (days.bill + priced).sum(-1).mean(),
        "cost": days.bill.sum(-1).mean(),
        "carbon_kg": days.carbon.sum(-1).mean(),
        "welfare": days.surplus.sum(-1).mean(),
        "p2p_share": p2p_share(days),
        "imbalance": days.imbalance.mean(),
        "grid_kwh": days.grid_in.sum(-1).mean(),
    }


FIGURES = {
    "reward": "Reward per home and episode",
    "objective": "Bills and priced carbon per episode",
    "cost": "All bills per episode",
    "carbon_kg": "Emissions per episode, kg",
    "welfare": "Gains from local trade per episode",
    "p2p_share": "Local share of all trade",
    "imbalance": "Imbalance of orders, of capacity",
    "grid_kwh": "Bought from the grid per episode, kWh",
}
"""What is reported of test days."""


Figures = dict[str, NDArray[np.float64]]
"""Figure -> values [seed]."""


Judge = Any
"""From `jax.jit`: of a lane of players (states, their hyper-parameters, key), first steps and parameters."""


def judge(stage: Stage, learners: tuple[Any, ...]) -> dict[str, Figures]:
    """The test days, played by what was learned (`learned`), by rules, and their optimum: by player.

    Arguments:
        stage: with the days.
        learners: of every team [seed, group, ..].
    """
    return {"learned": judge_learned(stage, learners)} | judge_others(stage)


def judge_learned(stage: Stage, learners: tuple[Any, ...], judge: Judge = None) -> Figures:
    """The test days, played by what was learned.

    Arguments:
        stage: with the days.
        learners: of every team [seed, group, ..].
        judge: `judge_of` its game, where it is there already.
    """
    return _judged(stage, judge or judge_of(stage, stage.game), learners)


def judge_others(stage: Stage, rules: Sequence[str] | None = None) -> dict[str, Figures]:
    """The test days, played by rules, and their optimum: by player.

    Arguments:
        stage: with the days.
        rules: those that suit the environment when absent.
    """
    game = stage.game
    homes, agents = tuple(range(stage.env.num_homes)), tuple(range(stage.env.num_agents))
    prices = (PriceScript(agents[len(homes) :]),) if len(agents) > len(homes) else ()
    # Where only prices learn, the same homes under the price that the rule sets.
    only_prices = prices and not any(set(team.homes) & set(homes) for team in game.teams)
    games: dict[str, Game] = {}
    if only_prices:
        others = (*(one for one in game.scripts if not isinstance(one, PriceScript)), *prices)
        games[f"{stage.scenario.market.price_policy} price"] = make_game(game.env, (), others)
    for name in (() if only_prices else baselines(stage.env)) if rules is None else rules:
        games[name] = make_game(game.env, (), (script(stage.env, homes, name, "baseline"), *prices))
    # Side by side since each is a program of its own, and compiling it takes longer than playing.
    found = side_by_side(
        lambda ruled: _judged(stage, judge_of(stage, ruled), ()), list(games.values())
    )
    return dict(zip(games, found, strict=True)) | optima(stage, stage.days.test)


def judge_of(stage: Stage, game: Game) -> Judge:
    """What plays some days with a game and returns `figures_of` them, and the `score` of its learners, for each seed.

    Arguments:
        stage: with the environment.
        game: who plays.
    """
    game = fixed(game, stage.env.config.steps)
    learning = jnp.array(sorted(agent for team in game.teams for agent in team.homes), int)

    def one(player: Any, first: Array, params: EnvParams) -> dict[str, Array]:
        states, hps, key = player
        days = play(game, states, hps, params, first, key)
        score = {"score": days.reward[..., learning].mean()} if learning.size else {}
        return figures_of(days, stage.scenario.objective.carbon_price_per_kg) | score

    return compiled(
        lambda lane, first, params: each(lambda player: one(player, first, params), lane)
    )


def _judged(stage: Stage, judge: Judge, learners: tuple[Any, ...]) -> Figures:
    """The test days of every seed."""
    keys = [jax.random.key(stage.plan.first_seed + number) for number in range(stage.plan.seeds)]
    stored = jax.tree.map(np.asarray, learners)
    of_seed = [
        jax.tree.map(lambda leaf, seed=seed: leaf[seed], stored) for seed in range(len(keys))
    ]
    hps = stage.schedule.last[: len(learners)]
    first = jnp.asarray(stage.days.test)
    seeds = lanes([(states, hps, key) for states, key in zip(of_seed, keys, strict=True)])
    done = side_by_side(lambda lane: judge(lane, first, stage.env.params), seeds)
    found = [figures for lane in done for figures in lane]
    return {name: np.array([float(one[name]) for one in found]) for name in FIGURES}


def optima(stage: Stage, first: NDArray[np.int64]) -> dict[str, Figures]:
    """What the two optima would pay on some days: `objective` only, since they trade on no market.

    Empty where the solver is not installed. Network fees are no part of it.

    Arguments:
        stage: with the environment.
        first: first steps of the episodes.
    """
    if any(importlib.util.find_spec(name) is None for name in ("linopy", "highspy")):
        return {}
    steps, whole = (
        stage.env.config.steps,
        pose(stage.scenario, stage.profiles, stage.env.params.community),
    )
    problems = [whole.between(int(at), int(at) + steps) for at in first]
    alone = [float(cost_alone(one, plan_alone(one).net_kwh).sum()) for one in problems]
    together = [cost_together(one, plan_together(one).net_kwh) for one in problems]
    values = {"optimal": np.mean(alone), "community-optimal": np.mean(together)}
    return {name: {"objective": np.full(stage.plan.seeds, value)} for name, value in values.items()}


def baselines(env: CommunityEnv) -> tuple[str, ...]:
    """Rules that learners are compared with."""
    if env.config.control == "bid":
        return ("marlem-zero-intelligence", "zero-intelligence", "truthful", "self-consumption")
    return ("zero-intelligence", "none", "self-consumption")
