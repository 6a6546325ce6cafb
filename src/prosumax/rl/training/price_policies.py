"""Price agents of a training run, at work in a plain run: what learned to set prices announces them there."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float

from prosumax.errors import InputError
from prosumax.market.mechanism import mechanisms
from prosumax.market.pricing.hierarchy import agent_names
from prosumax.market.pricing.posted import RULE, Outlook, price_observations, price_rules, see
from prosumax.rl.components.spaces import Mask, widest_of
from prosumax.rl.engine.agent_groups import Team
from prosumax.rl.training.setup import Stage, read_learners, read_plan, stage_of
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import Community, market_options


def with_trained_prices(
    scenario: Scenario, community: Community, data_dir: Path | str | None = None
) -> Community:
    """The community with its prices set by a training run, where `market.price_policy` names one.

    Raises:
        InputError: it is neither a rule nor a run whose price agents are those of the scenario.
    """
    named, where = scenario.market.price_policy, f"{scenario.name}: market.price_policy"
    mechanism = mechanisms.get(scenario.market.mechanism, "market.mechanism")
    if community.pricing is None or named in price_rules or not mechanism.has_agents:
        return community
    folder = Path(named).expanduser()
    if not folder.is_dir():
        cure = f"Name a rule ({', '.join(price_rules)}) or the folder of a training run."
        raise InputError(where, f"{named!r} is neither a rule nor a folder", cure)
    stage = stage_of(read_plan(folder), data_dir)
    theirs, ours = (
        stage.env.config.price_agents,
        agent_names(mechanism.levels, market_options(scenario)),
    )
    if theirs != ours:
        what = f"was trained with price agents {', '.join(theirs) or '(none)'}, and here there are {', '.join(ours)}"
        raise InputError(where, what, "Train on a scenario with the same mechanism and microgrids.")
    policy = price_policy(stage, read_learners(folder, stage), best_seed(folder), where)
    return community._replace(pricing=community.pricing._replace(policy=policy))


def best_seed(folder: Path) -> int:
    """Position of the seed whose learners did best on validation days."""
    with (folder / "curves.csv").open(encoding="utf-8") as file:
        rows = [(float(row["validation"]), int(row["seed"])) for row in csv.DictReader(file)]
    return max(rows)[1] - min(seed for _, seed in rows)


def price_policy(
    stage: Stage, learners: Sequence[Any], seed: int, where: str = "prices"
) -> Partial:
    """What the price agents of a run learned, as a function from what they see to shares of the band.

    Arguments:
        stage: of the run.
        learners: of every team [seed, group, ..].
        seed: position of the one to take.
        where: for messages.

    Raises:
        InputError: no price agent learned, or one that remembers.
    """
    homes = stage.env.num_homes
    both = zip(stage.game.teams, learners, stage.schedule.last, strict=True)
    found = [(team, jax.tree.map(lambda leaf: leaf[seed], states), hp) for team, states, hp in both]
    found = [one for one in found if one[0].homes[0] >= homes]
    if not found:
        raise InputError(
            where,
            "is a run in which no price agent learned",
            "Train with a price agent in population.",
        )
    if any(team.learner.memory_size for team, _, _ in found):
        raise InputError(
            where, "is a run of recurrent price agents", "Train without setting `recurrent`."
        )
    terms = tuple(
        price_observations.get(name, where) for name in stage.env.config.price_observations
    )
    teams, hps = [team for team, _, _ in found], [hp for _, _, hp in found]
    space, agents, width = (
        widest_of(stage.env),
        stage.env.num_agents,
        max(team.features for team in teams),
    )

    def decide(states: Sequence[Any], seen: Outlook) -> Float[Array, "agent 2"]:
        obs = jnp.zeros((1, agents, width)).at[0, homes:].set(see(seen, terms))
        free = Mask(
            jnp.ones((1, agents, space.numbers), bool),
            jnp.ones((1, agents, space.choices, space.options), bool),
        )
        shares = jnp.full((agents - homes, 2), RULE)
        for team, state, hp in zip(teams, states, hps, strict=True):
            done = _act(team, state, team.see(obs), team.masks(free), hp)
            own = np.array(team.homes) - homes
            shares = shares.at[own].set((team.to_homes(done.action).numbers[0] + 1.0) / 2.0)
        return shares

    return Partial(decide, [state for _, state, _ in found])


def _act(team: Team, state: Any, obs: Array, mask: Mask, hp: Any) -> Any:
    """The likeliest action of every group."""
    memory = jnp.zeros((*team.agents.shape[:1], 1, team.agents.shape[1], 0))
    act = jax.vmap(
        lambda state, obs, mask, memory: team.learner.act(state, obs, mask, memory, hp, None)
    )
    return act(state, obs, mask, memory)
