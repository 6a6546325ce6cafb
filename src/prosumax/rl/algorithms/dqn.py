"""Deep Q-learning (Mnih et al. 2015): learn what every option is worth, take the best, now and then any.

With the double estimate of van Hasselt et al. (2016): the network picks the best next option, a slow copy of it says
what that is worth. It has no critic besides what acts, so no central one.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components import advantages, optimizer
from prosumax.rl.components import replay_buffer as ring
from prosumax.rl.components.action_values import chosen, epsilon_greedy, greedy
from prosumax.rl.components.critics import copied, follow, mean
from prosumax.rl.components.distributions import Dice
from prosumax.rl.components.networks import Network, network
from prosumax.rl.components.normalization import Scale, begin, scaled, see, unscaled
from prosumax.rl.components.spaces import Action, Mask
from prosumax.rl.components.types import Batch, Decision, Memory, Spec


class Hyper(NamedTuple):
    """Hyper-parameters; numbers that may be traced.

    Attributes:
        learning_rate: of the network.
        discount: of rewards, per step.
        epsilon: probability with which a choice is any, not the best.
        follow: share of the way that the slow copy moves with every step of learning.
        most: longest gradient.
    """

    learning_rate: float | Array = 1e-3
    discount: float | Array = 0.99
    epsilon: float | Array = 0.05
    follow: float | Array = 0.02
    most: float | Array = 10.0


class State(NamedTuple):
    """Of one group.

    Attributes:
        network, target: values of all options, and its slow copy.
        optimiser: of the network.
        buffer: what happened.
        scale: of the values.
    """

    network: Network
    target: Network
    optimizer: Any
    buffer: ring.Buffer
    scale: Scale


@dataclass(frozen=True)
class DQN:
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

    def __post_init__(self) -> None:
        if self.spec.everyone:
            raise InputError(
                "dqn: paradigm", "has a central critic, and dqn has no critic", "Take dtde or ctce."
            )

    @property
    def memory_size(self) -> int:
        """It does not remember."""
        return 0

    def init(self, key: PRNGKeyArray, hp: Hyper) -> State:
        """A fresh network and an empty buffer."""
        outputs = self.spec.space.choices * self.spec.space.options
        fresh = network(
            key, self.spec.obs, outputs, self.hidden, last=0.1, activation=self.activation
        )
        return State(
            fresh,
            copied(fresh),
            optimizer.begin(fresh),
            ring.begin(self.spec, self.capacity),
            begin(),
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
        """The best options, or now and then any."""
        values = self.values(state.network, obs)
        choices = epsilon_greedy(values, mask.choices, hp.epsilon, dice)
        return Decision(Action(jnp.zeros((*choices.shape[:-1], 0)), choices), {}, memory)

    def slim(self, state: State) -> State:
        """The network alone."""
        return state._replace(target=None, optimizer=None, buffer=None, scale=None)  # type: ignore[arg-type]

    def update(
        self, state: State, batch: Batch, hp: Hyper, key: PRNGKeyArray
    ) -> tuple[State, dict[str, Array]]:
        """Remember the batch, then learn from what is remembered."""
        worth = advantages.reward_to_go(batch.reward, batch.done[..., None], hp.discount)
        buffer = ring.add(state.buffer, batch)
        state = state._replace(buffer=buffer, scale=see(state.scale, worth, batch.weight))

        def learn(
            nets: tuple[Network, Network, Any], key: PRNGKeyArray
        ) -> tuple[Any, dict[str, Array]]:
            values, slow, adam = nets
            rows, weight = ring.sample(buffer, key, self.batch_size)
            goal = scaled(state.scale, self.target(values, slow, state.scale, rows, hp))
            loss, gradient = jax.value_and_grad(self.loss)(values, rows, goal, weight)
            values, adam = optimizer.descend(values, gradient, adam, hp.learning_rate, hp.most)
            return (values, follow(slow, values, hp.follow), adam), {"value_loss": loss}

        nets = (state.network, state.target, state.optimizer)
        (values, slow, adam), figures = jax.lax.scan(
            learn, nets, jax.random.split(key, self.updates)
        )
        state = state._replace(network=values, target=slow, optimizer=adam)
        return state, jax.tree.map(jnp.mean, figures)

    def values(
        self, of: Network, obs: Float[Array, "*batch feature"]
    ) -> Float[Array, "*batch choice option"]:
        """What every option is worth, in the scale of the values."""
        out, _ = of(obs, jnp.zeros((*obs.shape[:-1], 0)))
        return out.reshape(*obs.shape[:-1], self.spec.space.choices, self.spec.space.options)

    def target(
        self, values: Network, slow: Network, scale: Scale, rows: ring.Transition, hp: Hyper
    ) -> Float[Array, " row"]:
        """What the actions should have been worth: the reward, and what the best next action is."""
        best = greedy(self.values(values, rows.next_obs), rows.next_mask.choices)
        after = unscaled(scale, chosen(self.values(slow, rows.next_obs), best).sum(-1))
        return rows.reward + hp.discount * jnp.where(rows.terminated, 0.0, after)

    def loss(
        self,
        values: Network,
        rows: ring.Transition,
        goal: Float[Array, " row"],
        weight: Float[Array, " row"],
    ) -> Float[Array, ""]:
        """Huber's, of the actions that were taken."""
        found = chosen(self.values(values, rows.obs), rows.action.choices).sum(-1)
        return mean(optax.losses.huber_loss(found, goal), weight)


algorithms.register("dqn", "Deep double Q-learning with a buffer; numbers are cut into choices.")(
    Algorithm(DQN, Hyper(), choices_only=True)
)
