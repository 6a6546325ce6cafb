"""Who learns with whom, and who sees what: a paradigm is three settings, not three trainers.

A team is the homes that one entry of a population names. It puts every home's observation where its learner wants it
[group, env, member, ..], and every agent's action back to its home.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.rl.components.distributions import freedom
from prosumax.rl.components.spaces import (
    Action,
    Mask,
    Space,
    executed,
    learned,
    learned_mask,
    narrowed,
)
from prosumax.rl.components.types import Learner, Spec


class Paradigm(NamedTuple):
    """How a team learns and acts.

    Attributes:
        summary: one line.
        joint: one agent sees and decides everything (CTCE).
        central: the critic sees all homes of the community; it is not needed to act (CTDE).
        shared: all homes of the team share parameters; otherwise each has its own.
    """

    summary: str
    joint: bool = False
    central: bool = False
    shared: bool = False


PARADIGMS: Mapping[str, Paradigm] = {
    "dtde": Paradigm("Each home learns alone, with parameters of its own."),
    "dtde-shared": Paradigm(
        "Each home acts alone; all share parameters, which is centralised training.", shared=True
    ),
    "ctde": Paradigm(
        "Each home acts alone; its critic sees all homes while it learns.", central=True
    ),
    "ctde-shared": Paradigm("The same with shared parameters.", central=True, shared=True),
    "ctce": Paradigm("One agent sees all homes and decides for all.", joint=True),
}
"""After MARLEM, section 3.7.1."""


@dataclass(frozen=True, eq=False)
class Team:
    """Homes that learn by one algorithm in one paradigm.

    Attributes:
        name: for figures and files.
        homes: their numbers in the community.
        members: homes of each group, padded with the first of all [group, member].
        valid: what is not padding [group, member].
        paradigm: how they learn.
        spec: sizes.
        learner: the algorithm.
        hp: its hyper-parameters.
        features: width of what one of its agents sees; behind it observations are only filled up.
    """

    name: str
    homes: tuple[int, ...]
    members: NDArray[np.int32]
    valid: NDArray[np.bool_]
    paradigm: Paradigm
    spec: Spec
    learner: Learner
    hp: Any
    features: int

    @property
    def groups(self) -> int:
        """Sets of parameters."""
        return len(self.members)

    def split(self, values: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """From homes of the community on `axis` to groups in front and members on that axis."""
        if self.paradigm.joint:
            taken = _taken(values, np.array(self.homes), axis)
            shape = taken.shape
            wide = math.prod(shape[axis : axis + 2])
            return taken.reshape(1, *shape[:axis], 1, wide, *shape[axis + 2 :])
        taken = _taken(values, self.members.reshape(-1), axis)
        shape = taken.shape
        taken = taken.reshape(*shape[:axis], *self.members.shape, *shape[axis + 1 :])
        return jnp.moveaxis(taken, axis, 0)

    def see(
        self, obs: Float[Array, "*time env home feature"]
    ) -> Float[Array, "group *time env member feature"]:
        """What every agent sees."""
        return self.split(obs[..., : self.features], obs.ndim - 2)

    def masks(self, mask: Mask) -> Mask:
        """What makes sense for every agent, in the learner's space."""
        axis, mask = mask.numbers.ndim - 2, narrowed(mask, self.spec.home_space)
        own = Mask(self.split(mask.numbers, axis), self.split(mask.choices, axis))
        whole = (
            _joint(self.spec.home_space, len(self.homes))
            if self.paradigm.joint
            else self.spec.home_space
        )
        return learned_mask(own, whole, self.spec.bins, self.spec.ordered)

    def rewards(
        self, reward: Float[Array, "*time env home"]
    ) -> Float[Array, "group *time env member"]:
        """What every agent is paid; a joint agent the mean of its homes."""
        own = self.split(reward, reward.ndim - 1)
        return own.mean(-1) if self.paradigm.joint else own

    def weights(self, mask: Mask) -> Float[Array, "group *time env member"]:
        """1 where an agent had anything to decide; `mask` as from `masks`."""
        free = freedom(mask)
        valid = self.valid.reshape(len(self.valid), *([1] * (free.ndim - 2)), -1)
        return free * (1.0 if self.paradigm.joint else jnp.asarray(valid, jnp.float32))

    @property
    def agents(self) -> NDArray[np.int32]:
        """Number of each agent's home [group, member]."""
        return np.zeros((1, 1), np.int32) if self.paradigm.joint else self.members

    def to_homes(self, action: Action) -> Action:
        """From agents [group, env, member, ..] to the team's homes [env, home, ..], squashed, in the home's space."""
        space, homes = self.spec.home_space, len(self.homes)
        if self.paradigm.joint:
            whole = executed(action, _joint(space, homes), self.spec.bins, self.spec.ordered)
            return Action(
                *(
                    part[0, :, 0].reshape(part.shape[1], homes, part.shape[-1] // homes)
                    for part in whole
                )
            )
        own = executed(action, space, self.spec.bins, self.spec.ordered)
        at = {int(home): slot for slot, home in reversed([*enumerate(self.members.reshape(-1))])}
        slots = np.array([at[home] for home in self.homes])
        flat = (
            jnp.moveaxis(part, 0, 1).reshape(part.shape[1], self.members.size, part.shape[-1])
            for part in own
        )
        return Action(*(part[:, slots] for part in flat))


def _taken(values: Array, homes: NDArray[np.int32], axis: int) -> Array:
    """Homes of an axis; nothing is copied where these are all, in their order."""
    if np.array_equal(homes, np.arange(values.shape[axis])):
        return values
    return jnp.take(values, homes, axis=axis, mode="clip")


def groups_of(
    homes: Sequence[int], paradigm: Paradigm
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Members and validity for a paradigm: one group of all, or one for each home."""
    one = paradigm.shared or paradigm.joint
    members = np.array([homes] if one else [[home] for home in homes], np.int32)
    return members, np.ones(members.shape, bool)


def spec_of(
    space: Space,
    features: int,
    community: int,
    homes: Sequence[int],
    paradigm: Paradigm,
    bins: int | None,
    ordered: bool,
    widest: tuple[int, Space],
) -> Spec:
    """Sizes of a team's agents.

    Arguments:
        space: of one agent.
        features: width of one agent's observation.
        community: number of agents in the community.
        homes: of the team.
        paradigm: how they learn.
        bins, ordered: as in `spaces.learned`.
        widest: width of the widest observation, and a space with room for every agent.
    """
    if paradigm.joint:
        whole = learned(_joint(space, len(homes)), bins, ordered)
        return Spec(len(homes) * features, 0, 1, whole, space, bins, ordered, widest[1])
    everyone = community * widest[0] if paradigm.central else 0
    return Spec(
        features,
        everyone,
        community,
        learned(space, bins, ordered),
        space,
        bins,
        ordered,
        widest[1],
    )


def _joint(space: Space, homes: int) -> Space:
    """What a joint agent decides."""
    return Space(space.numbers * homes, space.choices * homes, space.options)
