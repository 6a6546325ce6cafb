"""Deep Q-learning with double estimates, a target network and a replay buffer.

The network that acts is the only one that values actions, so there is no critic to centralize.

References:
    Mnih et al. (2015), Human-level control through deep reinforcement learning.
    van Hasselt et al. (2016), Deep reinforcement learning with double Q-learning.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components.action_values import epsilon_greedy, greedy_actions, select_values
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
from prosumax.rl.components.optimizer import apply_gradients, init_optimizer
from prosumax.rl.components.replay_buffer import (
    ReplayBuffer,
    Transition,
    add_batch,
    init_buffer,
    sample_transitions,
)
from prosumax.rl.components.spaces import Action, ActionMask
from prosumax.rl.components.types import ActorOutput, AgentSpec, Batch, HiddenState


class DQNConfig(NamedTuple):
    """Hyperparameters; numbers that may be traced.

    Attributes:
        learning_rate: Learning rate of the network.
        gamma: Discount factor per step.
        epsilon: Probability of a random action.
        tau: Step size of the target network's Polyak average.
        max_grad_norm: Norm to which gradients are clipped.
    """

    learning_rate: float | Array = 1e-3
    gamma: float | Array = 0.99
    epsilon: float | Array = 0.05
    tau: float | Array = 0.02
    max_grad_norm: float | Array = 10.0


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


@dataclass(frozen=True)
class DQN:
    """A deep Q-learner.

    Attributes:
        spec: Sizes of an agent.
        gradient_steps: Number of gradient steps after each rollout.
        batch_size: Number of transitions per gradient step.
        buffer_size: Capacity of the replay buffer in transitions.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
    """

    spec: AgentSpec
    gradient_steps: int = 32
    batch_size: int = 256
    buffer_size: int = 20_000
    hidden_sizes: tuple[int, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "relu"

    def __post_init__(self) -> None:
        if self.spec.global_obs_size:
            raise InputError(
                "dqn: paradigm",
                "dqn has no critic, and this paradigm needs a centralized one",
                "Choose dtde, dtde-shared or ctce.",
            )

    @property
    def hidden_state_size(self) -> int:
        """Width of the actor's hidden state; the actor is feedforward."""
        return 0

    def init(self, key: PRNGKeyArray, config: DQNConfig) -> DQNState:
        """Initialize the network and an empty buffer."""
        space = self.spec.action_space
        q_network = make_mlp(
            key,
            self.spec.obs_size,
            space.discrete * space.num_actions,
            self.hidden_sizes,
            output_gain=0.1,
            activation=self.activation,
        )
        return DQNState(
            q_network=q_network,
            target_network=copy_params(q_network),
            opt_state=init_optimizer(q_network),
            buffer=init_buffer(self.spec, self.buffer_size),
            value_statistics=init_statistics(),
        )

    def act(
        self,
        state: DQNState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        config: DQNConfig,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Select epsilon-greedy actions, or greedy ones without noise."""
        values = self.q_values(state.q_network, obs)
        discrete = epsilon_greedy(values, mask.discrete, config.epsilon, noise)
        action = Action(jnp.zeros((*discrete.shape[:-1], 0)), discrete)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state: DQNState) -> DQNState:
        """Return the state with the network alone."""
        # Acting reads no other field.
        return DQNState(state.q_network, None, None, None, None)  # type: ignore[arg-type]

    def update(
        self, state: DQNState, batch: Batch, config: DQNConfig, key: PRNGKeyArray
    ) -> tuple[DQNState, dict[str, Array]]:
        """Add the batch to the buffer, and take gradient steps on samples of the buffer."""
        returns = reward_to_go(batch.reward, batch.done[..., None], config.gamma)
        buffer = add_batch(state.buffer, batch)
        statistics = update_statistics(state.value_statistics, returns, batch.weight)

        def gradient_step(
            networks: tuple[MLP, MLP, PyTree], key: PRNGKeyArray
        ) -> tuple[tuple[MLP, MLP, PyTree], dict[str, Array]]:
            q_network, target_network, opt_state = networks
            transitions, weight = sample_transitions(buffer, key, self.batch_size)
            target = self.td_target(q_network, target_network, statistics, transitions, config)
            loss, gradients = jax.value_and_grad(self.loss)(
                q_network, transitions, normalize(statistics, target), weight
            )
            q_network, opt_state = apply_gradients(
                q_network, gradients, opt_state, config.learning_rate, config.max_grad_norm
            )
            target_network = polyak_update(target_network, q_network, config.tau)
            return (q_network, target_network, opt_state), {"value_loss": loss}

        networks = (state.q_network, state.target_network, state.opt_state)
        keys = jax.random.split(key, self.gradient_steps)
        networks, metrics = jax.lax.scan(gradient_step, networks, keys)
        return DQNState(*networks, buffer, statistics), jax.tree.map(jnp.mean, metrics)

    def q_values(
        self, network: MLP, obs: Float[Array, "*batch feature"]
    ) -> Float[Array, "*batch discrete action"]:
        """Return the normalized values of all actions."""
        space = self.spec.action_space
        out, _ = network(obs, jnp.zeros((*obs.shape[:-1], 0)))
        return out.reshape(*obs.shape[:-1], space.discrete, space.num_actions)

    def td_target(
        self,
        q_network: MLP,
        target_network: MLP,
        value_statistics: RunningStatistics,
        transitions: Transition,
        config: DQNConfig,
    ) -> Float[Array, " row"]:
        """Compute the double Q-learning targets in units of the reward.

        Args:
            q_network: Network that selects the next action.
            target_network: Network that values it.
            value_statistics: Statistics by which values are denormalized.
            transitions: Transitions.
            config: Hyperparameters.
        """
        next_values = self.q_values(q_network, transitions.next_obs)
        next_action = greedy_actions(next_values, transitions.next_mask.discrete)
        target_values = self.q_values(target_network, transitions.next_obs)
        next_value = denormalize(
            value_statistics, select_values(target_values, next_action).sum(-1)
        )
        next_value = jnp.where(transitions.terminated, 0.0, next_value)
        return transitions.reward + config.gamma * next_value

    def loss(
        self,
        network: MLP,
        transitions: Transition,
        target: Float[Array, " row"],
        weight: Float[Array, " row"],
    ) -> Float[Array, ""]:
        """Compute the Huber loss of the values of the actions taken.

        Args:
            network: Network of action values.
            transitions: Transitions.
            target: Normalized targets.
            weight: Weight of each transition.
        """
        values = self.q_values(network, transitions.obs)
        selected = select_values(values, transitions.action.discrete).sum(-1)
        return weighted_mean(optax.losses.huber_loss(selected, target), weight)


algorithms.register("dqn", "Deep double Q-learning; continuous actions are discretized.")(
    Algorithm(DQN, DQNConfig(), discrete_only=True)
)
