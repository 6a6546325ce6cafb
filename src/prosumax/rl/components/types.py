"""Data exchanged between the trainer and the algorithms.

Arrays have the axes time, environment (`env`) and agent; the agents of a batch share one policy. A
segment is a run of steps that never crosses the end of an episode.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.rl.components.spaces import Action, ActionMask, ActionSpace

HiddenState = Float[Array, "*batch hidden"]
"""Hidden state of a recurrent network; of width 0 for a feedforward one."""


class AgentSpec(NamedTuple):
    """Sizes of one agent, all static.

    Attributes:
        obs_size: Width of an agent's observation.
        global_obs_size: Width of the extra input of a centralized critic, the observations of all
            agents side by side; 0 for a local critic.
        num_agents: Number of agents of the community, which is the width of the agent id that a
            centralized critic receives; 1 for a joint agent.
        action_space: Actions of the learner.
        env_action_space: Actions of each of its agents in the environment.
        action_bins: Number of bins into which every continuous action is discretized; None where
            continuous actions stay continuous.
        ordinal_actions: Whether discrete actions are learned as continuous ones because their
            values are ordered.
        padded_action_space: Space of `Batch.joint_action`, which has room for every kind of agent;
            `env_action_space` when absent.
    """

    obs_size: int
    global_obs_size: int
    num_agents: int
    action_space: ActionSpace
    env_action_space: ActionSpace
    action_bins: int | None = None
    ordinal_actions: bool = False
    padded_action_space: ActionSpace | None = None


class ActorOutput(NamedTuple):
    """Output of an actor for one step.

    Attributes:
        action: Sampled action, continuous parts not yet squashed.
        extras: Values of this step that the update needs, such as `log_prob`; [env, agent] each.
        hidden_state: Hidden state after the step.
    """

    action: Action
    extras: dict[str, Array]
    hidden_state: HiddenState


class Batch(NamedTuple):
    """Experience of one policy since its last update, in order of time.

    Attributes:
        obs: Observations before each step.
        last_obs: Observations after the last step of every segment. All segments have the same
            number of steps.
        mask: Valid actions before each step.
        last_mask: Valid actions after the last step of every segment.
        action: Actions as in `ActorOutput`.
        extras: Extras as in `ActorOutput`.
        reward: Reward of each agent; for a joint agent the mean over its homes.
        terminated: Whether the step ended in a terminal state, which has no value.
        weight: 0 for padding and where an agent had only one valid action, else 1.
        hidden_state: Hidden state of the actor before the first step.
        agent_id: Index of each agent in the community.
        is_first: Whether an episode started before the step.
        done: Whether an episode ended with the step, by termination or truncation.
        global_obs: Observations of all agents side by side, input of a centralized critic; of
            width 0 for a local critic.
        last_global_obs: The same after the last step of every segment.
        joint_action: Squashed actions of all agents in `AgentSpec.padded_action_space`; of no
            agents for a local critic.
    """

    obs: Float[Array, "time env agent feature"]
    last_obs: Float[Array, "segment env agent feature"]
    mask: ActionMask
    last_mask: ActionMask
    action: Action
    extras: dict[str, Array]
    reward: Float[Array, "time env agent"]
    terminated: Bool[Array, "time env agent"]
    weight: Float[Array, "time env agent"]
    hidden_state: HiddenState
    agent_id: Int[Array, " agent"]
    is_first: Bool[Array, "time env"]
    done: Bool[Array, "time env"]
    global_obs: Float[Array, "time env global"]
    last_global_obs: Float[Array, "segment env global"]
    joint_action: Action

    @property
    def next_obs(self) -> Float[Array, "time env agent feature"]:
        """Observations after each step; after the last step of an episode its final ones."""
        return shift_next(self.obs, self.last_obs)

    @property
    def next_mask(self) -> ActionMask:
        """Valid actions after each step."""
        mask: ActionMask = jax.tree.map(shift_next, self.mask, self.last_mask)
        return mask

    @property
    def next_global_obs(self) -> Float[Array, "time env global"]:
        """Input of a centralized critic after each step."""
        return shift_next(self.global_obs, self.last_global_obs)


def shift_next(
    values: Float[Array, "time *batch"], last: Float[Array, "segment *batch"]
) -> Float[Array, "time *batch"]:
    """Return the value after each step: that of the next step, or `last` at the end of a segment.

    Args:
        values: Values before each step.
        last: Values after the last step of every segment.
    """
    segments = values.reshape(len(last), len(values) // len(last), *values.shape[1:])
    return jnp.concatenate([segments[:, 1:], last[:, None]], axis=1).reshape(values.shape)


# Axes in place of the arrays, as `jax.vmap` takes them.
BATCH_AXES = Batch(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, None, None, None)  # type: ignore[arg-type]
"""Fields of a batch that have a leading axis of policies, in the form that `jax.vmap` takes."""
