"""What one home decides, in one form for all styles of control: some numbers and some choices.

Every choice has the same number of options; those it does not have are masked. Masks say what makes sense, and what is
masked counts neither in a probability nor in an entropy.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.env import CommunityEnv, RawBid


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
        return Space(numbers=2, choices=2, options=env.num_agents + 2)
    if env.config.levels is not None:
        return Space(numbers=0, choices=len(env.config.slots), options=env.config.levels)
    return Space(numbers=len(env.config.slots), choices=0, options=1)


def mask_of(env: CommunityEnv, state: Any, params: Any) -> Mask:
    """The environment's mask in the form of the space [home, ..]."""
    space, homes = space_of(env), env.num_agents
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
        action: of every home, numbers between -1 and 1 [home, ..].
    """
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


def discretised(space: Space, bins: int | None) -> Space:
    """A space of choices only: every number becomes one of `bins` even values; unchanged where `bins` is None."""
    if bins is None:
        return space
    return Space(0, space.choices + space.numbers, max(space.options if space.choices else 1, bins))


def discretised_mask(mask: Mask, space: Space, bins: int | None) -> Mask:
    """The mask in the discretised space; a masked number has its first bin only."""
    if bins is None:
        return mask
    options = discretised(space, bins).options
    width = ((0, 0),) * (mask.choices.ndim - 1)
    old = jnp.pad(mask.choices, (*width, (0, options - mask.choices.shape[-1])))
    number = jnp.arange(options)
    new = (number < bins) & mask.numbers[..., None] | (number == 0)
    return Mask(mask.numbers[..., :0], jnp.concatenate([old, new], axis=-2))


def continuous(action: Action, space: Space, bins: int | None) -> Action:
    """From a learner's action to a squashed one of the space that its environment has.

    Arguments:
        action: in the space `discretised(space, bins)`, as learners keep it.
        space: of the environment.
        bins: as there.
    """
    if bins is None:
        return squashed(action)
    at = action.choices[..., space.choices :]
    return Action(2.0 * at / max(bins - 1, 1) - 1.0, action.choices[..., : space.choices])
