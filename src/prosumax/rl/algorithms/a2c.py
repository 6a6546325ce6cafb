"""Advantage actor-critic (A2C): one gradient step of actor and critic per batch.

References:
    Mnih et al. (2016), Asynchronous methods for deep reinforcement learning, algorithm S3, here
    synchronous.
    Schulman et al. (2016), High-dimensional continuous control using generalized advantage
    estimation.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from pydantic import PositiveInt

from prosumax.rl.algorithms.base import Learner, hyperparameters, keep_fields
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.components import distributions
from prosumax.rl.components.actor_critic import evaluate_actions, state_values, value_loss
from prosumax.rl.components.advantages import AdvantageEstimate, gae, reward_to_go
from prosumax.rl.components.critics import critic_input_size, standardize, weighted_mean
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.networks import MLP, make_mlp
from prosumax.rl.components.normalization import (
    RunningStatistics,
    init_statistics,
    update_statistics,
)
from prosumax.rl.components.optimizer import clipped_adam
from prosumax.rl.components.spaces import ActionMask
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


@hyperparameters
class A2CConfig:
    """Hyperparameters.

    Attributes:
        learning_rate: Learning rate of the actor.
        critic_learning_rate: Learning rate of the critic.
        gamma: Discount factor per step.
        gae_lambda: Exponential weight of generalized advantage estimation.
        ent_coef: Coefficient of the entropy bonus.
        max_grad_norm: Norm to which gradients of the actor, and of the critic, are clipped.
        advantage: Advantage estimate: `gae`, or `reward_to_go` less the value, which never
            bootstraps.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
        recurrent: Whether actor and critic have a gated recurrent unit.
        normalize_advantage: Whether advantages are standardized in every batch.
        normalize_value: Whether the critic learns normalized targets.
    """

    learning_rate: float = 2e-3
    critic_learning_rate: float = 2e-3
    gamma: float = 0.99
    gae_lambda: float = 0.95
    ent_coef: float = 0.01
    max_grad_norm: float = 0.5
    advantage: Literal["gae", "reward_to_go"] = "gae"
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    recurrent: bool = False
    normalize_advantage: bool = True
    normalize_value: bool = True


class A2CState(NamedTuple):
    """State of one policy.

    Attributes:
        actor: Policy network.
        critic: Value network.
        actor_opt_state: Optimizer state of the actor.
        critic_opt_state: Optimizer state of the critic.
        value_statistics: Running statistics of the value targets.
    """

    actor: MLP
    critic: MLP
    actor_opt_state: optax.OptState
    critic_opt_state: optax.OptState
    value_statistics: RunningStatistics


@algorithms.register("a2c", "Advantage actor-critic: one gradient step per batch, GAE.")
@dataclass(frozen=True)
class A2C(Learner):
    """An A2C learner."""

    config: A2CConfig = A2CConfig()

    @property
    def hidden_state_size(self) -> int:
        """Width of the actor's hidden state."""
        return self.config.hidden_sizes[-1] if self.config.recurrent else 0

    @property
    def actor_optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the actor."""
        return clipped_adam(self.config.learning_rate, self.config.max_grad_norm)

    @property
    def critic_optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the critic."""
        return clipped_adam(self.config.critic_learning_rate, self.config.max_grad_norm)

    def init(self, key: PRNGKeyArray) -> A2CState:
        """Initialize the networks and their optimizers."""
        config = self.config
        actor_key, critic_key = jax.random.split(key)
        actor = make_mlp(
            actor_key,
            self.spec.obs_size,
            distributions.num_outputs(self.spec.action_space),
            config.hidden_sizes,
            output_gain=0.01,
            activation=config.activation,
            recurrent=config.recurrent,
        )
        critic = make_mlp(
            critic_key,
            critic_input_size(self.spec),
            1,
            config.hidden_sizes,
            output_gain=1.0,
            activation=config.activation,
            recurrent=config.recurrent,
        )
        return A2CState(
            actor=actor,
            critic=critic,
            actor_opt_state=self.actor_optimizer.init(actor),
            critic_opt_state=self.critic_optimizer.init(critic),
            value_statistics=init_statistics(),
        )

    def act(
        self,
        state: A2CState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample an action from the policy, or return its mode without noise."""
        out, hidden_state = state.actor(obs, hidden_state)
        action, _ = distributions.sample(out, mask, self.spec.action_space, noise)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state: A2CState) -> A2CState:
        """Return the state with the actor alone."""
        return keep_fields(state, "actor")

    def update(
        self, state: A2CState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[A2CState, dict[str, Array]]:
        """Estimate advantages, then take one gradient step of the actor and one of the critic."""
        estimate = self.estimate_advantages(state, batch)
        statistics = state.value_statistics
        if self.config.normalize_value:
            statistics = update_statistics(statistics, estimate.target, batch.weight)

        gradients, entropy = jax.grad(self.actor_loss, has_aux=True)(
            state.actor, batch, estimate.advantage
        )
        updates, actor_opt_state = self.actor_optimizer.update(gradients, state.actor_opt_state)
        actor = optax.apply_updates(state.actor, updates)

        loss, gradients = jax.value_and_grad(value_loss)(
            state.critic, statistics, self.spec, batch, estimate.target
        )
        updates, critic_opt_state = self.critic_optimizer.update(gradients, state.critic_opt_state)
        critic = optax.apply_updates(state.critic, updates)

        state = A2CState(actor, critic, actor_opt_state, critic_opt_state, statistics)
        return state, {"entropy": entropy, "value_loss": loss}

    def estimate_advantages(self, state: A2CState, batch: Batch) -> AdvantageEstimate:
        """Estimate the advantages and value targets of a batch."""
        done = batch.done[..., None]
        value, next_value = state_values(state.critic, state.value_statistics, self.spec, batch)
        if self.config.advantage == "reward_to_go":
            returns = reward_to_go(batch.reward, done, self.config.gamma)
            return AdvantageEstimate(returns - value, returns)
        return gae(
            batch.reward,
            value,
            next_value,
            batch.terminated,
            done,
            self.config.gamma,
            self.config.gae_lambda,
        )

    def actor_loss(
        self, actor: MLP, batch: Batch, advantage: Float[Array, "time env agent"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Compute the policy gradient loss less the entropy bonus.

        Args:
            actor: Policy network.
            batch: Experience.
            advantage: Advantage of every action.

        Returns:
            The loss, and the mean entropy of the policy.
        """
        log_prob, entropy = evaluate_actions(actor, batch, self.spec.action_space)
        if self.config.normalize_advantage:
            advantage = standardize(advantage, batch.weight)
        mean_entropy = weighted_mean(entropy, batch.weight)
        objective = weighted_mean(log_prob * advantage, batch.weight)
        return -objective - self.config.ent_coef * mean_entropy, mean_entropy
