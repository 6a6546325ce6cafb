"""Action spaces of homes and price agents in one common form.

Homes under every kind of control and price agents act through a number of continuous and a number
of discrete actions. Every agent has its own space; the actions of all agents side by side are in
the padded space, in which each agent uses the leading parts and the others are masked.

All discrete actions of a space have the same number of values; values that one of them lacks are
masked. Masked actions contribute neither to probabilities nor to entropies.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from prosumax.rl.actions import JointAction, RawBid
from prosumax.rl.env import CommunityEnv


class ActionSpace(NamedTuple):
    """Sizes of an action.

    Attributes:
        continuous: Number of continuous actions, each between -1 and 1.
        discrete: Number of discrete actions.
        num_actions: Number of values of each discrete action, at least 1.
    """

    continuous: int
    discrete: int
    num_actions: int


class Action(NamedTuple):
    """Actions of agents.

    Attributes:
        continuous: Unbounded as learners keep them; `squash` maps them to between -1 and 1.
        discrete: Index of the selected value.
    """

    continuous: Float[Array, "*batch continuous"]
    discrete: Int[Array, "*batch discrete"]


class ActionMask(NamedTuple):
    """Valid actions; True where an action may be used."""

    continuous: Bool[Array, "*batch continuous"]
    discrete: Bool[Array, "*batch discrete action"]


PRICE_ACTION_SPACE = ActionSpace(continuous=2, discrete=0, num_actions=1)
"""Actions of a price agent: buying and selling price, -1 the lowest."""


def home_action_space(env: CommunityEnv) -> ActionSpace:
    """Return the action space of a home of an environment."""
    if env.config.action_mode == "bid":
        return ActionSpace(continuous=2, discrete=2, num_actions=env.num_homes + 2)
    if env.config.power_levels is not None:
        return ActionSpace(
            continuous=0, discrete=len(env.config.action_slots), num_actions=env.config.power_levels
        )
    return ActionSpace(continuous=len(env.config.action_slots), discrete=0, num_actions=1)


def padded_action_space(env: CommunityEnv) -> ActionSpace:
    """Return a space with room for the actions of every agent of an environment."""
    space = home_action_space(env)
    if not env.config.price_agents:
        return space
    return space._replace(continuous=max(space.continuous, PRICE_ACTION_SPACE.continuous))


def pad_action(action: Action, space: ActionSpace) -> Action:
    """Pad an action [.., agent, part] with zeros to the sizes of a wider space."""

    def pad(part: Array, width: int) -> Array:
        return jnp.pad(part, ((0, 0),) * (part.ndim - 1) + ((0, width - part.shape[-1]),))

    return Action(pad(action.continuous, space.continuous), pad(action.discrete, space.discrete))


def crop_mask(mask: ActionMask, space: ActionSpace) -> ActionMask:
    """Return the part of a padded mask that concerns an agent's own space."""
    return ActionMask(
        mask.continuous[..., : space.continuous],
        mask.discrete[..., : space.discrete, : space.num_actions],
    )


def action_mask(env: CommunityEnv, state: PyTree, params: PyTree) -> ActionMask:
    """Return the valid actions of all agents in the padded space [agent, ..].

    Args:
        env: Environment.
        state: State of the environment.
        params: Parameters of the environment; its own when None.
    """
    homes = _home_action_mask(env, state, params)
    if not env.config.price_agents:
        return homes
    space = padded_action_space(env)
    num_price_agents = len(env.config.price_agents)
    pricing: PyTree = (env.params if params is None else params).community.pricing
    valid_prices = jnp.stack([jnp.ones((), bool), ~pricing.single_price])
    padding = ((0, 0), (0, space.continuous - homes.continuous.shape[1]))
    prices = jnp.zeros((num_price_agents, space.continuous), bool).at[:, :2].set(valid_prices)
    unused = jnp.zeros((num_price_agents, space.discrete, space.num_actions), bool)
    return ActionMask(
        jnp.concatenate([jnp.pad(homes.continuous, padding), prices]),
        jnp.concatenate([homes.discrete, unused.at[..., 0].set(True)]),
    )


def _home_action_mask(env: CommunityEnv, state: PyTree, params: PyTree) -> ActionMask:
    space = home_action_space(env)
    num_homes = env.num_homes
    mask: PyTree = env.action_mask(state, params)
    if env.config.action_mode == "bid":
        side = jnp.pad(mask.side, ((0, 0), (0, space.num_actions - 2)))
        return ActionMask(jnp.ones((num_homes, 2), bool), jnp.stack([side, mask.partner], axis=1))
    if env.config.power_levels is not None:
        levels = mask.reshape(num_homes, space.discrete, space.num_actions)
        return ActionMask(jnp.ones((num_homes, 0), bool), levels)
    return ActionMask(mask, jnp.ones((num_homes, 0, 1), bool))


