"""What an action was worth: estimates from rewards and values, over time on the first axis.

An episode that ends because its time is up goes on being worth something, so its last step counts on the value of what
came after (`next_value`); only where a life ended (`terminated`) there is none. Nothing passes over the end of an
episode (`done`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Estimate(NamedTuple):
    """Of every step.

    Attributes:
        advantage: how much better the action was than expected.
        target: what the value should have been.
    """

    advantage: Float[Array, "time *batch"]
    target: Float[Array, "time *batch"]


def gae(
    reward: Float[Array, "time *batch"],
    value: Float[Array, "time *batch"],
    next_value: Float[Array, "time *batch"],
    terminated: Bool[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    discount: Float[Array, ""] | float,
    lam: Float[Array, ""] | float,
) -> Estimate:
    """Generalised advantage estimation (Schulman et al. 2016, equation 16), right at time limits.

    `lam` 0 is one step, 1 the whole rest of the episode and the value after it.

    Arguments:
        reward: of the step.
        value, next_value: before and after it, the latter of the old episode where a new one has begun.
        terminated: whether a life ended with the step, so that nothing comes after.
        done: whether the episode ended with it, for whatever reason.
        discount, lam: between 0 and 1.
    """
    delta = reward + discount * jnp.where(terminated, 0.0, next_value) - value
    keep = discount * lam * ~done

    def back(later: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        delta, keep = step
        advantage = delta + keep * later
        return advantage, advantage

    _, advantage = jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, keep), reverse=True)
    return Estimate(advantage, advantage + value)


def reward_to_go(
    reward: Float[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    discount: Float[Array, ""] | float,
) -> Float[Array, "time *batch"]:
    """Discounted rewards to the end of the episode or of the batch, and no value after it: Monte Carlo returns."""
    nothing = jnp.zeros_like(reward)
    return gae(reward, nothing, nothing, jnp.zeros_like(done), done, discount, 1.0).target


def vtrace(
    ratio: Float[Array, "time *batch"],
    reward: Float[Array, "time *batch"],
    value: Float[Array, "time *batch"],
    next_value: Float[Array, "time *batch"],
    terminated: Bool[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    discount: Float[Array, ""] | float,
    lam: Float[Array, ""] | float = 1.0,
    most: float = 1.0,
) -> Estimate:
    """V-trace (Espeholt et al. 2018, equation 1): for actions that an older policy chose.

    Arguments:
        ratio: probability of the action now over that when it was chosen.
        most: at which the ratio is cut, of the correction and of the trace alike.
        reward, value, next_value, terminated, done, discount, lam: as in `gae`.
    """
    after = jnp.where(terminated, 0.0, next_value)
    rho, trace = jnp.minimum(ratio, most), lam * jnp.minimum(ratio, most)
    delta = rho * (reward + discount * after - value)
    keep = discount * trace * ~done

    def back(later: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        delta, keep = step
        gain = delta + keep * later
        return gain, gain

    _, gain = jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, keep), reverse=True)
    target = value + gain
    # The value after a step is the next step's target, which has the correction of all that follows.
    last = (
        jnp.arange(reward.shape[0]).reshape(-1, *([1] * (reward.ndim - 1))) == reward.shape[0] - 1
    )
    later = jnp.where(done | last, after, jnp.concatenate([target[1:], after[-1:]]))
    return Estimate(rho * (reward + discount * later - value), target)
