"""Soft actor-critic for continuous, discrete and hybrid actions.

Continuous actions are reparameterized, so that the gradient passes through the critics to the
policy. Discrete actions are not sampled: critics output the value of every discrete action given
the continuous ones, as a sum over several (see `action_values`), so that the expectation over them
is exact. The temperature is tuned so that the policy's entropy approaches a target, which counts
valid actions only.

A centralized critic receives the observations of all agents, but only the agent's own action,
because the next actions of the others are unknown.

References:
    Haarnoja et al. (2018), Soft actor-critic algorithms and applications, equations 5, 7 and 18.
    Christodoulou (2019), Soft actor-critic for discrete action settings.
    Delalleau et al. (2019), Discrete and continuous action representation for practical RL.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from pydantic import PositiveInt

from prosumax.rl.algorithms.base import Learner, hyperparameters, keep_fields
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.components import distributions
from prosumax.rl.components.action_values import select_values
from prosumax.rl.components.advantages import reward_to_go
from prosumax.rl.components.critics import (
    copy_params,
    critic_input_size,
    polyak_update,
    weighted_mean,
)
from prosumax.rl.components.distributions import ActionDistribution, ActionNoise
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
    transition_critic_inputs,
)
from prosumax.rl.components.spaces import ActionMask
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


@hyperparameters
class SACConfig:
    """Hyperparameters.

    Attributes:
        learning_rate: Learning rate of the policy.
        critic_learning_rate: Learning rate of the critics.
        temperature_learning_rate: Learning rate of the temperature.
        gamma: Discount factor per step.
        tau: Step size of the target critics' Polyak average.
        target_entropy_continuous: Target entropy of every continuous action; log 2 = 0.69 is
            uniform, -1 a standard deviation of about a fifth of the range.
        target_entropy_discrete: Target entropy of every discrete action, as a share of that of
            the uniform distribution.
        max_grad_norm: Norm to which gradients of the policy, and of the critics, are clipped.
        gradient_steps: Number of gradient steps after each rollout.
        batch_size: Number of transitions per gradient step.
        buffer_size: Capacity of the replay buffer in transitions.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
    """

    learning_rate: float = 1e-3
    critic_learning_rate: float = 1e-3
    temperature_learning_rate: float = 1e-2
    gamma: float = 0.99
    tau: float = 0.02
    target_entropy_continuous: float = -1.0
    target_entropy_discrete: float = 0.2
    max_grad_norm: float = 10.0
    gradient_steps: PositiveInt = 32
    batch_size: PositiveInt = 256
    buffer_size: PositiveInt = 20_000
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "relu"


class SACState(NamedTuple):
    """State of one policy.

    Attributes:
        actor: Policy network.
        critics: Two value networks on a leading axis.
        target_critics: Their Polyak averages.
        log_temperature: Logarithm of the temperature, in normalized units of value.
        actor_opt_state: Optimizer state of the policy.
        critic_opt_state: Optimizer state of the critics.
        temperature_opt_state: Optimizer state of the temperature.
        buffer: Replay buffer.
        value_statistics: Running statistics of the returns.
    """

    actor: MLP
    critics: MLP
    target_critics: MLP
    log_temperature: Float[Array, ""]
    actor_opt_state: optax.OptState
    critic_opt_state: optax.OptState
    temperature_opt_state: optax.OptState
    buffer: ReplayBuffer
    value_statistics: RunningStatistics


@algorithms.register("sac", "Soft actor-critic for continuous, discrete and hybrid actions.")
@dataclass(frozen=True)
class SAC(Learner):
    """A soft actor-critic learner."""

    config: SACConfig = SACConfig()

    @property
    def actor_optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the policy."""
        return clipped_adam(self.config.learning_rate, self.config.max_grad_norm)

    @property
    def critic_optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the critics."""
        return clipped_adam(self.config.critic_learning_rate, self.config.max_grad_norm)

    @property
    def temperature_optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the temperature, whose gradient is not clipped."""
        return optax.adam(self.config.temperature_learning_rate, eps=1e-5)

    def init(self, key: PRNGKeyArray) -> SACState:
        """Initialize the networks and an empty buffer."""
        actor_key, critic_key = jax.random.split(key)
        space = self.spec.action_space
        actor = make_mlp(
            actor_key,
            self.spec.obs_size,
            distributions.num_outputs(space),
            self.config.hidden_sizes,
            output_gain=0.01,
            activation=self.config.activation,
        )

        def make_critic(key: PRNGKeyArray) -> MLP:
            return make_mlp(
                key,
                critic_input_size(self.spec) + space.continuous,
                1 + space.discrete * space.num_actions,
                self.config.hidden_sizes,
                output_gain=0.1,
                activation=self.config.activation,
            )

        critics = jax.vmap(make_critic)(jax.random.split(critic_key))
        log_temperature = jnp.log(jnp.float32(0.1))
        return SACState(
            actor=actor,
            critics=critics,
            target_critics=copy_params(critics),
            log_temperature=log_temperature,
            actor_opt_state=self.actor_optimizer.init(actor),
            critic_opt_state=self.critic_optimizer.init(critics),
            temperature_opt_state=self.temperature_optimizer.init(log_temperature),
            buffer=init_buffer(self.spec, self.config.buffer_size),
            value_statistics=init_statistics(),
        )

    def act(
        self,
        state: SACState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample an action from the policy, or return its mode without noise."""
        out, _ = state.actor(obs, hidden_state)
        action, _ = distributions.sample(out, mask, self.spec.action_space, noise)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state: SACState) -> SACState:
        """Return the state with the actor alone."""
        return keep_fields(state, "actor")

    def update(
        self, state: SACState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[SACState, dict[str, Array]]:
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
        self, state: SACState, key: PRNGKeyArray
    ) -> tuple[SACState, dict[str, Array]]:
        """Take one gradient step of the critics, the policy and the temperature."""
        sample_key, target_key, actor_key = jax.random.split(key, 3)
        transitions, weight = sample_transitions(state.buffer, sample_key, self.config.batch_size)
        inputs, _ = transition_critic_inputs(self.spec, transitions)

        target = self.td_target(state, transitions, self.sample_noise(target_key))
        value_loss, gradients = jax.value_and_grad(self.critic_loss)(
            state.critics,
            inputs,
            transitions,
            normalize(state.value_statistics, target),
            weight,
        )
        updates, critic_opt_state = self.critic_optimizer.update(gradients, state.critic_opt_state)
        critics = optax.apply_updates(state.critics, updates)
        state = state._replace(critics=critics, critic_opt_state=critic_opt_state)

        gradients, entropy = jax.grad(self.actor_loss, has_aux=True)(
            state.actor, state, inputs, transitions, weight, self.sample_noise(actor_key)
        )
        updates, actor_opt_state = self.actor_optimizer.update(gradients, state.actor_opt_state)
        actor = optax.apply_updates(state.actor, updates)

        # Gradient of the temperature loss by the logarithm of the temperature, up to a factor.
        excess_entropy = weighted_mean(
            entropy - target_entropy(transitions.mask, self.config), weight
        )
        updates, temperature_opt_state = self.temperature_optimizer.update(
            excess_entropy, state.temperature_opt_state
        )
        log_temperature = optax.apply_updates(state.log_temperature, updates)

        state = state._replace(
            actor=actor,
            target_critics=polyak_update(state.target_critics, critics, self.config.tau),
            log_temperature=jnp.clip(log_temperature, -12.0, 4.0),
            actor_opt_state=actor_opt_state,
            temperature_opt_state=temperature_opt_state,
        )
        metrics = {
            "entropy": weighted_mean(entropy, weight),
            "temperature": jnp.exp(state.log_temperature),
            "value_loss": value_loss,
        }
        return state, metrics

    def sample_noise(self, key: PRNGKeyArray) -> ActionNoise:
        """Sample the noise of one batch of transitions."""
        return distributions.sample_noise(self.spec.action_space, key, (self.config.batch_size,))

    def q_values(
        self,
        critics: MLP,
        inputs: Float[Array, "row input"],
        continuous: Float[Array, "row continuous"],
        mask: ActionMask,
    ) -> tuple[Float[Array, "2 row"], Float[Array, "2 row discrete action"]]:
        """Return the normalized values of both critics.

        Args:
            critics: Two critics on a leading axis.
            inputs: Inputs of the critics without actions.
            continuous: Squashed continuous actions.
            mask: Valid actions.

        Returns:
            The value of the continuous actions, and the contribution of every discrete action.
        """
        inputs = jnp.concatenate([inputs, jnp.where(mask.continuous, continuous, 0.0)], axis=-1)
        out = jax.vmap(lambda critic: critic.feedforward(inputs))(critics)
        space = self.spec.action_space
        discrete = out[..., 1:].reshape(*out.shape[:-1], space.discrete, space.num_actions)
        return out[..., 0], discrete

    def expected_value(
        self,
        critics: MLP,
        inputs: Float[Array, "row input"],
        policy: ActionDistribution,
        noise: ActionNoise,
    ) -> Float[Array, " row"]:
        """Return the lower of both critics' values of a policy.

        Continuous actions are sampled by reparameterization; discrete ones are averaged exactly.
        """
        continuous = jnp.tanh(policy.mean + jnp.exp(policy.log_std) * noise.normal)
        base, discrete = self.q_values(critics, inputs, continuous, policy.mask)
        return jnp.min(base + (jnp.exp(policy.log_probs) * discrete).sum((-2, -1)), axis=0)

    def td_target(
        self, state: SACState, transitions: Transition, noise: ActionNoise
    ) -> Float[Array, " row"]:
        """Compute soft Bellman targets in units of the reward."""
        _, next_inputs = transition_critic_inputs(self.spec, transitions)
        policy = distributions.action_distribution(
            state.actor.feedforward(transitions.next_obs),
            transitions.next_mask,
            self.spec.action_space,
        )
        bonus = jnp.exp(state.log_temperature) * distributions.entropy(policy)
        expected = self.expected_value(state.target_critics, next_inputs, policy, noise)
        next_value = denormalize(state.value_statistics, expected + bonus)
        next_value = jnp.where(transitions.terminated, 0.0, next_value)
        return transitions.reward + self.config.gamma * next_value

    def critic_loss(
        self,
        critics: MLP,
        inputs: Float[Array, "row input"],
        transitions: Transition,
        target: Float[Array, " row"],
        weight: Float[Array, " row"],
    ) -> Float[Array, ""]:
        """Compute half the mean squared error of both critics.

        Args:
            critics: Two critics on a leading axis.
            inputs: Inputs of the critics without actions.
            transitions: Transitions.
            target: Normalized targets.
            weight: Weight of each transition.
        """
        base, discrete = self.q_values(
            critics, inputs, transitions.action.continuous, transitions.mask
        )
        action = transitions.action.discrete
        values = base + select_values(discrete, jnp.broadcast_to(action, (2, *action.shape))).sum(
            -1
        )
        return 0.5 * weighted_mean(((values - target) ** 2).sum(0), weight)

    def actor_loss(
        self,
        actor: MLP,
        state: SACState,
        inputs: Float[Array, "row input"],
        transitions: Transition,
        weight: Float[Array, " row"],
        noise: ActionNoise,
    ) -> tuple[Float[Array, ""], Float[Array, " row"]]:
        """Compute the negative soft value of the policy.

        Args:
            actor: Policy network.
            state: State with the critics and the temperature.
            inputs: Inputs of the critics without actions.
            transitions: Transitions.
            weight: Weight of each transition.
            noise: Noise of the continuous actions.

        Returns:
            The loss, and the entropy of the policy at each transition.
        """
        policy = distributions.action_distribution(
            actor.feedforward(transitions.obs), transitions.mask, self.spec.action_space
        )
        entropy = distributions.entropy(policy)
        expected = self.expected_value(state.critics, inputs, policy, noise)
        soft_value = expected + jnp.exp(state.log_temperature) * entropy
        return -weighted_mean(soft_value, weight), entropy


def target_entropy(mask: ActionMask, config: SACConfig) -> Float[Array, "*batch"]:
    """Return the target entropy of a policy; masked actions add nothing."""
    uniform = jnp.log(jnp.maximum(mask.discrete.sum(-1), 1)).sum(-1)
    continuous = config.target_entropy_continuous * mask.continuous.sum(-1)
    return continuous + config.target_entropy_discrete * uniform
