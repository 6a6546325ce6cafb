"""Groups of agents that learn by one algorithm, and the paradigms in which they do.

A group contains one or more policies, each with its own parameters, and assigns every agent to one
of them. It arranges observations as its learner expects them [policy, env, agent, ..], and returns
every agent's action to its place in the community.

References:
    MARLEM, section 3.7.1, for the paradigms.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from numpy.typing import NDArray

from prosumax.rl.algorithms.base import Learner
from prosumax.rl.components.distributions import decision_weight
from prosumax.rl.components.spaces import (
    Action,
    ActionMask,
    ActionSpace,
    crop_mask,
    decode_action,
    learner_action_space,
    learner_mask,
)
from prosumax.rl.components.types import AgentSpec


class Paradigm(NamedTuple):
    """A combination of centralized or decentralized training and execution.

    Attributes:
        summary: Description in one line.
        joint_agent: Whether one agent observes and controls all homes of the group (CTCE).
        centralized_critic: Whether the critic observes all agents of the community (CTDE).
        shared_parameters: Whether all agents of the group share one policy.
    """

    summary: str
    joint_agent: bool = False
    centralized_critic: bool = False
    shared_parameters: bool = False


PARADIGMS: Mapping[str, Paradigm] = {
    "dtde": Paradigm("Decentralized training and execution: each agent has its own policy."),
    "dtde-shared": Paradigm(
        "Decentralized execution with one policy shared by all agents.", shared_parameters=True
    ),
    "ctde": Paradigm(
        "Centralized training, decentralized execution: the critic observes all agents.",
        centralized_critic=True,
    ),
    "ctde-shared": Paradigm(
        "Centralized critic with one policy shared by all agents.",
        centralized_critic=True,
        shared_parameters=True,
    ),
    "ctce": Paradigm(
        "Centralized training and execution: one agent controls all homes.", joint_agent=True
    ),
}


@dataclass(frozen=True, eq=False)
class AgentGroup:
    """Agents that learn by one algorithm in one paradigm.

    Attributes:
        name: Name of the group, for metrics and files.
        agent_indices: Indices of the agents in the community.
        policy_agents: Indices of each policy's agents, padded with the first of all
            [policy, agent].
        valid: Whether an entry of `policy_agents` is no padding [policy, agent].
        paradigm: Paradigm of the group.
        learner: Learner of the group, with its hyperparameters.
        agent_obs_size: Width of one agent's own observation; behind it observations are padding.
    """

    name: str
    agent_indices: tuple[int, ...]
    policy_agents: NDArray[np.int32]
    valid: NDArray[np.bool_]
    paradigm: Paradigm
    learner: Learner
    agent_obs_size: int

    @property
    def spec(self) -> AgentSpec:
        """Sizes of an agent."""
        return self.learner.spec

    @property
    def config(self) -> PyTree:
        """Hyperparameters of the learner."""
        return self.learner.config

    @property
    def num_policies(self) -> int:
        """Number of policies with parameters of their own."""
        return len(self.policy_agents)

    @property
    def agent_ids(self) -> NDArray[np.int32]:
        """Index of each learning agent in the community [policy, agent]; 0 for a joint agent."""
        return np.zeros((1, 1), np.int32) if self.paradigm.joint_agent else self.policy_agents

    def split_agents(self, values: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """Arrange values by policy.

        Args:
            values: Values of all agents of the community on `axis`.
            axis: Axis of the agents.

        Returns:
            Values with policies in front and each policy's agents on `axis`. A joint agent's
            values are those of its homes, merged into the following axis.
        """
        if self.paradigm.joint_agent:
            taken = _take_agents(values, np.array(self.agent_indices), axis)
            shape = taken.shape
            merged = math.prod(shape[axis : axis + 2])
            return taken.reshape(1, *shape[:axis], 1, merged, *shape[axis + 2 :])
        taken = _take_agents(values, self.policy_agents.reshape(-1), axis)
        shape = taken.shape
        split = taken.reshape(*shape[:axis], *self.policy_agents.shape, *shape[axis + 1 :])
        return jnp.moveaxis(split, axis, 0)

    def observations(
        self, obs: Float[Array, "*time env agent feature"]
    ) -> Float[Array, "policy *time env agent feature"]:
        """Return the observations of each policy's agents."""
        return self.split_agents(obs[..., : self.agent_obs_size], obs.ndim - 2)

    def masks(self, mask: ActionMask) -> ActionMask:
        """Return the valid actions of each policy's agents in the learner's space."""
        axis = mask.continuous.ndim - 2
        mask = crop_mask(mask, self.spec.env_action_space)
        split = ActionMask(
            self.split_agents(mask.continuous, axis), self.split_agents(mask.discrete, axis)
        )
        return learner_mask(
            split, self._decision_space, self.spec.action_bins, self.spec.ordinal_actions
        )

    def rewards(
        self, reward: Float[Array, "*time env agent"]
    ) -> Float[Array, "policy *time env agent"]:
        """Return the rewards of each policy's agents; of a joint agent the mean over its homes."""
        split = self.split_agents(reward, reward.ndim - 1)
        return split.mean(-1) if self.paradigm.joint_agent else split

    def weights(self, mask: ActionMask) -> Float[Array, "policy *time env agent"]:
        """Return 1 where an agent had more than one valid action, else 0.

        Args:
            mask: Valid actions as from `masks`.
        """
        weight = decision_weight(mask)
        if self.paradigm.joint_agent:
            return weight
        valid = self.valid.reshape(len(self.valid), *([1] * (weight.ndim - 2)), -1)
        return weight * jnp.asarray(valid, jnp.float32)

    def to_agent_actions(self, action: Action) -> Action:
        """Convert actions of policies [policy, env, agent, ..] to the group's [env, agent, ..].

        The result is squashed and in the agents' own action space.
        """
        spec = self.spec
        decoded = decode_action(
            action, self._decision_space, spec.action_bins, spec.ordinal_actions
        )
        if self.paradigm.joint_agent:
            num_agents = len(self.agent_indices)
            return Action(
                *(
                    part[0, :, 0].reshape(part.shape[1], num_agents, part.shape[-1] // num_agents)
                    for part in decoded
                )
            )
        # Of agents that occur again as padding the first entry counts.
        entries = reversed([*enumerate(self.policy_agents.reshape(-1))])
        slot_of = {int(agent): slot for slot, agent in entries}
        slots = np.array([slot_of[agent] for agent in self.agent_indices])
        return Action(
            *(
                jnp.moveaxis(part, 0, 1).reshape(
                    part.shape[1], self.policy_agents.size, part.shape[-1]
                )[:, slots]
                for part in decoded
            )
        )

    @property
    def _decision_space(self) -> ActionSpace:
        """Action space in the environment of a learning agent."""
        if self.paradigm.joint_agent:
            return _joint_action_space(self.spec.env_action_space, len(self.agent_indices))
        return self.spec.env_action_space


def assign_policies(
    agent_indices: Sequence[int], paradigm: Paradigm
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Assign agents to policies: one policy for all of them, or one each.

    Args:
        agent_indices: Indices of the agents in the community.
        paradigm: Paradigm of their group.

    Returns:
        `policy_agents` and `valid` of an `AgentGroup`.
    """
    is_shared = paradigm.shared_parameters or paradigm.joint_agent
    rows = [agent_indices] if is_shared else [[agent] for agent in agent_indices]
    policy_agents = np.array(rows, np.int32)
    return policy_agents, np.ones(policy_agents.shape, bool)


def make_agent_spec(
    env_action_space: ActionSpace,
    agent_obs_size: int,
    num_community_agents: int,
    agent_indices: Sequence[int],
    paradigm: Paradigm,
    action_bins: int | None,
    ordinal_actions: bool,
    padded_obs_size: int,
    padded_space: ActionSpace,
) -> AgentSpec:
    """Compute the sizes of a group's agents.

    Args:
        env_action_space: Action space of one agent in the environment.
        agent_obs_size: Width of one agent's observation.
        num_community_agents: Number of agents in the community.
        agent_indices: Indices of the group's agents.
        paradigm: Paradigm of the group.
        action_bins: As in `learner_action_space`.
        ordinal_actions: As in `learner_action_space`.
        padded_obs_size: Width of the widest observation of the community.
        padded_space: Action space with room for every agent of the community.
    """
    if paradigm.joint_agent:
        num_agents = len(agent_indices)
        joint = _joint_action_space(env_action_space, num_agents)
        return AgentSpec(
            obs_size=num_agents * agent_obs_size,
            global_obs_size=0,
            num_agents=1,
            action_space=learner_action_space(joint, action_bins, ordinal_actions),
            env_action_space=env_action_space,
            action_bins=action_bins,
            ordinal_actions=ordinal_actions,
            padded_action_space=padded_space,
        )
    is_centralized = paradigm.centralized_critic
    return AgentSpec(
        obs_size=agent_obs_size,
        global_obs_size=num_community_agents * padded_obs_size if is_centralized else 0,
        num_agents=num_community_agents,
        action_space=learner_action_space(env_action_space, action_bins, ordinal_actions),
        env_action_space=env_action_space,
        action_bins=action_bins,
        ordinal_actions=ordinal_actions,
        padded_action_space=padded_space,
    )


def _joint_action_space(space: ActionSpace, num_agents: int) -> ActionSpace:
    return ActionSpace(
        space.continuous * num_agents, space.discrete * num_agents, space.num_actions
    )


def _take_agents(values: Array, agents: NDArray[np.int32], axis: int) -> Array:
    """Select agents on an axis, without a copy where they are all agents in their order."""
    if np.array_equal(agents, np.arange(values.shape[axis])):
        return values
    return jnp.take(values, agents, axis=axis, mode="clip")