def to_env_action(env: CommunityEnv, action: Action) -> PyTree:
    """Convert the actions of all agents of one community to the action of its environment.

    Args:
        env: Environment.
        action: Action of every agent [agent, ..], continuous parts between -1 and 1.
    """
    if not env.config.price_agents:
        return _home_env_action(env, action)
    space = home_action_space(env)
    num_homes = env.num_homes
    homes = Action(action.continuous[:num_homes, : space.continuous], action.discrete[:num_homes])
    return JointAction(_home_env_action(env, homes), (action.continuous[num_homes:, :2] + 1) / 2)


def _home_env_action(env: CommunityEnv, action: Action) -> PyTree:
    if env.config.action_mode == "bid":
        price = (action.continuous[:, 0] + 1) / 2
        quantity = (action.continuous[:, 1] + 1) / 2
        return RawBid(price, quantity, action.discrete[:, 0], action.discrete[:, 1])
    if env.config.power_levels is None:
        return action.continuous
    return action.discrete[:, 0] if len(env.config.action_slots) == 1 else action.discrete


def squash(action: Action) -> Action:
    """Return the action with its continuous parts mapped by tanh to between -1 and 1."""
    return action._replace(continuous=jnp.tanh(action.continuous))


def encode_action(action: Action, space: ActionSpace) -> Float[Array, "*batch code"]:
    """Encode a squashed action for a critic: continuous parts, then discrete ones as one-hot."""
    one_hot = jax.nn.one_hot(action.discrete, space.num_actions)
    flat = one_hot.reshape(*one_hot.shape[:-2], -1)
    return jnp.concatenate([action.continuous, flat], axis=-1)


def learner_action_space(
    space: ActionSpace, action_bins: int | None, ordinal_actions: bool
) -> ActionSpace:
    """Return the space in which a learner acts in place of the environment's.

    Args:
        space: Action space of the environment.
        action_bins: Number of equidistant values into which every continuous action is
            discretized, so that all actions are discrete; None keeps continuous actions.
        ordinal_actions: Whether discrete actions are ordered, as power levels are, and learned as
            continuous ones.
    """
    if ordinal_actions:
        return ActionSpace(space.continuous + space.discrete, 0, 1)
    if action_bins is None:
        return space
    num_actions = max(space.num_actions if space.discrete else 1, action_bins)
    return ActionSpace(0, space.discrete + space.continuous, num_actions)


def learner_mask(
    mask: ActionMask, space: ActionSpace, action_bins: int | None, ordinal_actions: bool
) -> ActionMask:
    """Convert a mask to the learner's space.

    A masked continuous action that is discretized keeps its first bin only.

    Args:
        mask: Mask in the space of the environment.
        space: Action space of the environment.
        action_bins: As in `learner_action_space`.
        ordinal_actions: As in `learner_action_space`.
    """
    if ordinal_actions:
        free = mask.discrete.sum(-1) > 1
        continuous = jnp.concatenate([mask.continuous, free], axis=-1)
        return ActionMask(continuous, jnp.ones((*free.shape[:-1], 0, 1), bool))
    if action_bins is None:
        return mask
    num_actions = learner_action_space(space, action_bins, ordinal_actions).num_actions
    leading = ((0, 0),) * (mask.discrete.ndim - 1)
    discrete = jnp.pad(mask.discrete, (*leading, (0, num_actions - mask.discrete.shape[-1])))
    index = jnp.arange(num_actions)
    binned = (index < action_bins) & mask.continuous[..., None] | (index == 0)
    return ActionMask(mask.continuous[..., :0], jnp.concatenate([discrete, binned], axis=-2))


def decode_action(
    action: Action, space: ActionSpace, action_bins: int | None, ordinal_actions: bool
) -> Action:
    """Convert a learner's action to a squashed action in the environment's space.

    Args:
        action: Action in the space `learner_action_space(space, action_bins, ordinal_actions)`.
        space: Action space of the environment.
        action_bins: As in `learner_action_space`.
        ordinal_actions: As in `learner_action_space`.
    """
    if ordinal_actions:
        continuous = jnp.tanh(action.continuous)
        share = (continuous[..., space.continuous :] + 1) / 2
        discrete = jnp.round(share * (space.num_actions - 1)).astype(jnp.int32)
        return Action(continuous[..., : space.continuous], discrete)
    if action_bins is None:
        return squash(action)
    index = action.discrete[..., space.discrete :]
    continuous = 2.0 * index / max(action_bins - 1, 1) - 1.0
    return Action(continuous, action.discrete[..., : space.discrete])
