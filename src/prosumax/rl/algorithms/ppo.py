"""Proximal policy optimization (PPO): a clipped surrogate loss, in epochs of minibatches.

With a critic of the agent's own observation (paradigms `dtde` and `dtde-shared`) this is IPPO, with
a critic of all observations (`ctde` and `ctde-shared`) MAPPO.

References:
    Schulman et al. (2017), Proximal policy optimization algorithms, equation 7.
    de Witt et al. (2020), Is independent learning all you need in the StarCraft multi-agent
    challenge? (IPPO).
    Yu et al. (2022), The surprising effectiveness of PPO in cooperative multi-agent games (MAPPO).
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
from prosumax.rl.components.actor_critic import evaluate_actions, state_values, value_loss
from prosumax.rl.components.advantages import AdvantageEstimate, gae
from prosumax.rl.components.critics import critic_input_size, standardize, weighted_mean
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.minibatches import (
    Experience,
    independent_rows,
    num_rows,
    shuffle_minibatches,
)
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
class PPOConfig:
    """Hyperparameters.

    Attributes:
        learning_rate: Learning rate of the actor.
        critic_learning_rate: Learning rate of the critic.
        gamma: Discount factor per step.
        gae_lambda: Exponential weight of generalized advantage estimation.
        clip_eps: Clipping range of the probability ratio.
        ent_coef: Coefficient of the entropy bonus.
        max_grad_norm: Norm to which gradients of the actor, and of the critic, are clipped.
        update_epochs: Number of passes over each batch.
        num_minibatches: Number of minibatches per pass.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
        recurrent: Whether actor and critic have a gated recurrent unit.
        normalize_advantage: Whether advantages are standardized in every minibatch.
        normalize_value: Whether the critic learns normalized targets.
    """

    learning_rate: float = 3e-4
    critic_learning_rate: float = 1e-3
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_eps: float = 0.2
    ent_coef: float = 0.01
    max_grad_norm: float = 0.5
    update_epochs: PositiveInt = 4
    num_minibatches: PositiveInt = 4
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    recurrent: bool = False
    normalize_advantage: bool = True
    normalize_value: bool = True


class PPOState(NamedTuple):
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


@algorithms.register(
    "ppo", "Proximal policy optimization: clipped surrogate, epochs of minibatches."
)
@dataclass(frozen=True)
class PPO(Learner):
    """A PPO learner."""

    config: PPOConfig = PPOConfig()

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

    def init(self, key: PRNGKeyArray) -> PPOState:
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
        return PPOState(
            actor=actor,
            critic=critic,
            actor_opt_state=self.actor_optimizer.init(actor),
            critic_opt_state=self.critic_optimizer.init(critic),
            value_statistics=init_statistics(),
        )

    def act(
        self,
        state: PPOState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample an action from the policy, or return its mode without noise."""
        out, hidden_state = state.actor(obs, hidden_state)
        action, log_prob = distributions.sample(out, mask, self.spec.action_space, noise)
        return ActorOutput(action, {"log_prob": log_prob}, hidden_state)

    def inference_state(self, state: PPOState) -> PPOState:
        """Return the state with the actor alone."""
        return keep_fields(state, "actor")

    def update(
        self, state: PPOState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[PPOState, dict[str, Array]]:
        """Estimate advantages, then take gradient steps in several epochs of minibatches."""
        value, next_value = state_values(state.critic, state.value_statistics, self.spec, batch)
        estimate = gae(
            batch.reward,
            value,
            next_value,
            batch.terminated,
            batch.done[..., None],
            self.config.gamma,
            self.config.gae_lambda,
        )
        return self.optimize(state, batch, estimate, key)

    def optimize(
        self, state: PPOState, batch: Batch, estimate: AdvantageEstimate, key: PRNGKeyArray
    ) -> tuple[PPOState, dict[str, Array]]:
        """Take gradient steps in several epochs of minibatches.

        Args:
            state: State before the update.
            batch: Experience.
            estimate: Its advantages and value targets.
            key: Random key of the minibatches.
        """
        config = self.config
        if config.normalize_value:
            statistics = update_statistics(state.value_statistics, estimate.target, batch.weight)
            state = state._replace(value_statistics=statistics)
        experience = independent_rows(batch, estimate, config.recurrent)
        num_minibatches = min(config.num_minibatches, num_rows(experience))

        def update_epoch(state: PPOState, key: PRNGKeyArray) -> tuple[PPOState, dict[str, Array]]:
            if num_minibatches == 1:
                return self.update_minibatch(state, experience)
            minibatches = shuffle_minibatches(key, experience, num_minibatches)
            return jax.lax.scan(self.update_minibatch, state, minibatches)

        keys = jax.random.split(key, config.update_epochs)
        state, metrics = jax.lax.scan(update_epoch, state, keys)
        return state, jax.tree.map(jnp.mean, metrics)

    def update_minibatch(
        self, state: PPOState, minibatch: Experience
    ) -> tuple[PPOState, dict[str, Array]]:
        """Take one gradient step of the actor and one of the critic."""
        batch, estimate = minibatch
        gradients, metrics = jax.grad(self.actor_loss, has_aux=True)(
            state.actor, batch, estimate.advantage
        )
        updates, actor_opt_state = self.actor_optimizer.update(gradients, state.actor_opt_state)
        actor = optax.apply_updates(state.actor, updates)

        loss, gradients = jax.value_and_grad(value_loss)(
            state.critic, state.value_statistics, self.spec, batch, estimate.target
        )
        updates, critic_opt_state = self.critic_optimizer.update(gradients, state.critic_opt_state)
        critic = optax.apply_updates(state.critic, updates)

        state = PPOState(actor, critic, actor_opt_state, critic_opt_state, state.value_statistics)
        return state, metrics | {"value_loss": loss}

    def actor_loss(
        self, actor: MLP, batch: Batch, advantage: Float[Array, "time env agent"]
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        """Compute the clipped surrogate loss less the entropy bonus.

        Args:
            actor: Policy network.
            batch: Experience.
            advantage: Advantage of every action.

        Returns:
            The loss, and metrics.
        """
        config = self.config
        log_prob, entropy = evaluate_actions(actor, batch, self.spec.action_space)
        if config.normalize_advantage:
            advantage = standardize(advantage, batch.weight)
        # Narrow policies that have moved would otherwise produce ratios that overflow.
        ratio = jnp.exp(jnp.clip(log_prob - batch.extras["log_prob"], -20.0, 20.0))
        clipped_ratio = jnp.clip(ratio, 1.0 - config.clip_eps, 1.0 + config.clip_eps)
        objective = jnp.minimum(ratio * advantage, clipped_ratio * advantage)
        mean_entropy = weighted_mean(entropy, batch.weight)
        loss = -weighted_mean(objective, batch.weight) - config.ent_coef * mean_entropy
        metrics = {
            "entropy": mean_entropy,
            "ratio_deviation": weighted_mean(jnp.abs(ratio - 1.0), batch.weight),
        }
        return loss, metrics
