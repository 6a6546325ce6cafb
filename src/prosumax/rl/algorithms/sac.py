"""Soft actor-critic (Haarnoja et al. 2018): gain as much as can be gained while acting as randomly as is affordable.

Numbers are reparameterised: the gradient passes through the critics to the policy. Choices need no draw: critics say
what every option is worth beside the numbers (as a sum over choices, see `choices`), so that the expectation over
options is exact (Christodoulou 2019; Delalleau et al. 2019 for both together). The price of randomness finds itself so
that entropy comes to a target, which counts only what is not masked.

A central critic sees what all homes see, and of actions only the agent's own: what the others will do next is unknown.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components import advantages, distributions, optimizer
from prosumax.rl.components import replay_buffer as ring
from prosumax.rl.components.action_values import chosen
from prosumax.rl.components.critics import copied, critic_inputs, follow, mean
from prosumax.rl.components.distributions import Dice, Policy
from prosumax.rl.components.networks import Network, network
from prosumax.rl.components.normalization import Scale, begin, scaled, see, unscaled
from prosumax.rl.components.spaces import Mask
from prosumax.rl.components.types import Batch, Decision, Memory, Spec


class Hyper(NamedTuple):
    """Hyper-parameters; numbers that may be traced.

    Attributes:
        learning_rate, critic_learning_rate, temperature_learning_rate: of the policy, the critics, and the price of
            randomness.
        discount: of rewards, per step.
        follow: share of the way that the slow critics move with every step of learning.
        number_entropy: wanted of every number; log 2 = 0.69 is an even draw, -1 a spread over a fifth of the range.
        choice_entropy: wanted of every choice, as a share of that of an even draw.
        most: longest gradient.
    """

    learning_rate: float | Array = 1e-3
    critic_learning_rate: float | Array = 1e-3
    temperature_learning_rate: float | Array = 1e-2
    discount: float | Array = 0.99
    follow: float | Array = 0.02
    number_entropy: float | Array = -1.0
    choice_entropy: float | Array = 0.2
    most: float | Array = 10.0


class State(NamedTuple):
    """Of one group.

    Attributes:
        actor: network of the policy.
        critics, targets: two networks on a leading axis, and their slow copies.
        log_temperature: logarithm of the price of randomness, in the scale of the values.
        actor_optimiser, critic_optimiser, temperature_optimiser: of them.
        buffer: what happened.
        scale: of the values.
    """

    actor: Network
    critics: Network
    targets: Network
    log_temperature: Float[Array, ""]
    actor_optimiser: Any
    critic_optimiser: Any
    temperature_optimiser: Any
    buffer: ring.Buffer
    scale: Scale


@dataclass(frozen=True)
class SAC:
    """A learner; see the module.

    Attributes:
        spec: sizes.
        updates: steps of learning after each rollout.
        batch_size: transitions in each.
        capacity: transitions that are kept.
        hidden: sizes of the layers.
        activation: between them.
    """

    spec: Spec
    updates: int = 32
    batch_size: int = 256
    capacity: int = 20_000
    hidden: tuple[int, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "relu"

    @property
    def memory_size(self) -> int:
        """It does not remember."""
        return 0

    def init(self, key: PRNGKeyArray, hp: Hyper) -> State:
        """Fresh networks and an empty buffer."""
        actor_key, key = jax.random.split(key)
        space = self.spec.space
        kind: dict[str, Any] = {"activation": self.activation}
        actor = network(
            actor_key, self.spec.obs, distributions.outputs(space), self.hidden, last=0.01, **kind
        )
        inputs, outputs = (
            critic_inputs(self.spec) + space.numbers,
            1 + space.choices * space.options,
        )
        critics = jax.vmap(
            lambda key: network(key, inputs, outputs, self.hidden, last=0.1, **kind)
        )(jax.random.split(key))
        log_temperature = jnp.log(jnp.float32(0.1))
        return State(
            actor=actor,
            critics=critics,
            targets=copied(critics),
            log_temperature=log_temperature,
            actor_optimiser=optimizer.begin(actor),
            critic_optimiser=optimizer.begin(critics),
            temperature_optimiser=optimizer.begin(log_temperature),
            buffer=ring.begin(self.spec, self.capacity),
            scale=begin(),
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
        """Remember the batch, then learn from what is remembered."""
        worth = advantages.reward_to_go(batch.reward, batch.done[..., None], hp.discount)
        buffer = ring.add(state.buffer, batch)
        state = state._replace(buffer=buffer, scale=see(state.scale, worth, batch.weight))
        learn = lambda state, key: self.learn(state, hp, key)  # noqa: E731
        state, figures = jax.lax.scan(learn, state, jax.random.split(key, self.updates))
        return state, jax.tree.map(jnp.mean, figures)

    def learn(self, state: State, hp: Hyper, key: PRNGKeyArray) -> tuple[State, dict[str, Array]]:
        """One step of critics, policy and temperature."""
        row_key, next_key, key = jax.random.split(key, 3)
        rows, weight = ring.sample(state.buffer, row_key, self.batch_size)
        seen, _ = ring.seen(self.spec, rows)
        goal = scaled(state.scale, self.target(state, rows, hp, self.roll(next_key)))
        loss, gradient = jax.value_and_grad(self.critic_loss)(
            state.critics, seen, rows, goal, weight
        )
        critics, critic_optimiser = optimizer.descend(
            state.critics, gradient, state.critic_optimiser, hp.critic_learning_rate, hp.most
        )
        state = state._replace(critics=critics, critic_optimiser=critic_optimiser)
        gradient, entropy = jax.grad(self.actor_loss, has_aux=True)(
            state.actor, state, seen, rows, weight, self.roll(key)
        )
        actor, actor_optimiser = optimizer.descend(
            state.actor, gradient, state.actor_optimiser, hp.learning_rate, hp.most
        )
        excess = mean(entropy - wanted(rows.mask, hp), weight)
        log_temperature, temperature_optimiser = optimizer.descend(
            state.log_temperature, excess, state.temperature_optimiser, hp.temperature_learning_rate
        )
        state = state._replace(
            actor=actor,
            targets=follow(state.targets, critics, hp.follow),
            log_temperature=jnp.clip(log_temperature, -12.0, 4.0),
            actor_optimiser=actor_optimiser,
            temperature_optimiser=temperature_optimiser,
        )
        shown = {
            "entropy": mean(entropy, weight),
            "temperature": jnp.exp(state.log_temperature),
            "value_loss": loss,
        }
        return state, shown

    def roll(self, key: PRNGKeyArray) -> Dice:
        """For one batch from the buffer."""
        return distributions.roll(self.spec.space, key, (self.batch_size,))

    def policy(self, actor: Network, obs: Float[Array, "*batch feature"], mask: Mask) -> Policy:
        """What the actor would do."""
        out, _ = actor(obs, jnp.zeros((*obs.shape[:-1], 0)))
        return distributions.policy(out, mask, self.spec.space)

    def worth(
        self,
        critics: Network,
        seen: Float[Array, "row input"],
        numbers: Float[Array, "row number"],
        mask: Mask,
    ) -> tuple[Float[Array, "two row"], Float[Array, "two row choice option"]]:
        """What both critics say, in the scale of the values: of squashed numbers, and of every option on top."""
        inputs = jnp.concatenate([seen, jnp.where(mask.numbers, numbers, 0.0)], axis=-1)
        out = jax.vmap(lambda critic: critic(inputs, jnp.zeros((*inputs.shape[:-1], 0)))[0])(
            critics
        )
        return out[..., 0], out[..., 1:].reshape(
            *out.shape[:-1], self.spec.space.choices, self.spec.space.options
        )

    def expected(
        self, critics: Network, seen: Float[Array, "row input"], policy: Policy, dice: Dice
    ) -> Float[Array, " row"]:
        """What the policy's actions are worth to the more careful critic: numbers drawn, choices averaged."""
        numbers = jnp.tanh(policy.mean + jnp.exp(policy.log_std) * dice.normal)
        base, options = self.worth(critics, seen, numbers, policy.mask)
        return jnp.min(base + (jnp.exp(policy.logp) * options).sum((-2, -1)), axis=0)

    def target(
        self, state: State, rows: ring.Transition, hp: Hyper, dice: Dice
    ) -> Float[Array, " row"]:
        """What the actions should have been worth: the reward, what comes after, and its randomness."""
        _, later = ring.seen(self.spec, rows)
        policy = self.policy(state.actor, rows.next_obs, rows.next_mask)
        bonus = jnp.exp(state.log_temperature) * distributions.entropy(policy)
        after = unscaled(state.scale, self.expected(state.targets, later, policy, dice) + bonus)
        return rows.reward + hp.discount * jnp.where(rows.terminated, 0.0, after)

    def critic_loss(
        self,
        critics: Network,
        seen: Array,
        rows: ring.Transition,
        goal: Float[Array, " row"],
        weight: Array,
    ) -> Float[Array, ""]:
        """Half the mean squared error of each."""
        base, options = self.worth(critics, seen, rows.action.numbers, rows.mask)
        choices = jnp.broadcast_to(rows.action.choices, (2, *rows.action.choices.shape))
        found = base + chosen(options, choices).sum(-1)
        return 0.5 * mean(((found - goal) ** 2).sum(0), weight)

    def actor_loss(
        self,
        actor: Network,
        state: State,
        seen: Array,
        rows: ring.Transition,
        weight: Array,
        dice: Dice,
    ) -> tuple[Float[Array, ""], Float[Array, " row"]]:
        """The negative of what the policy gains, randomness priced in; and its entropy."""
        policy = self.policy(actor, rows.obs, rows.mask)
        entropy = distributions.entropy(policy)
        gain = (
            self.expected(state.critics, seen, policy, dice)
            + jnp.exp(state.log_temperature) * entropy
        )
        return -mean(gain, weight), entropy


def wanted(mask: Mask, hp: Hyper) -> Float[Array, "*batch"]:
    """The entropy that a policy should have; what is masked adds nothing."""
    evenly = jnp.log(jnp.maximum(mask.choices.sum(-1), 1)).sum(-1)
    return hp.number_entropy * mask.numbers.sum(-1) + hp.choice_entropy * evenly


algorithms.register(
    "sac",
    "Soft actor-critic with a buffer: numbers, choices or both; randomness finds its own price.",
)(Algorithm(SAC, Hyper()))
