"""PPO with V-trace corrections for actors that lag behind their learner (synchronous APPO).

In distributed training, actors play with parameters that are some updates old. Here one compiled
program plays and learns in turn, so there is no asynchrony and no speedup: the lag is deliberate.
Actors play with a copy of the policy that is renewed every `policy_lag` updates, and their
experience is corrected for it. This measures the cost of stale policies, as in a community whose
homes report late.

V-trace estimates advantages for the current policy from actions of the old one; PPO's clipped
surrogate then improves the current policy. One epoch of one minibatch is the gradient of IMPALA.

References:
    Espeholt et al. (2018), IMPALA: Scalable distributed deep-RL, equation 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray
from pydantic import PositiveInt

from prosumax.rl.algorithms.base import Learner, hyperparameters
from prosumax.rl.algorithms.ppo import PPO, PPOConfig, PPOState
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.components.actor_critic import evaluate_actions, state_values
from prosumax.rl.components.advantages import AdvantageEstimate, vtrace
from prosumax.rl.components.critics import copy_params, weighted_mean
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.networks import MLP
from prosumax.rl.components.spaces import ActionMask
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


@hyperparameters
class VTraceConfig(PPOConfig):
    """Hyperparameters: those of PPO, and the lag of the policy that acts.

    Attributes:
        policy_lag: Number of updates after which the behavior policy is renewed; 1 always acts
            with the current policy.
    """

    learning_rate: float = 1e-3
    update_epochs: PositiveInt = 2
    policy_lag: PositiveInt = 4


class VTraceState(NamedTuple):
    """State of one policy.

    Attributes:
        ppo: State of the PPO learner.
        behavior_actor: Policy network that acts.
        updates_since_sync: Number of updates since it was renewed.
    """

    ppo: PPOState
    behavior_actor: MLP
    updates_since_sync: Int[Array, ""]


@algorithms.register(
    "vtrace", "PPO with lagging actors and V-trace corrections (synchronous APPO)."
)
@dataclass(frozen=True)
class VTrace(Learner):
    """A PPO learner with a lagging behavior policy."""

    config: VTraceConfig = VTraceConfig()

    @property
    def ppo(self) -> PPO:
        """PPO learner that improves the current policy."""
        return PPO(self.spec, self.config)

    @property
    def hidden_state_size(self) -> int:
        """Width of the actor's hidden state."""
        return self.ppo.hidden_state_size

    def init(self, key: PRNGKeyArray) -> VTraceState:
        """Initialize the networks; the behavior policy is a copy of the actor."""
        ppo_state = self.ppo.init(key)
        return VTraceState(ppo_state, copy_params(ppo_state.actor), jnp.int32(0))

    def act(
        self,
        state: VTraceState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample from the behavior policy, or return the current policy's mode without noise."""
        actor = state.ppo.actor if noise is None else state.behavior_actor
        return self.ppo.act(state.ppo._replace(actor=actor), obs, mask, hidden_state, noise)

    def inference_state(self, state: VTraceState) -> VTraceState:
        """Return the state with the current actor alone, which is also the behavior policy."""
        ppo_state = self.ppo.inference_state(state.ppo)
        return VTraceState(ppo_state, ppo_state.actor, state.updates_since_sync)

    def update(
        self, state: VTraceState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[VTraceState, dict[str, Array]]:
        """Improve the current policy as PPO does, and renew the behavior policy when it is due."""
        log_prob, _ = evaluate_actions(state.ppo.actor, batch, self.spec.action_space)
        estimate = self.estimate_advantages(state.ppo, batch, log_prob)
        deviation = jnp.abs(jnp.exp(log_prob - batch.extras["log_prob"]) - 1.0)
        # The surrogate's ratio is that of the improved to the current policy.
        batch = batch._replace(extras={"log_prob": log_prob})
        ppo_state, metrics = self.ppo.optimize(state.ppo, batch, estimate, key)

        is_due = state.updates_since_sync + 1 >= self.config.policy_lag
        behavior_actor = jax.tree.map(
            lambda new, old: jnp.where(is_due, new, old), ppo_state.actor, state.behavior_actor
        )
        updates_since_sync = jnp.where(is_due, 0, state.updates_since_sync + 1)
        metrics = metrics | {"behavior_ratio_deviation": weighted_mean(deviation, batch.weight)}
        return VTraceState(ppo_state, behavior_actor, updates_since_sync), metrics

    def estimate_advantages(
        self, state: PPOState, batch: Batch, log_prob: Float[Array, "time env agent"]
    ) -> AdvantageEstimate:
        """Estimate the advantages of the behavior policy's actions under the current policy.

        Args:
            state: State of the PPO learner.
            batch: Experience of the behavior policy.
            log_prob: Log-probability of its actions under the current policy.
        """
        value, next_value = state_values(state.critic, state.value_statistics, self.spec, batch)
        difference = log_prob - batch.extras["log_prob"]
        return vtrace(
            jnp.exp(jnp.clip(difference, -20.0, 20.0)),
            batch.reward,
            value,
            next_value,
            batch.terminated,
            batch.done[..., None],
            self.config.gamma,
            self.config.gae_lambda,
        )
