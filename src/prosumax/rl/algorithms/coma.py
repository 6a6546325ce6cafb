"""Counterfactual multi-agent policy gradients (Foerster et al. 2018): what did my action change, all else as it was?

A central critic says what every option of one agent is worth, given what all homes see and what the others did. What an
action was worth is compared with what the agent's own policy would have got on average in its place. An agent with
several choices is compared choice by choice (the critic's values of choices add up, see `choices`).

The critic learns targets of TD(lambda) with a slow copy. It needs the others' next actions; where an episode that goes
on, or the batch, ends they are not known, and the others are taken to do once more what they did.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components import advantages, distributions, optimizer
from prosumax.rl.components.action_values import chosen
from prosumax.rl.components.critics import copied, critic_input, critic_inputs, follow, mean
from prosumax.rl.components.distributions import Dice, Policy
from prosumax.rl.components.networks import Network, network
from prosumax.rl.components.normalization import Scale, begin, scaled, see, unscaled
from prosumax.rl.components.spaces import Mask, one_hot
from prosumax.rl.components.types import Batch, Decision, Memory, Spec


class Hyper(NamedTuple):
    """Hyper-parameters; numbers that may be traced.

    Attributes:
        learning_rate, critic_learning_rate: of both networks.
        discount: of rewards, per step.
        lam: of the critic's targets; 0 looks one step ahead, 1 to the end of the episode.
        entropy: weight of the bonus on entropy.
        follow: share of the way that the slow critic moves with every step of learning.
        most: longest gradient of the actor, and of the critic.
    """

    learning_rate: float | Array = 2e-3
    critic_learning_rate: float | Array = 2e-3
    discount: float | Array = 0.99
    lam: float | Array = 0.8
    entropy: float | Array = 0.01
    follow: float | Array = 0.05
    most: float | Array = 1.0


class State(NamedTuple):
    """Of one group.

    Attributes:
        actor, critic, target: networks; the last follows the critic slowly.
        actor_optimiser, critic_optimiser: of them.
        scale: of the values.
    """

    actor: Network
    critic: Network
    target: Network
    actor_optimiser: Any
    critic_optimiser: Any
    scale: Scale


@dataclass(frozen=True)
class COMA:
    """A learner; see the module.

    Attributes:
        spec: sizes.
        critic_updates: steps of the critic on each batch; the actor makes one.
        hidden: sizes of the layers.
        activation: between them.
    """

    spec: Spec
    critic_updates: int = 8
    hidden: tuple[int, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"

    def __post_init__(self) -> None:
        if not self.spec.everyone:
            raise InputError(
                "coma: paradigm",
                "has no central critic, which coma needs",
                "Take ctde or ctde-shared.",
            )

    @property
    def memory_size(self) -> int:
        """It does not remember."""
        return 0

    def init(self, key: PRNGKeyArray, hp: Hyper) -> State:
        """Fresh networks."""
        actor_key, critic_key = jax.random.split(key)
        spec, home = self.spec, self.spec.joint_space or self.spec.home_space
        kind: dict[str, Any] = {"activation": self.activation}
        options = spec.space.choices * spec.space.options
        actor = network(actor_key, spec.obs, options, self.hidden, last=0.01, **kind)
        inputs = critic_inputs(spec) + spec.homes * (home.numbers + home.choices * home.options)
        critic = network(critic_key, inputs, options, self.hidden, last=0.1, **kind)
        return State(
            actor, critic, copied(critic), optimizer.begin(actor), optimizer.begin(critic), begin()
        )

    def act(
        self,
        state: State,
        obs: Float[Array, "env member feature"],
        mask: Mask,
        memory: Memory,
        hp: Hyper,
        dice: Dice | None,
    ) -> Decision:
        """Draw from the policy, or take what is likeliest."""
        out, _ = state.actor(obs, memory)
        return Decision(distributions.draw(out, mask, self.spec.space, dice)[0], {}, memory)

    def slim(self, state: State) -> State:
        """The actor alone."""
        return State(state.actor, *[None] * (len(State._fields) - 1))  # type: ignore[arg-type]

    def update(
        self, state: State, batch: Batch, hp: Hyper, key: PRNGKeyArray
    ) -> tuple[State, dict[str, Array]]:
        """Some steps of the critic, then one of the actor."""
        worth = advantages.reward_to_go(batch.reward, batch.done[..., None], hp.discount)
        state = state._replace(scale=see(state.scale, worth, batch.weight))
        others = self.others(batch)
        seen = jnp.concatenate(
            [critic_input(self.spec, batch.obs, batch.everyone, batch.home), others], axis=-1
        )

        def learn(state: State, _: None) -> tuple[State, Array]:
            goal = scaled(state.scale, self.target(state, batch, seen, others, hp))
            loss, gradient = jax.value_and_grad(self.critic_loss)(state.critic, seen, batch, goal)
            critic, adam = optimizer.descend(
                state.critic, gradient, state.critic_optimiser, hp.critic_learning_rate, hp.most
            )
            target = follow(state.target, critic, hp.follow)
            return state._replace(critic=critic, target=target, critic_optimiser=adam), loss

        state, losses = jax.lax.scan(learn, state, length=self.critic_updates)
        values = self.values(state.critic, seen)
        gradient, entropy = jax.grad(self.actor_loss, has_aux=True)(state.actor, batch, values, hp)
        actor, adam = optimizer.descend(
            state.actor, gradient, state.actor_optimiser, hp.learning_rate, hp.most
        )
        return state._replace(actor=actor, actor_optimiser=adam), {
            "entropy": entropy,
            "value_loss": losses.mean(),
        }

    def policy(self, actor: Network, obs: Float[Array, "*batch feature"], mask: Mask) -> Policy:
        """What the actor would do."""
        out, _ = actor(obs, jnp.zeros((*obs.shape[:-1], 0)))
        return distributions.policy(out, mask, self.spec.space)

    def values(
        self, critic: Network, seen: Float[Array, "*batch input"]
    ) -> Float[Array, "*batch choice option"]:
        """What every option of an agent is worth, in the scale of the values."""
        out, _ = critic(seen, jnp.zeros((*seen.shape[:-1], 0)))
        return out.reshape(*seen.shape[:-1], self.spec.space.choices, self.spec.space.options)

    def others(self, batch: Batch) -> Float[Array, "time env member code"]:
        """What all homes did, side by side, with zeros in the agent's own place."""
        code = one_hot(batch.joint, self.spec.joint_space or self.spec.home_space)[:, :, None]
        own = jnp.arange(self.spec.homes) == batch.home[:, None]
        hidden = jnp.where(own[..., None], 0.0, code)
        return hidden.reshape(*hidden.shape[:3], -1)

    def target(
        self, state: State, batch: Batch, seen: Array, others: Array, hp: Hyper
    ) -> Float[Array, "time env member"]:
        """What every action should have been worth: TD(lambda) with the slow critic."""
        taken = unscaled(
            state.scale, chosen(self.values(state.target, seen), batch.action.choices).sum(-1)
        )
        later = critic_input(self.spec, batch.next_obs, batch.next_everyone, batch.home)
        policy = self.policy(state.actor, batch.next_obs, batch.next_mask)
        options = self.values(state.target, jnp.concatenate([later, others], axis=-1))
        expected = unscaled(state.scale, (jnp.exp(policy.logp) * options).sum((-2, -1)))
        done = batch.done[..., None]
        return td_lambda(batch.reward, taken, expected, batch.terminated, done, hp.discount, hp.lam)

    def critic_loss(
        self, critic: Network, seen: Array, batch: Batch, goal: Float[Array, "time env member"]
    ) -> Float[Array, ""]:
        """Half the mean squared error of the actions that were taken."""
        found = chosen(self.values(critic, seen), batch.action.choices).sum(-1)
        return 0.5 * mean((found - goal) ** 2, batch.weight)

    def actor_loss(
        self,
        actor: Network,
        batch: Batch,
        values: Float[Array, "time env member choice option"],
        hp: Hyper,
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The negative of what the policy should gain, less the bonus on entropy; and the entropy."""
        policy = self.policy(actor, batch.obs, batch.mask)
        advantage = counterfactual(values, policy, batch.action.choices)
        spread = jnp.sqrt(mean((advantage**2).sum(-1), batch.weight) + 1e-8)
        gain = (chosen(policy.logp, batch.action.choices) * advantage / spread).sum(-1)
        bonus = mean(distributions.entropy(policy), batch.weight)
        return -mean(gain, batch.weight) - hp.entropy * bonus, bonus


def counterfactual(
    values: Float[Array, "*batch choice option"], policy: Policy, choices: Array
) -> Float[Array, "*batch choice"]:
    """How much better every choice was than the policy's average in its place (equation 4); no gradient passes."""
    average = (jnp.exp(policy.logp) * values).sum(-1)
    return jax.lax.stop_gradient(chosen(values, choices) - average)


def td_lambda(
    reward: Float[Array, "time *batch"],
    taken: Float[Array, "time *batch"],
    expected: Float[Array, "time *batch"],
    terminated: Bool[Array, "time *batch"],
    done: Bool[Array, "time *batch"],
    discount: Float[Array, ""] | float,
    lam: Float[Array, ""] | float,
) -> Float[Array, "time *batch"]:
    """Targets of TD(lambda) for values of actions.

    Arguments:
        reward: of the step.
        taken: value of its action.
        expected: value after it, for where the next action is not known.
        terminated: whether nothing comes after.
        done: whether the episode ended with it.
        discount, lam: between 0 and 1.
    """
    after = jnp.where(terminated, 0.0, expected)

    def back(later: tuple[Array, Array, Array], step: tuple[Array, ...]) -> tuple[Any, Array]:
        target, value, known = later
        reward, taken, after, done = step
        ahead = (1.0 - lam) * value + lam * target
        target = reward + discount * jnp.where(known & ~done, ahead, after)
        return (target, taken, jnp.ones_like(known)), target

    nothing = jnp.zeros_like(reward[0])
    none = jnp.zeros(nothing.shape, bool)
    done = jnp.broadcast_to(done, reward.shape)
    return jax.lax.scan(back, (nothing, nothing, none), (reward, taken, after, done), reverse=True)[
        1
    ]


algorithms.register(
    "coma", "Counterfactual policy gradients with a central critic; numbers are cut into choices."
)(Algorithm(COMA, Hyper(), choices_only=True))
