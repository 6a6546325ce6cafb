"""What passes between the trainer and the algorithms.

An algorithm is written for one group: the agents that share its parameters, on the axis `member`. The trainer maps it
over groups, so that groups do not couple, and over seeds. Axes are time, environment (`env`), member.
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from prosumax.rl.components.distributions import Dice
from prosumax.rl.components.spaces import Action, Mask, Space

Memory = Float[Array, "*batch memory"]
"""What an actor remembers; of width 0 where it does not."""


class Spec(NamedTuple):
    """Sizes, all static.

    Attributes:
        obs: width of what an agent sees.
        everyone: width of what a central critic sees on top of that: all homes' observations; 0 for a local critic.
        homes: homes in the community, whose number tells a central critic agents apart; 1 for a joint agent.
        space: what an agent decides.
        home_space: what each of its agents decides in the environment.
        bins: values that a number was cut into for a learner of choices; None where it was not.
        ordered: whether choices were made numbers, their options having an order.
        joint_space: of `Batch.joint`, with room for every agent; `home_space` when absent.
    """

    obs: int
    everyone: int
    homes: int
    space: Space
    home_space: Space
    bins: int | None = None
    ordered: bool = False
    joint_space: Space | None = None


class Decision(NamedTuple):
    """What an actor did.

    Attributes:
        action: numbers not yet squashed.
        notes: what its update will want to know of this moment, such as `log_prob`; [env, member] each.
        memory: after the step.
    """

    action: Action
    notes: dict[str, Array]
    memory: Memory


class Batch(NamedTuple):
    """What happened to a group since the last update, in the order in which it happened.

    Attributes:
        obs, mask: before the step, and what made sense then.
        last_obs, last_mask: after the last step of every stretch; all stretches have as many steps, and an episode ends
            only with one.
        action, notes: from `Decision`.
        reward: of each agent; a joint agent's is the mean of its homes'.
        terminated: whether the agent's life ended with the step.
        weight: 0 for padding and where there was nothing to decide, else 1.
        memory: of the actor before the first step.
        home: number of the agent's home.
        begins, done: whether an episode began before, or ended after the step.
        everyone, last_everyone: what a central critic sees on top, side by side; width 0 for a local one.
        joint: what every home of the community did, squashed, in the environment's space; no homes for a local critic.
    """

    obs: Float[Array, "time env member feature"]
    last_obs: Float[Array, "stretch env member feature"]
    mask: Mask
    last_mask: Mask
    action: Action
    notes: dict[str, Array]
    reward: Float[Array, "time env member"]
    terminated: Bool[Array, "time env member"]
    weight: Float[Array, "time env member"]
    memory: Memory
    home: Int[Array, " member"]
    begins: Bool[Array, "time env"]
    done: Bool[Array, "time env"]
    everyone: Float[Array, "time env wide"]
    last_everyone: Float[Array, "stretch env wide"]
    joint: Action

    @property
    def next_obs(self) -> Float[Array, "time env member feature"]:
        """After the step; after the last one of an episode its final observation."""
        return following(self.obs, self.last_obs)

    @property
    def next_mask(self) -> Mask:
        """What made sense then."""
        after: Mask = jax.tree.map(following, self.mask, self.last_mask)
        return after

    @property
    def next_everyone(self) -> Float[Array, "time env wide"]:
        """What a central critic saw on top then."""
        return following(self.everyone, self.last_everyone)


def following(
    before: Float[Array, "time *batch"], last: Float[Array, "stretch *batch"]
) -> Float[Array, "time *batch"]:
    """What comes after every step: what was before the next, and after the last of its stretch what is given."""
    stretches = before.reshape(len(last), len(before) // len(last), *before.shape[1:])
    return jnp.concatenate([stretches[:, 1:], last[:, None]], axis=1).reshape(before.shape)


SHARED = Batch(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, None, None, None)  # type: ignore[arg-type]
"""Which parts of a batch have an axis for groups, as `vmap` wants to know."""


class Learner(Protocol):
    """An algorithm with its sizes and static settings; all functions are pure."""

    def init(self, key: PRNGKeyArray, hp: Any) -> Any:
        """The state before the first update: parameters, optimiser, whatever else; a pytree of arrays."""

    @property
    def memory_size(self) -> int:
        """Width of the actor's memory; 0 without one."""

    def act(
        self,
        state: Any,
        obs: Float[Array, "env member feature"],
        mask: Mask,
        memory: Memory,
        hp: Any,
        dice: Dice | None,
    ) -> Decision:
        """What the agents of a group do.

        Arguments:
            state: from `init` or `update`.
            obs, mask: what each agent sees, and nothing else.
            memory: from its last decision, zeros where an episode begins.
            hp: hyper-parameters, a NamedTuple of numbers that may be traced.
            dice: for its space [env, member, ..]; None for the best that it knows.
        """

    def slim(self, state: Any) -> Any:
        """The state with all that `act` does not need replaced by None: what an exported policy consists of."""

    def update(
        self, state: Any, batch: Batch, hp: Any, key: PRNGKeyArray
    ) -> tuple[Any, dict[str, Float[Array, ""]]]:
        """Learn from a batch: the new state, and figures to show (`entropy` among them where there is one)."""
