"""V-trace (Espeholt et al. 2018) with PPO's clipped loss: what APPO does, for actors that lag behind their learner.

Where actors and learner are different machines, actors play with parameters that are some updates old. Here one
compiled program plays and learns in turn, so there is no asynchrony and nothing is faster for it: the lag is made on
purpose. Actors play with a copy that is renewed every `lag` updates, and what they did is corrected for it. That shows
what staleness costs, and how a community would learn whose homes report late.

First V-trace says what actions of the old policy were worth to the present one; then the present one improves on itself
by PPO's clipped ratio. With one epoch and one minibatch that is the gradient of IMPALA.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from prosumax.rl.algorithms import policy_gradient
from prosumax.rl.algorithms.policy_gradient import Hyper, PolicyGradient
from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components import advantages, distributions
from prosumax.rl.components.critics import copied, mean
from prosumax.rl.components.distributions import Dice
from prosumax.rl.components.networks import Network
from prosumax.rl.components.normalization import see
from prosumax.rl.components.spaces import Mask
from prosumax.rl.components.types import Batch, Decision, Memory


class State(NamedTuple):
    """Of one group.

    Attributes:
        learner: as of PPO.
        behaviour: the actor that plays.
        age: updates since it was renewed.
    """

    learner: policy_gradient.State
    behaviour: Network
    age: Int[Array, ""]


@dataclass(frozen=True)
class VTrace(PolicyGradient):
    """A learner; see the module.

    Attributes:
        ...: those of `PolicyGradient`, of which `worth` is not used.
        lag: updates after which the actor that plays is renewed; 1 plays with the newest always.
    """

    lag: int = 4

    def init(self, key: PRNGKeyArray, hp: Hyper) -> Any:
        """Fresh networks, of which the actor plays."""
        learner = super().init(key, hp)
        return State(learner, copied(learner.actor), jnp.int32(0))

    def act(
        self,
        state: Any,
        obs: Float[Array, "env member feature"],
        mask: Mask,
        memory: Memory,
        hp: Hyper,
        dice: Dice | None,
    ) -> Decision:
        """Draw from the old policy; or take what is likeliest in the newest one."""
        actor = state.learner.actor if dice is None else state.behaviour
        return super().act(state.learner._replace(actor=actor), obs, mask, memory, hp, dice)

    def slim(self, state: Any) -> Any:
        """The newest actor, which is also the one that plays from then on."""
        learner = super().slim(state.learner)
        return State(learner, learner.actor, state.age)

    def update(
        self, state: Any, batch: Batch, hp: Hyper, key: PRNGKeyArray
    ) -> tuple[Any, dict[str, Array]]:
        """PPO's, from the newest policy on, with what actions were worth to it."""
        notes = {
            "played": batch.notes["log_prob"],
            "log_prob": self.log_prob(state.learner.actor, batch),
        }
        learner, figures = super().update(state.learner, batch._replace(notes=notes), hp, key)
        renew = state.age + 1 >= self.lag
        behaviour = jax.tree.map(
            lambda new, old: jnp.where(renew, new, old), learner.actor, state.behaviour
        )
        stale = mean(jnp.abs(jnp.exp(notes["log_prob"] - notes["played"]) - 1.0), batch.weight)
        return State(learner, behaviour, jnp.where(renew, 0, state.age + 1)), figures | {
            "stale": stale
        }

    def estimate(
        self, state: policy_gradient.State, batch: Batch, hp: Hyper
    ) -> tuple[policy_gradient.State, advantages.Estimate]:
        """What every action was worth to the newest policy."""
        value, next_value = self.values(state, batch)
        ratio = jnp.exp(jnp.clip(batch.notes["log_prob"] - batch.notes["played"], -20.0, 20.0))
        done = batch.done[..., None]
        found = advantages.vtrace(
            ratio, batch.reward, value, next_value, batch.terminated, done, hp.discount, hp.lam
        )
        if self.scale_values:
            state = state._replace(scale=see(state.scale, found.target, batch.weight))
        return state, found

    def log_prob(self, actor: Network, batch: Batch) -> Float[Array, "time env member"]:
        """Of what was done, to an actor."""
        begins = jnp.broadcast_to(batch.begins[..., None], batch.reward.shape)
        out, _ = actor.over_time(batch.obs, begins, batch.memory)
        return jax.lax.stop_gradient(
            distributions.score(out, batch.mask, batch.action, self.spec.space)[0]
        )


algorithms.register(
    "vtrace", "PPO by actors that lag behind, corrected by V-trace (APPO without asynchrony)."
)(Algorithm(VTrace, Hyper(learning_rate=1e-3), {"epochs": 2}))
