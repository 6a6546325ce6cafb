"""Counterfactual multi-agent policy gradients (COMA).

A centralized critic values every action of one agent given the observations of all agents and the
actions of the others. The advantage of an action is its value less the average over the agent's
own policy, all else equal. With several discrete actions the advantage is computed action by
action, since the critic's values of actions add up (see `action_values`).

The critic learns TD(lambda) targets with a target network. These need the others' next actions;
where they are unknown, at the end of a truncated episode and of the batch, the others are assumed
to repeat their last action.

References:
    Foerster et al. (2018), Counterfactual multi-agent policy gradients, equations 3 and 4.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree
from pydantic import PositiveInt

from prosumax.rl.algorithms.base import Learner, hyperparameters, keep_fields
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.components import distributions
from prosumax.rl.components.action_values import q_values, select_values
from prosumax.rl.components.advantages import reward_to_go
from prosumax.rl.components.critics import (
    copy_params,
    critic_input,
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
from prosumax.rl.components.spaces import ActionMask, encode_action
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


@hyperparameters
class COMAConfig:
    """Hyperparameters.

    Attributes:
        learning_rate: Learning rate of the actor.
        critic_learning_rate: Learning rate of the critic.
        gamma: Discount factor per step.
        td_lambda: Lambda of the critic's TD(lambda) targets; 0 is one step, 1 the rest of the
            episode.
        ent_coef: Coefficient of the entropy bonus.
        tau: Step size of the target critic's Polyak average.
        max_grad_norm: Norm to which gradients of the actor, and of the critic, are clipped.
        critic_updates: Number of gradient steps of the critic per batch; the actor takes one.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
    """

    learning_rate: float = 2e-3
    critic_learning_rate: float = 2e-3
    gamma: float = 0.99
    td_lambda: float = 0.8
    ent_coef: float = 0.01
    tau: float = 0.05
    max_grad_norm: float = 1.0
    critic_updates: PositiveInt = 8
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"


class COMAState(NamedTuple):
    """State of one policy.

    Attributes:
        actor: Policy network.
        critic: Network of action values.
        target_critic: Its Polyak average.
        actor_opt_state: Optimizer state of the actor.
        critic_opt_state: Optimizer state of the critic.
        value_statistics: Running statistics of the returns.
    """

    actor: MLP
    critic: MLP
    target_critic: MLP
    actor_opt_state: optax.OptState
    critic_opt_state: optax.OptState
    value_statistics: RunningStatistics


@algorithms.register("coma", "Counterfactual policy gradients; continuous actions are discretized.")
@dataclass(frozen=True)
class COMA(Learner):
    """A COMA learner."""

    config: COMAConfig = COMAConfig()

    discrete_only: ClassVar[bool] = True
    centralized_critic: ClassVar[Literal["required"]] = "required"

    @property
    def actor_optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the actor."""
        return clipped_adam(self.config.learning_rate, self.config.max_grad_norm)

    @property
    def critic_optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the critic."""
        return clipped_adam(self.config.critic_learning_rate, self.config.max_grad_norm)

    def init(self, key: PRNGKeyArray) -> COMAState:
        """Initialize the networks and their optimizers."""
        actor_key, critic_key = jax.random.split(key)
        spec = self.spec
        joint = spec.padded_action_space or spec.env_action_space
        num_values = spec.action_space.discrete * spec.action_space.num_actions
        actor = make_mlp(
            actor_key,
            spec.obs_size,
            num_values,
            self.config.hidden_sizes,
            output_gain=0.01,
            activation=self.config.activation,
        )
        code_size = joint.continuous + joint.discrete * joint.num_actions
        critic = make_mlp(
            critic_key,
            critic_input_size(spec) + spec.num_agents * code_size,
            num_values,
            self.config.hidden_sizes,
            output_gain=0.1,
            activation=self.config.activation,
        )
        return COMAState(
            actor=actor,
            critic=critic,
            target_critic=copy_params(critic),
            actor_opt_state=self.actor_optimizer.init(actor),
            critic_opt_state=self.critic_optimizer.init(critic),
            value_statistics=init_statistics(),
        )

    def act(
        self,
        state: COMAState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample an action from the policy, or return its mode without noise."""
        out, _ = state.actor(obs, hidden_state)
        action, _ = distributions.sample(out, mask, self.spec.action_space, noise)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state: COMAState) -> COMAState:
        """Return the state with the actor alone."""
        return keep_fields(state, "actor")

    def update(
        self, state: COMAState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[COMAState, dict[str, Array]]:
        """Take several gradient steps of the critic, then one of the actor."""
        returns = reward_to_go(batch.reward, batch.done[..., None], self.config.gamma)
        statistics = update_statistics(state.value_statistics, returns, batch.weight)
        state = state._replace(value_statistics=statistics)
        others = self.other_actions(batch)
        own_inputs = critic_input(self.spec, batch.obs, batch.global_obs, batch.agent_id)
        inputs = jnp.concatenate([own_inputs, others], axis=-1)

        def update_critic(state: COMAState, _: None) -> tuple[COMAState, Array]:
            target = self.td_target(state, batch, inputs, others)
            loss, gradients = jax.value_and_grad(self.critic_loss)(
                state.critic, inputs, batch, normalize(state.value_statistics, target)
            )
            updates, critic_opt_state = self.critic_optimizer.update(
                gradients, state.critic_opt_state
            )
            critic = optax.apply_updates(state.critic, updates)
            state = state._replace(
                critic=critic,
                target_critic=polyak_update(state.target_critic, critic, self.config.tau),
                critic_opt_state=critic_opt_state,
            )
            return state, loss

        state, value_losses = jax.lax.scan(update_critic, state, length=self.config.critic_updates)

        values = q_values(state.critic, inputs, self.spec.action_space)
        gradients, entropy = jax.grad(self.actor_loss, has_aux=True)(state.actor, batch, values)
        updates, actor_opt_state = self.actor_optimizer.update(gradients, state.actor_opt_state)
        actor = optax.apply_updates(state.actor, updates)
        state = state._replace(actor=actor, actor_opt_state=actor_opt_state)
        return state, {"entropy": entropy, "value_loss": value_losses.mean()}

    def other_actions(self, batch: Batch) -> Float[Array, "time env agent code"]:
        """Return the actions of all agents side by side, with zeros in the agent's own place."""
        space = self.spec.padded_action_space or self.spec.env_action_space
        code = encode_action(batch.joint_action, space)[:, :, None]
        is_own = jnp.arange(self.spec.num_agents) == batch.agent_id[:, None]
        others = jnp.where(is_own[..., None], 0.0, code)
        return others.reshape(*others.shape[:3], -1)

    def td_target(
        self,
        state: COMAState,
        batch: Batch,
        inputs: Float[Array, "time env agent input"],
        others: Float[Array, "time env agent code"],
    ) -> Float[Array, "time env agent"]:
        """Compute TD(lambda) targets with the target critic, in units of the reward.

        Args:
            state: State of the learner.
            batch: Experience.
            inputs: Inputs of the critic.
            others: Actions of the other agents, which are part of the inputs.
        """
        space = self.spec.action_space
        values = q_values(state.target_critic, inputs, space)
        value = select_values(values, batch.action.discrete).sum(-1)
        next_own_inputs = critic_input(
            self.spec, batch.next_obs, batch.next_global_obs, batch.agent_id
        )
        next_inputs = jnp.concatenate([next_own_inputs, others], axis=-1)
        next_values = q_values(state.target_critic, next_inputs, space)
        policy = distributions.action_distribution(
            state.actor.feedforward(batch.next_obs), batch.next_mask, space
        )
        expected = (jnp.exp(policy.log_probs) * next_values).sum((-2, -1))
        return td_lambda_returns(
            batch.reward,
            denormalize(state.value_statistics, value),
            denormalize(state.value_statistics, expected),
            batch.terminated,
            batch.done[..., None],
            self.config.gamma,
            self.config.td_lambda,
        )

    def critic_loss(
        self,
        critic: MLP,
        inputs: Float[Array, "time env agent input"],
        batch: Batch,
        target: Float[Array, "time env agent"],
    ) -> Float[Array, ""]:
        """Compute half the mean squared error of the values of the actions taken."""
        values = q_values(critic, inputs, self.spec.action_space)
        selected = select_values(values, batch.action.discrete).sum(-1)
        return 0.5 * weighted_mean((selected - target) ** 2, batch.weight)

    def actor_loss(
        self,
        actor: MLP,
        batch: Batch,
        values: Float[Array, "time env agent discrete action"],
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Compute the counterfactual policy loss less the entropy bonus.

        Args:
            actor: Policy network.
            batch: Experience.
            values: Values of all actions.

        Returns:
            The loss, and the mean entropy of the policy.
        """
        policy = distributions.action_distribution(
            actor.feedforward(batch.obs), batch.mask, self.spec.action_space
        )
        advantage = counterfactual_advantage(values, policy, batch.action.discrete)
        scale = jnp.sqrt(weighted_mean((advantage**2).sum(-1), batch.weight) + 1e-8)
        log_prob = select_values(policy.log_probs, batch.action.discrete)
        objective = (log_prob * advantage / scale).sum(-1)
        entropy = weighted_mean(distributions.entropy(policy), batch.weight)
        return -weighted_mean(objective, batch.weight) - self.config.ent_coef * entropy, entropy


def counterfactual_advantage(
    values: Float[Array, "*batch discrete action"],
    policy: ActionDistribution,
    actions: Int[Array, "*batch discrete"],
) -> Float[Array, "*batch discrete"]:
    """Compute the value of each action less the policy's average, without gradient.

    Args:
        values: Values of all actions.
        policy: The agent's policy.
        actions: Actions taken.

    References:
        Foerster et al. (2018), Counterfactual multi-agent policy gradients, equation 4.
    """
    baseline = (jnp.exp(policy.log_probs) * values).sum(-1)
    return jax.lax.stop_gradient(select_values(values, actions) - baseline)


def td_lambda_returns(
    reward: Float[Array, "time *batch"],
    value: Float[Array, "time *batch"],
    expected_next_value: Float[Array, "time *batch"],
    terminated: Bool[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    gamma: Float[Array, ""] | float,
    td_lambda: Float[Array, ""] | float,
) -> Float[Array, "time *batch"]:
    """Compute TD(lambda) targets of action values.

    Args:
        reward: Reward of the step.
        value: Value of the action taken.
        expected_next_value: Expected value after the step, used where the next action is unknown.
        terminated: Whether the step ended in a terminal state.
        done: Whether the episode ended with the step.
        gamma: Discount factor in [0, 1].
        td_lambda: Exponential weight in [0, 1].

    References:
        Sutton and Barto (2018), Reinforcement learning, section 12.1.
    """
    bootstrap = jnp.where(terminated, 0.0, expected_next_value)

    def step(carry: tuple[Array, Array, Array], inputs: tuple[Array, ...]) -> tuple[PyTree, Array]:
        next_target, next_value, is_known = carry
        reward, value, bootstrap, done = inputs
        mixed = (1.0 - td_lambda) * next_value + td_lambda * next_target
        target = reward + gamma * jnp.where(is_known & ~done, mixed, bootstrap)
        return (target, value, jnp.ones_like(is_known)), target

    zero = jnp.zeros_like(reward[0])
    unknown = jnp.zeros(zero.shape, bool)
    done = jnp.broadcast_to(done, reward.shape)
    inputs = (reward, value, bootstrap, done)
    return jax.lax.scan(step, (zero, zero, unknown), inputs, reverse=True)[1]
