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
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from prosumax.rl.algorithms.policy_gradient import (
    PolicyGradient,
    PolicyGradientConfig,
    PolicyGradientState,
)
from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components import distributions
from prosumax.rl.components.advantages import AdvantageEstimate, vtrace
from prosumax.rl.components.critics import copy_params, weighted_mean
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.networks import MLP
from prosumax.rl.components.spaces import ActionMask
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


class VTraceState(NamedTuple):
    """State of one policy.

    Attributes:
        learner_state: State of the PPO learner.
        behavior_actor: Policy network that plays.
        updates_since_sync: Number of updates since it was renewed.
    """

    learner_state: PolicyGradientState
    behavior_actor: MLP
    updates_since_sync: Int[Array, ""]


@dataclass(frozen=True)
class VTrace(PolicyGradient):
    """A PPO learner with a lagging behavior policy; `advantage` is not used.

    Attributes:
        policy_lag: Number of updates after which the behavior policy is renewed; 1 always plays
            with the current policy.
    """

    policy_lag: int = 4

    def init(self, key: PRNGKeyArray, config: PolicyGradientConfig) -> PyTree:
        """Initialize the networks; the behavior policy is a copy of the actor."""
        learner_state = super().init(key, config)
        return VTraceState(learner_state, copy_params(learner_state.actor), jnp.int32(0))

    def act(
        self,
        state: PyTree,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        config: PolicyGradientConfig,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample from the behavior policy, or return the current policy's mode without noise."""
        actor = state.learner_state.actor if noise is None else state.behavior_actor
        learner_state = state.learner_state._replace(actor=actor)
        return super().act(learner_state, obs, mask, hidden_state, config, noise)

    def inference_state(self, state: PyTree) -> PyTree:
        """Return the state with the current actor alone, which is also the behavior policy."""
        learner_state = super().inference_state(state.learner_state)
        return VTraceState(learner_state, learner_state.actor, state.updates_since_sync)

    def update(
        self, state: PyTree, batch: Batch, config: PolicyGradientConfig, key: PRNGKeyArray
    ) -> tuple[PyTree, dict[str, Array]]:
        """Update the current policy as PPO does, and renew the behavior policy when it is due."""
        extras = {
            "behavior_log_prob": batch.extras["log_prob"],
            "log_prob": self.log_prob(state.learner_state.actor, batch),
        }
        ratio = jnp.exp(extras["log_prob"] - extras["behavior_log_prob"])
        learner_state, metrics = super().update(
            state.learner_state, batch._replace(extras=extras), config, key
        )
        is_due = state.updates_since_sync + 1 >= self.policy_lag
        behavior_actor = jax.tree.map(
            lambda new, old: jnp.where(is_due, new, old), learner_state.actor, state.behavior_actor
        )
        updates_since_sync = jnp.where(is_due, 0, state.updates_since_sync + 1)
        deviation = weighted_mean(jnp.abs(ratio - 1.0), batch.weight)
        metrics = metrics | {"behavior_ratio_deviation": deviation}
        return VTraceState(learner_state, behavior_actor, updates_since_sync), metrics

    def estimate_advantages(
        self, state: PolicyGradientState, batch: Batch, config: PolicyGradientConfig
    ) -> tuple[PolicyGradientState, AdvantageEstimate]:
        """Estimate the advantages under the current policy, and update the value statistics."""
        value, next_value = self.state_values(state, batch)
        difference = batch.extras["log_prob"] - batch.extras["behavior_log_prob"]
        estimate = vtrace(
            jnp.exp(jnp.clip(difference, -20.0, 20.0)),
            batch.reward,
            value,
            next_value,
            batch.terminated,
            batch.done[..., None],
            config.gamma,
            config.gae_lambda,
        )
        return self._update_value_statistics(state, batch, estimate), estimate

    def log_prob(self, actor: MLP, batch: Batch) -> Float[Array, "time env agent"]:
        """Return the log-probability of the batch's actions under an actor, without gradient."""
        is_first: Bool[Array, "time env agent"] = jnp.broadcast_to(
            batch.is_first[..., None], batch.reward.shape
        )
        out, _ = actor.unroll(batch.obs, is_first, batch.hidden_state)
        log_prob, _ = distributions.log_prob_and_entropy(
            out, batch.mask, batch.action, self.spec.action_space
        )
        return jax.lax.stop_gradient(log_prob)


algorithms.register(
    "vtrace", "PPO with lagging actors and V-trace corrections (synchronous APPO)."
)(Algorithm(VTrace, PolicyGradientConfig(learning_rate=1e-3), {"update_epochs": 2}))
