"""What one agent decides, in one form for homes in all styles of control and for price agents: numbers and choices.

Homes and price agents decide different things. An agent has its own space; what all of them did side by side is in the
widest one, where each has its own parts first and the others masked.

Every choice has the same number of options; those it does not have are masked. Masks say what makes sense, and what is
masked counts neither in a probability nor in an entropy.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.rl.actions import RawBid, WithPrices
from prosumax.rl.env import CommunityEnv


class Space(NamedTuple):
    """Sizes of an action.

    Attributes:
        numbers: how many continuous numbers, each between -1 and 1.
        choices: how many choices.
        options: of each choice; at least 1.
    """

    numbers: int
    choices: int
    options: int


class Action(NamedTuple):
    """What agents decided.

    Attributes:
        numbers: as learners keep them, any size; `squashed` brings them between -1 and 1.
        choices: index of an option.
    """

    numbers: Float[Array, "*batch number"]
    choices: Int[Array, "*batch choice"]


class Mask(NamedTuple):
    """What makes sense; True may be used."""

    numbers: Bool[Array, "*batch number"]
    choices: Bool[Array, "*batch choice option"]


def space_of(env: CommunityEnv) -> Space:
    """What one home of an environment decides."""
    if env.config.control == "bid":
        return Space(numbers=2, choices=2, options=env.num_homes + 2)
    if env.config.levels is not None:
        return Space(numbers=0, choices=len(env.config.slots), options=env.config.levels)
    return Space(numbers=len(env.config.slots), choices=0, options=1)


PRICES = Space(numbers=2, choices=0, options=1)
"""What a price agent decides: buying and selling price, -1 the lowest."""


def widest_of(env: CommunityEnv) -> Space:
    """A space with room for every agent of an environment."""
    home = space_of(env)
    return (
        home._replace(numbers=max(home.numbers, PRICES.numbers))
        if env.config.price_agents
        else home
    )


def widened(action: Action, space: Space) -> Action:
    """The same action [.., agent, part] with zeros for parts that its agents do not have."""
    pad = lambda part, width: jnp.pad(
        part, ((0, 0),) * (part.ndim - 1) + ((0, width - part.shape[-1]),)
    )  # noqa: E731
    return Action(pad(action.numbers, space.numbers), pad(action.choices, space.choices))


def narrowed(mask: Mask, space: Space) -> Mask:
    """The part of a wide mask that is about an agent's own space."""
    own = mask.choices[..., : space.choices, : space.options]
    return Mask(mask.numbers[..., : space.numbers], own)


def mask_of(env: CommunityEnv, state: Any, params: Any) -> Mask:
    """The environment's mask in the widest space [agent, ..]."""
    homes = _mask_of_homes(env, state, params)
    if not env.config.price_agents:
        return homes
    space, agents = widest_of(env), len(env.config.price_agents)
    pricing: Any = (env.params if params is None else params).community.pricing
    both = jnp.stack([jnp.ones((), bool), ~pricing.one_price])
    numbers = jnp.pad(homes.numbers, ((0, 0), (0, space.numbers - homes.numbers.shape[1])))
    theirs = jnp.zeros((agents, space.numbers), bool).at[:, :2].set(both)
    none = jnp.zeros((agents, space.choices, space.options), bool).at[..., 0].set(True)
    return Mask(jnp.concatenate([numbers, theirs]), jnp.concatenate([homes.choices, none]))


def _mask_of_homes(env: CommunityEnv, state: Any, params: Any) -> Mask:
    space, homes = space_of(env), env.num_homes
    found: Any = env.action_mask(state, params)
    if env.config.control == "bid":
        side = jnp.pad(found.side, ((0, 0), (0, space.options - 2)))
        return Mask(jnp.ones((homes, 2), bool), jnp.stack([side, found.partner], axis=1))
    if env.config.levels is not None:
        return Mask(jnp.ones((homes, 0), bool), found.reshape(homes, space.choices, space.options))
    return Mask(found, jnp.ones((homes, 0, 1), bool))


def to_env(env: CommunityEnv, action: Action) -> Any:
    """One community's action as its environment takes it.

    Arguments:
        env: the environment.
        action: of every agent, numbers between -1 and 1 [agent, ..].
    """
    if not env.config.price_agents:
        return _homes_to_env(env, action)
    space, homes = space_of(env), env.num_homes
    own = Action(action.numbers[:homes, : space.numbers], action.choices[:homes])
    return WithPrices(_homes_to_env(env, own), (action.numbers[homes:, :2] + 1) / 2)


def _homes_to_env(env: CommunityEnv, action: Action) -> Any:
    if env.config.control == "bid":
        price, quantity = (action.numbers[:, 0] + 1) / 2, (action.numbers[:, 1] + 1) / 2
        return RawBid(price, quantity, action.choices[:, 0], action.choices[:, 1])
    if env.config.levels is None:
        return action.numbers
    return action.choices[:, 0] if len(env.config.slots) == 1 else action.choices


def squashed(action: Action) -> Action:
    """The same action with numbers between -1 and 1."""
    return action._replace(numbers=jnp.tanh(action.numbers))


def one_hot(action: Action, space: Space) -> Float[Array, "*batch code"]:
    """A squashed action as numbers for a critic: numbers, then choices one-hot."""
    hot = jax.nn.one_hot(action.choices, space.options)
    return jnp.concatenate([action.numbers, hot.reshape(*hot.shape[:-2], -1)], axis=-1)


def learned(space: Space, bins: int | None, ordered: bool) -> Space:
    """The space that a learner is shown instead.

    Arguments:
        space: of the environment.
        bins: even values that every number is cut into, so that there are choices only; None leaves numbers.
        ordered: whether options have an order, as levels of power do, so that a choice is learned as a number.
    """
    if ordered:
        return Space(space.numbers + space.choices, 0, 1)
    if bins is None:
        return space
    return Space(0, space.choices + space.numbers, max(space.options if space.choices else 1, bins))


def learned_mask(mask: Mask, space: Space, bins: int | None, ordered: bool) -> Mask:
    """The mask in that space; a masked number has its first bin only."""
    if ordered:
        several = mask.choices.sum(-1) > 1
        return Mask(
            jnp.concatenate([mask.numbers, several], axis=-1),
            jnp.ones((*several.shape[:-1], 0, 1), bool),
        )
    if bins is None:
        return mask
    options = learned(space, bins, ordered).options
    width = ((0, 0),) * (mask.choices.ndim - 1)
    old = jnp.pad(mask.choices, (*width, (0, options - mask.choices.shape[-1])))
    number = jnp.arange(options)
    new = (number < bins) & mask.numbers[..., None] | (number == 0)
    return Mask(mask.numbers[..., :0], jnp.concatenate([old, new], axis=-2))


def executed(action: Action, space: Space, bins: int | None, ordered: bool) -> Action:
    """From a learner's action to a squashed one of the space that its environment has.

    Arguments:
        action: in the space `learned(space, bins, ordered)`, as learners keep it.
        space: of the environment.
        bins, ordered: as there.
    """
    if ordered:
        numbers = jnp.tanh(action.numbers)
        at = jnp.round((numbers[..., space.numbers :] + 1) / 2 * (space.options - 1)).astype(
            jnp.int32
        )
        return Action(numbers[..., : space.numbers], at)
    if bins is None:
        return squashed(action)
    at = action.choices[..., space.choices :]
    return Action(2.0 * at / max(bins - 1, 1) - 1.0, action.choices[..., : space.choices])
