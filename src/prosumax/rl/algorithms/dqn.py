"""Deep Q-learning with double estimates, a target network and a replay buffer.

The network that acts is the only one that values actions, so there is no critic to centralize.

References:
    Mnih et al. (2015), Human-level control through deep reinforcement learning.
    van Hasselt et al. (2016), Deep reinforcement learning with double Q-learning.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from pydantic import PositiveInt

from prosumax.rl.algorithms.base import Learner, hyperparameters, keep_fields
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.components.action_values import (
    epsilon_greedy,
    greedy_actions,
    q_values,
    select_values,
)
from prosumax.rl.components.advantages import reward_to_go
from prosumax.rl.components.critics import copy_params, polyak_update, weighted_mean
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.networks import MLP, make_mlp
from prosumax.rl.components.normalization import (
    RunningStatistics,
    denormalize,
    init_statistics,
    normalize,
    update_statistics,
)
from prosumax.rl.components.optimizer import clipped_adam
from prosumax.rl.components.replay_buffer import (
    ReplayBuffer,
    Transition,
    add_batch,
    init_buffer,
    sample_transitions,
)
from prosumax.rl.components.spaces import Action, ActionMask
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


@hyperparameters
class DQNConfig:
    """Hyperparameters.

    Attributes:
        learning_rate: Learning rate of the network.
        gamma: Discount factor per step.
        epsilon: Probability of a random action.
        tau: Step size of the target network's Polyak average.
        max_grad_norm: Norm to which gradients are clipped.
        gradient_steps: Number of gradient steps after each rollout.
        batch_size: Number of transitions per gradient step.
        buffer_size: Capacity of the replay buffer in transitions.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
    """

    learning_rate: float = 1e-3
    gamma: float = 0.99
    epsilon: float = 0.05
    tau: float = 0.02
    max_grad_norm: float = 10.0
    gradient_steps: PositiveInt = 32
    batch_size: PositiveInt = 256
    buffer_size: PositiveInt = 20_000
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "relu"


class DQNState(NamedTuple):
    """State of one policy.

    Attributes:
        q_network: Network of action values.
        target_network: Its Polyak average.
        opt_state: Optimizer state of the network.
        buffer: Replay buffer.
        value_statistics: Running statistics of the returns.
    """

    q_network: MLP
    target_network: MLP
    opt_state: optax.OptState
    buffer: ReplayBuffer
    value_statistics: RunningStatistics


@algorithms.register("dqn", "Deep double Q-learning; continuous actions are discretized.")
@dataclass(frozen=True)
class DQN(Learner):
    """A deep Q-learner."""

    config: DQNConfig = DQNConfig()

    discrete_only: ClassVar[bool] = True
    centralized_critic: ClassVar[Literal["unsupported"]] = "unsupported"

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the network."""
        return clipped_adam(self.config.learning_rate, self.config.max_grad_norm)

    def init(self, key: PRNGKeyArray) -> DQNState:
        """Initialize the network and an empty buffer."""
        space = self.spec.action_space
        q_network = make_mlp(
            key,
            self.spec.obs_size,
            space.discrete * space.num_actions,
            self.config.hidden_sizes,
            output_gain=0.1,
            activation=self.config.activation,
        )
        return DQNState(
            q_network=q_network,
            target_network=copy_params(q_network),
            opt_state=self.optimizer.init(q_network),
            buffer=init_buffer(self.spec, self.config.buffer_size),
            value_statistics=init_statistics(),
        )

    def act(
        self,
        state: DQNState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Select epsilon-greedy actions, or greedy ones without noise."""
        values = q_values(state.q_network, obs, self.spec.action_space)
        discrete = epsilon_greedy(values, mask.discrete, self.config.epsilon, noise)
        action = Action(jnp.zeros((*discrete.shape[:-1], 0)), discrete)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state: DQNState) -> DQNState:
        """Return the state with the network alone."""
        return keep_fields(state, "q_network")

    def update(
        self, state: DQNState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[DQNState, dict[str, Array]]:
        """Add the batch to the buffer, and take gradient steps on samples of the buffer."""
        returns = reward_to_go(batch.reward, batch.done[..., None], self.config.gamma)
        state = state._replace(
            buffer=add_batch(state.buffer, batch),
            value_statistics=update_statistics(state.value_statistics, returns, batch.weight),
        )
        keys = jax.random.split(key, self.config.gradient_steps)
        state, metrics = jax.lax.scan(self.gradient_step, state, keys)
        return state, jax.tree.map(jnp.mean, metrics)

    def gradient_step(
        self, state: DQNState, key: PRNGKeyArray
    ) -> tuple[DQNState, dict[str, Array]]:
        """Take one gradient step of the network, and move the target network toward it."""
        transitions, weight = sample_transitions(state.buffer, key, self.config.batch_size)
        target = normalize(state.value_statistics, self.td_target(state, transitions))
        loss, gradients = jax.value_and_grad(self.loss)(
            state.q_network, transitions, target, weight
        )
        updates, opt_state = self.optimizer.update(gradients, state.opt_state)
        q_network = optax.apply_updates(state.q_network, updates)
        state = state._replace(
            q_network=q_network,
            target_network=polyak_update(state.target_network, q_network, self.config.tau),
            opt_state=opt_state,
        )
        return state, {"value_loss": loss}

    def td_target(self, state: DQNState, transitions: Transition) -> Float[Array, " row"]:
        """Compute the double Q-learning targets in units of the reward.

        The network selects the next action, and the target network values it.
        """
        space = self.spec.action_space
        next_values = q_values(state.q_network, transitions.next_obs, space)
        next_action = greedy_actions(next_values, transitions.next_mask.discrete)
        target_values = q_values(state.target_network, transitions.next_obs, space)
        next_value = denormalize(
            state.value_statistics, select_values(target_values, next_action).sum(-1)
        )
        next_value = jnp.where(transitions.terminated, 0.0, next_value)
        return transitions.reward + self.config.gamma * next_value

    def loss(
        self,
        q_network: MLP,
        transitions: Transition,
        target: Float[Array, " row"],
        weight: Float[Array, " row"],
    ) -> Float[Array, ""]:
        """Compute the Huber loss of the values of the actions taken.

        Args:
            q_network: Network of action values.
            transitions: Transitions.
            target: Normalized targets.
            weight: Weight of each transition.
        """
        values = q_values(q_network, transitions.obs, self.spec.action_space)
        selected = select_values(values, transitions.action.discrete).sum(-1)
        return weighted_mean(optax.losses.huber_loss(selected, target), weight)
