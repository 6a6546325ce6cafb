"""REINFORCE, advantage actor-critic (A2C) and PPO as settings of one policy gradient learner.

The algorithms differ in the advantage estimate, in the loss, and in how often a batch is used:

| algorithm | advantage | loss | uses of a batch |
|---|---|---|---|
| `reinforce` | reward to go | policy gradient | 1 |
| `a2c` | generalized advantage estimate, or reward to go less the value | policy gradient | 1 |
| `ppo` | generalized advantage estimate | clipped surrogate | epochs x minibatches |

References:
    Williams (1992), Simple statistical gradient-following algorithms (REINFORCE).
    Mnih et al. (2016), Asynchronous methods for deep reinforcement learning (A2C).
    Schulman et al. (2017), Proximal policy optimization algorithms, equation 7 (PPO).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components import distributions
from prosumax.rl.components.advantages import AdvantageEstimate, gae, reward_to_go
from prosumax.rl.components.critics import (
    critic_input,
    critic_input_size,
    standardize,
    weighted_mean,
)
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
from prosumax.rl.components.spaces import ActionMask
from prosumax.rl.components.types import ActorOutput, AgentSpec, Batch, HiddenState, shift_next


class PolicyGradientConfig(NamedTuple):
    """Hyperparameters; numbers that may be traced.

    Attributes:
        learning_rate: Learning rate of the actor.
        critic_learning_rate: Learning rate of the critic.
        gamma: Discount factor per step.
        gae_lambda: Exponential weight of generalized advantage estimation.
        clip_eps: Clipping range of the probability ratio in PPO.
        ent_coef: Coefficient of the entropy bonus.
        max_grad_norm: Norm to which gradients of the actor, and of the critic, are clipped.
    """

    learning_rate: float | Array = 3e-4
    critic_learning_rate: float | Array = 1e-3
    gamma: float | Array = 0.99
    gae_lambda: float | Array = 0.95
    clip_eps: float | Array = 0.2
    ent_coef: float | Array = 0.01
    max_grad_norm: float | Array = 0.5


class PolicyGradientState(NamedTuple):
    """State of one policy.

    Attributes:
        actor: Policy network.
        critic: Value network; None without a critic.
        actor_opt_state: Optimizer state of the actor.
        critic_opt_state: Optimizer state of the critic.
        value_statistics: Running statistics of the value targets.
    """

    actor: MLP
    critic: MLP | None
    actor_opt_state: optax.OptState
    critic_opt_state: optax.OptState
    value_statistics: RunningStatistics


@dataclass(frozen=True)
class PolicyGradient:
    """A policy gradient learner.

    Attributes:
        spec: Sizes of an agent.
        advantage: Advantage estimate, `gae` or `reward_to_go`, which never bootstraps.
        loss: `policy_gradient`, or `clipped` for PPO's surrogate.
        use_critic: Whether a learned value is the baseline; without one the advantage is the
            reward to go.
        update_epochs: Number of passes over each batch.
        num_minibatches: Number of minibatches per pass.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
        recurrent: Whether actor and critic have a gated recurrent unit.
        normalize_advantage: Whether advantages are standardized in every minibatch.
        normalize_value: Whether the critic learns normalized targets.
    """

    spec: AgentSpec
    advantage: Literal["reward_to_go", "gae"] = "gae"
    loss: Literal["policy_gradient", "clipped"] = "clipped"
    use_critic: bool = True
    update_epochs: int = 4
    num_minibatches: int = 4
    hidden_sizes: tuple[int, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    recurrent: bool = False
    normalize_advantage: bool = True
    normalize_value: bool = True

    @property
    def hidden_state_size(self) -> int:
        """Width of the actor's hidden state."""
        return self.hidden_sizes[-1] if self.recurrent else 0

    def init(self, key: PRNGKeyArray, config: PolicyGradientConfig) -> PolicyGradientState:
        """Initialize the networks and their optimizers."""
        actor_key, critic_key = jax.random.split(key)
        options: dict[str, PyTree] = {"activation": self.activation, "recurrent": self.recurrent}
        actor = make_mlp(
            actor_key,
            self.spec.obs_size,
            distributions.num_outputs(self.spec.action_space),
            self.hidden_sizes,
            output_gain=0.01,
            **options,
        )
        critic = None
        if self.use_critic:
            critic = make_mlp(
                critic_key,
                critic_input_size(self.spec),
                1,
                self.hidden_sizes,
                output_gain=1.0,
                **options,
            )
        return PolicyGradientState(
            actor=actor,
            critic=critic,
            actor_opt_state=init_optimizer(actor),
            critic_opt_state=init_optimizer(critic),
            value_statistics=init_statistics(),
        )

    def act(
        self,
        state: PolicyGradientState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        config: PolicyGradientConfig,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample an action from the policy, or return its mode without noise."""
        out, hidden_state = state.actor(obs, hidden_state)
        action, log_prob = distributions.sample(out, mask, self.spec.action_space, noise)
        return ActorOutput(action, {"log_prob": log_prob}, hidden_state)

    def inference_state(self, state: PolicyGradientState) -> PolicyGradientState:
        """Return the state with the actor alone."""
        # Acting reads no other field.
        return PolicyGradientState(state.actor, None, None, None, None)  # type: ignore[arg-type]

    def update(
        self,
        state: PolicyGradientState,
        batch: Batch,
        config: PolicyGradientConfig,
        key: PRNGKeyArray,
    ) -> tuple[PolicyGradientState, dict[str, Array]]:
        """Learn from a batch in several epochs of minibatches."""
        state, estimate = self.estimate_advantages(state, batch, config)
        # Advantages are known, so minibatches need no values after their steps.
        unused: PyTree = None
        batch = batch._replace(last_obs=unused, last_mask=unused, last_global_obs=unused)
        data = (batch, estimate)
        if not self.recurrent:  # Steps are independent of each other, so that all may be shuffled.
            data = _flatten_time(data)
        rows = num_rows(data)
        num_minibatches = min(self.num_minibatches, rows)

        def update_epoch(
            state: PolicyGradientState, key: PRNGKeyArray
        ) -> tuple[PolicyGradientState, dict[str, Array]]:
            if num_minibatches == 1:
                return self.update_minibatch(state, *data, config)
            # All minibatches are gathered at once, because within the loop XLA would recompute
            # indices wherever a row is used. Rows that do not divide evenly are left out of this
            # epoch, and drawn again in the next.
            kept = rows // num_minibatches * num_minibatches
            permutation = jnp.argsort(jax.random.bits(key, (rows,)))[:kept]
            minibatches = _split_minibatches(_take_rows(data, permutation), num_minibatches)
            return jax.lax.scan(
                lambda state, minibatch: self.update_minibatch(state, *minibatch, config),
                state,
                minibatches,
            )

        keys = jax.random.split(key, self.update_epochs)
        state, metrics = jax.lax.scan(update_epoch, state, keys)
        return state, jax.tree.map(jnp.mean, metrics)

    def estimate_advantages(
        self, state: PolicyGradientState, batch: Batch, config: PolicyGradientConfig
    ) -> tuple[PolicyGradientState, AdvantageEstimate]:
        """Estimate the advantages of a batch, and update the statistics of the value targets."""
        done = batch.done[..., None]
        if state.critic is None:
            returns = reward_to_go(batch.reward, done, config.gamma)
            return state, AdvantageEstimate(returns, returns)
        value, next_value = self.state_values(state, batch)
        if self.advantage == "reward_to_go":
            returns = reward_to_go(batch.reward, done, config.gamma)
            estimate = AdvantageEstimate(returns - value, returns)
        else:
            estimate = gae(
                batch.reward,
                value,
                next_value,
                batch.terminated,
                done,
                config.gamma,
                config.gae_lambda,
            )
        return self._update_value_statistics(state, batch, estimate), estimate

    def state_values(self, state: PolicyGradientState, batch: Batch) -> tuple[Array, Array]:
        """Return the values before and after every step [time, env, agent]."""
        assert state.critic is not None
        inputs = critic_input(self.spec, batch.obs, batch.global_obs, batch.agent_id)
        last_inputs = critic_input(self.spec, batch.last_obs, batch.last_global_obs, batch.agent_id)
        out, hidden_states = state.critic.unroll(
            inputs, _is_first(batch), self._initial_hidden_state(inputs)
        )
        segment_steps = inputs.shape[0] // last_inputs.shape[0]
        last_out, _ = state.critic(last_inputs, hidden_states[segment_steps - 1 :: segment_steps])
        value = denormalize(state.value_statistics, out[..., 0])
        last_value = denormalize(state.value_statistics, last_out[..., 0])
        return value, shift_next(value, last_value)

    def update_minibatch(
        self,
        state: PolicyGradientState,
        batch: Batch,
        estimate: AdvantageEstimate,
        config: PolicyGradientConfig,
    ) -> tuple[PolicyGradientState, dict[str, Array]]:
        """Take one gradient step of the actor and one of the critic."""
        gradients, metrics = jax.grad(self.actor_loss, has_aux=True)(
            state.actor, batch, estimate.advantage, config
        )
        actor, actor_opt_state = apply_gradients(
            state.actor,
            gradients,
            state.actor_opt_state,
            config.learning_rate,
            config.max_grad_norm,
        )
        state = state._replace(actor=actor, actor_opt_state=actor_opt_state)
        if state.critic is None:
            return state, metrics
        value_loss, gradients = jax.value_and_grad(self.critic_loss)(
            state.critic, state.value_statistics, batch, estimate.target
        )
        critic, critic_opt_state = apply_gradients(
            state.critic,
            gradients,
            state.critic_opt_state,
            config.critic_learning_rate,
            config.max_grad_norm,
        )
        state = state._replace(critic=critic, critic_opt_state=critic_opt_state)
        return state, metrics | {"value_loss": value_loss}

    def actor_loss(
        self,
        actor: MLP,
        batch: Batch,
        advantage: Float[Array, "time env agent"],
        config: PolicyGradientConfig,
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        """Compute the policy loss less the entropy bonus.

        Args:
            actor: Policy network.
            batch: Experience.
            advantage: Advantage of every action.
            config: Hyperparameters.

        Returns:
            The loss, and metrics.
        """
        out, _ = actor.unroll(batch.obs, _is_first(batch), batch.hidden_state)
        log_prob, entropy = distributions.log_prob_and_entropy(
            out, batch.mask, batch.action, self.spec.action_space
        )
        if self.normalize_advantage:
            advantage = standardize(advantage, batch.weight)
        # Narrow policies that have moved would otherwise produce ratios that overflow.
        ratio = jnp.exp(jnp.clip(log_prob - batch.extras["log_prob"], -20.0, 20.0))
        if self.loss == "clipped":
            clipped_ratio = jnp.clip(ratio, 1.0 - config.clip_eps, 1.0 + config.clip_eps)
            objective = jnp.minimum(ratio * advantage, clipped_ratio * advantage)
        else:
            objective = log_prob * advantage
        mean_entropy = weighted_mean(entropy, batch.weight)
        loss = -weighted_mean(objective, batch.weight) - config.ent_coef * mean_entropy
        metrics = {
            "entropy": mean_entropy,
            "ratio_deviation": weighted_mean(jnp.abs(ratio - 1.0), batch.weight),
        }
        return loss, metrics

    def critic_loss(
        self,
        critic: MLP,
        value_statistics: RunningStatistics,
        batch: Batch,
        target: Float[Array, "time env agent"],
    ) -> Float[Array, ""]:
        """Compute half the mean squared error of the normalized values."""
        inputs = critic_input(self.spec, batch.obs, batch.global_obs, batch.agent_id)
        out, _ = critic.unroll(inputs, _is_first(batch), self._initial_hidden_state(inputs))
        error = out[..., 0] - normalize(value_statistics, target)
        return 0.5 * weighted_mean(error**2, batch.weight)

    def _update_value_statistics(
        self, state: PolicyGradientState, batch: Batch, estimate: AdvantageEstimate
    ) -> PolicyGradientState:
        if not self.normalize_value:
            return state
        statistics = update_statistics(state.value_statistics, estimate.target, batch.weight)
        return state._replace(value_statistics=statistics)

    def _initial_hidden_state(self, inputs: Float[Array, "time env agent input"]) -> HiddenState:
        """Return the critic's hidden state before a batch, which starts at 0 in every batch."""
        return jnp.zeros((*inputs.shape[1:-1], self.hidden_state_size))


def num_rows(data: tuple[Batch, AdvantageEstimate]) -> int:
    """Return the number of independent rows: environments, or steps of environments."""
    return int(data[0].obs.shape[1])


def _is_first(batch: Batch) -> Bool[Array, "time env agent"]:
    return jnp.broadcast_to(batch.is_first[..., None], batch.reward.shape)


# Axes in place of the arrays.
_ENV_AXES = Batch(1, None, 1, None, 1, 1, 1, 1, 1, 0, None, 1, 1, 1, None, 1)  # type: ignore[arg-type]
"""Axis of the environments in each field of a batch that has one."""


def _map_env_axis(
    data: tuple[Batch, AdvantageEstimate], function: Callable[[Array, int], Array]
) -> tuple[Batch, AdvantageEstimate]:
    """Apply a function of an array and its axis of environments to all arrays that have one."""
    batch, estimate = data
    fields: dict[str, PyTree] = {
        name: field
        if axis is None
        else jax.tree.map(lambda leaf, axis=axis: function(leaf, axis), field)
        for name, field, axis in zip(Batch._fields, batch, _ENV_AXES, strict=True)
    }
    return Batch(**fields), jax.tree.map(lambda leaf: function(leaf, 1), estimate)


def _flatten_time(data: tuple[Batch, AdvantageEstimate]) -> tuple[Batch, AdvantageEstimate]:
    """Merge time and environments into one axis, behind a time axis of length 1."""
    steps = data[0].obs.shape[0]

    def flatten(leaf: Array, axis: int) -> Array:
        if axis == 0:  # The hidden state, which has no time axis and is of width 0 here.
            return jnp.zeros((steps * leaf.shape[0], *leaf.shape[1:]), leaf.dtype)
        return leaf.reshape(1, leaf.shape[0] * leaf.shape[1], *leaf.shape[2:])

    return _map_env_axis(data, flatten)


def _take_rows(
    data: tuple[Batch, AdvantageEstimate], index: Array
) -> tuple[Batch, AdvantageEstimate]:
    """Select rows of a batch."""
    return _map_env_axis(data, lambda leaf, axis: jnp.take(leaf, index, axis=axis, mode="clip"))


def _split_minibatches(
    data: tuple[Batch, AdvantageEstimate], num_minibatches: int
) -> tuple[Batch, AdvantageEstimate]:
    """Split a batch into minibatches of equal size on a leading axis."""

    def split(leaf: Array, axis: int) -> Array:
        rows = leaf.shape[axis] // num_minibatches
        shape = (*leaf.shape[:axis], num_minibatches, rows, *leaf.shape[axis + 1 :])
        return jnp.moveaxis(leaf.reshape(shape), axis, 0)

    batch, estimate = _map_env_axis(data, split)
    agent_id = jnp.broadcast_to(batch.agent_id, (num_minibatches, *batch.agent_id.shape))
    return batch._replace(agent_id=agent_id), estimate


algorithms.register(
    "ppo", "Proximal policy optimization: clipped surrogate, epochs of minibatches."
)(Algorithm(PolicyGradient, PolicyGradientConfig()))
algorithms.register("a2c", "Advantage actor-critic: one gradient step per batch, GAE.")(
    Algorithm(
        PolicyGradient,
        PolicyGradientConfig(learning_rate=2e-3, critic_learning_rate=2e-3),
        {"loss": "policy_gradient", "update_epochs": 1, "num_minibatches": 1},
    )
)
algorithms.register("reinforce", "REINFORCE: reward to go, no critic.")(
    Algorithm(
        PolicyGradient,
        PolicyGradientConfig(learning_rate=2e-3, gamma=1.0),
        {
            "advantage": "reward_to_go",
            "loss": "policy_gradient",
            "use_critic": False,
            "update_epochs": 1,
            "num_minibatches": 1,
        },
    )
)
