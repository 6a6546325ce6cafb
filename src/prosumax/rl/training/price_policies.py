"""Use of learned price agents in a simulation: they post the prices that they learned to set."""

import csv
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, PyTree

from prosumax.errors import InputError
from prosumax.market.mechanism import mechanisms
from prosumax.market.pricing.hierarchy import price_agent_names
from prosumax.market.pricing.posted import (
    USE_RULE,
    PricingContext,
    observe_prices,
    posted_price_rules,
    price_observations,
)
from prosumax.rl.components.spaces import ActionMask, padded_action_space
from prosumax.rl.engine.rollout import act_in_group
from prosumax.rl.training.setup import (
    TrainingSetup,
    load_learners,
    load_training_config,
    make_training_setup,
)
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, market_options


def with_learned_prices(
    scenario: Scenario, community: Community, data_dir: Path | str | None = None
) -> Community:
    """Return the community with learned prices where `market.price_policy` names a training run.

    Args:
        scenario: Scenario of the community.
        community: Community.
        data_dir: Folder of data sets.

    Raises:
        InputError: `market.price_policy` is neither a rule nor a run with the scenario's price
            agents.
    """
    name = scenario.market.price_policy
    where = f"{scenario.name}: market.price_policy"
    mechanism = mechanisms.get(scenario.market.mechanism, "market.mechanism")
    if community.pricing is None or name in posted_price_rules or not mechanism.has_price_agents:
        return community
    folder = Path(name).expanduser()
    if not folder.is_dir():
        fix = f"Name a rule ({', '.join(posted_price_rules)}) or the folder of a training run."
        raise InputError(where, f"{name!r} is neither a rule nor a folder", fix)
    setup = make_training_setup(load_training_config(folder), data_dir)
    trained = setup.env.config.price_agents
    required = price_agent_names(mechanism.levels, market_options(scenario))
    if trained != required:
        raise InputError(
            where,
            f"the run must have the price agents {', '.join(required)}, "
            f"got {', '.join(trained) or 'none'}",
            "Train on a scenario with the same mechanism and microgrids.",
        )
    policy = make_price_policy(setup, load_learners(folder, setup), best_seed(folder), where)
    return community._replace(pricing=community.pricing._replace(policy=policy))


def best_seed(folder: Path) -> int:
    """Return the index of the seed with the highest reward on the validation episodes."""
    with (folder / "curves.csv").open(encoding="utf-8") as file:
        rows = [(float(row["validation"]), int(row["seed"])) for row in csv.DictReader(file)]
    return max(rows)[1] - min(seed for _, seed in rows)


def make_price_policy(
    setup: TrainingSetup, learners: Sequence[PyTree], seed: int, where: str = "prices"
) -> Partial:
    """Build a function from the price agents' observations to their prices.

    Prices are shares of the price band, as posted prices are.

    Args:
        setup: Setup of the run.
        learners: State of every group's learner [seed, policy, ..].
        seed: Index of the seed.
        where: Name of the setting's place, for messages.

    Raises:
        InputError: The run has no learned price agents, or recurrent ones.
    """
    num_homes = setup.env.num_homes
    num_agents = setup.env.num_agents
    learned = [
        (group, jax.tree.map(lambda leaf: leaf[seed], states), config)
        for group, states, config in zip(
            setup.agents.groups, learners, setup.schedule.final, strict=True
        )
        if group.agent_indices[0] >= num_homes
    ]
    if not learned:
        raise InputError(
            where,
            "the run has no learned price agents",
            "Train with an entry of price agents in the population.",
        )
    if any(group.learner.hidden_state_size for group, _, _ in learned):
        raise InputError(
            where,
            "the price agents of the run are recurrent, which a simulation does not support",
            "Train without the setting recurrent.",
        )
    terms = tuple(
        price_observations.get(name, where) for name in setup.env.config.price_observations
    )
    groups = [group for group, _, _ in learned]
    configs = [config for _, _, config in learned]
    space = padded_action_space(setup.env)
    obs_size = max(group.agent_obs_size for group in groups)

    def decide(states: Sequence[PyTree], context: PricingContext) -> Float[Array, "agent 2"]:
        obs = jnp.zeros((1, num_agents, obs_size))
        obs = obs.at[0, num_homes:].set(observe_prices(context, terms))
        mask = ActionMask(
            jnp.ones((1, num_agents, space.continuous), bool),
            jnp.ones((1, num_agents, space.discrete, space.num_actions), bool),
        )
        shares = jnp.full((num_agents - num_homes, 2), USE_RULE)
        for group, state, config in zip(groups, states, configs, strict=True):
            num_policies, policy_agents = group.agent_ids.shape
            output = act_in_group(
                group,
                state,
                group.observations(obs),
                group.masks(mask),
                jnp.zeros((num_policies, 1, policy_agents, 0)),
                config,
                None,
            )
            prices = group.to_agent_actions(output.action).continuous[0]
            index = np.array(group.agent_indices) - num_homes
            shares = shares.at[index].set((prices + 1.0) / 2.0)
        return shares

    return Partial(decide, [states for _, states, _ in learned])
