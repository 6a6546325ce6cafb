"""Returns and advantages from rewards and values, with time on the first axis.

An episode that is truncated at a time limit keeps the value of its last state, so its last step
bootstraps from `next_value`; only a terminal state has no value (`terminated`). Nothing is
propagated across the end of an episode (`done`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class AdvantageEstimate(NamedTuple):
    """Advantages and value targets of all steps.

    Attributes:
        advantage: Advantage of each action.
        target: Target of each state's value.
    """

    advantage: Float[Array, "time *batch"]
    target: Float[Array, "time *batch"]


def gae(
    reward: Float[Array, "time *batch"],
    value: Float[Array, "time *batch"],
    next_value: Float[Array, "time *batch"],
    terminated: Bool[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    gamma: Float[Array, ""] | float,
    gae_lambda: Float[Array, ""] | float,
) -> AdvantageEstimate:
    """Compute generalized advantage estimates that treat time limits correctly.

    Args:
        reward: Reward of the step.
        value: Value of the state before the step.
        next_value: Value of the state after the step, which belongs to the old episode where a
            new one starts.
        terminated: Whether the step ended in a terminal state.
        done: Whether the episode ended with the step, by termination or truncation.
        gamma: Discount factor in [0, 1].
        gae_lambda: Exponential weight in [0, 1]; 0 is the one-step estimate, 1 the discounted
            rest of the episode.

    References:
        Schulman et al. (2016), High-dimensional continuous control using generalized advantage
        estimation, equation 16.
    """
    delta = reward + gamma * jnp.where(terminated, 0.0, next_value) - value
    decay = gamma * gae_lambda * ~done
    advantage = _reverse_discounted_sum(delta, decay)
    return AdvantageEstimate(advantage, advantage + value)


def reward_to_go(
    reward: Float[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    gamma: Float[Array, ""] | float,
) -> Float[Array, "time *batch"]:
    """Compute discounted rewards to the end of the episode or of the batch, without bootstrapping.

    Args:
        reward: Reward of the step.
        done: Whether the episode ended with the step.
        gamma: Discount factor in [0, 1].
    """
    zero = jnp.zeros_like(reward)
    return gae(reward, zero, zero, jnp.zeros_like(done), done, gamma, 1.0).target


def vtrace(
    ratio: Float[Array, "time *batch"],
    reward: Float[Array, "time *batch"],
    value: Float[Array, "time *batch"],
    next_value: Float[Array, "time *batch"],
    terminated: Bool[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    gamma: Float[Array, ""] | float,
    lambda_: Float[Array, ""] | float = 1.0,
    clip_rho_threshold: float = 1.0,
) -> AdvantageEstimate:
    """Compute V-trace targets and advantages of actions that an older policy selected.

    Args:
        ratio: Probability of the action under the current policy over that under the behavior
            policy.
        reward: As in `gae`.
        value: As in `gae`.
        next_value: As in `gae`.
        terminated: As in `gae`.
        done: As in `gae`.
        gamma: As in `gae`.
        lambda_: As `gae_lambda` in `gae`.
        clip_rho_threshold: Upper bound of the ratio, both of the correction and of the trace.

    References:
        Espeholt et al. (2018), IMPALA, equation 1.
    """
    bootstrap = jnp.where(terminated, 0.0, next_value)
    rho = jnp.minimum(ratio, clip_rho_threshold)
    trace = lambda_ * jnp.minimum(ratio, clip_rho_threshold)
    delta = rho * (reward + gamma * bootstrap - value)
    target = value + _reverse_discounted_sum(delta, gamma * trace * ~done)
    # The value after a step is the next step's target, corrected for all steps that follow it.
    time = jnp.arange(reward.shape[0]).reshape(-1, *([1] * (reward.ndim - 1)))
    is_last = time == reward.shape[0] - 1
    next_target = jnp.concatenate([target[1:], bootstrap[-1:]])
    next_target = jnp.where(done | is_last, bootstrap, next_target)
    return AdvantageEstimate(rho * (reward + gamma * next_target - value), target)


def _reverse_discounted_sum(
    delta: Float[Array, "time *batch"], decay: Float[Array, "time *batch"]
) -> Float[Array, "time *batch"]:
    """Compute x[t] = delta[t] + decay[t] x[t + 1], with 0 after the last step."""

    def step(accumulated: Array, inputs: tuple[Array, Array]) -> tuple[Array, Array]:
        delta, decay = inputs
        accumulated = delta + decay * accumulated
        return accumulated, accumulated

    return jax.lax.scan(step, jnp.zeros_like(delta[0]), (delta, decay), reverse=True)[1]
