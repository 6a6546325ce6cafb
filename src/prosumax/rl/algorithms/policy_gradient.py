"""Policy gradients: REINFORCE, advantage actor-critic and PPO are settings of one thing.

They differ in what an action is said to have been worth, in the loss, and in how often a batch is used:

| | worth | loss | uses of a batch |
|---|---|---|---|
| `pg` (Williams 1992) | rewards to go | log-probability times worth | one |
| `a2c` (Mnih et al. 2016) | the same less a value, or generalised advantage | the same | one |
| `ppo` (Schulman et al. 2017) | generalised advantage | clipped ratio times worth | epochs x minibatches |
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components import advantages, distributions, optimizer
from prosumax.rl.components.critics import critic_input, critic_inputs, mean, standardised
from prosumax.rl.components.distributions import Dice
from prosumax.rl.components.networks import Network, network
from prosumax.rl.components.normalization import Scale, begin, scaled, see, unscaled
from prosumax.rl.components.spaces import Mask
from prosumax.rl.components.types import Batch, Decision, Memory, Spec, following


class Hyper(NamedTuple):
    """Hyper-parameters; numbers that may be traced.

    Attributes:
        learning_rate, critic_learning_rate: of both networks.
        discount: of rewards, per step.
        lam: of generalised advantage estimation; 1 counts the whole rest of the episode.
        clip: of the ratio in PPO.
        entropy: weight of the bonus on entropy.
        most: longest gradient of the actor, and of the critic.
    """

    learning_rate: float | Array = 3e-4
    critic_learning_rate: float | Array = 1e-3
    discount: float | Array = 0.99
    lam: float | Array = 0.95
    clip: float | Array = 0.2
    entropy: float | Array = 0.01
    most: float | Array = 0.5


class State(NamedTuple):
    """Of one group.

    Attributes:
        actor, critic: networks; the critic is None without one.
        actor_optimiser, critic_optimiser: of them.
        scale: of the targets that the critic learns.
    """

    actor: Network
    critic: Network | None
    actor_optimiser: Any
    critic_optimiser: Any
    scale: Scale


@dataclass(frozen=True)
class PolicyGradient:
    """A learner; see the module.

    Attributes:
        spec: sizes.
        worth: `to_go` rewards without a value after a time limit, or `gae`.
        loss: `gradient` or `clipped`.
        critic: whether a value is taken off; without one worth must be `to_go`.
        epochs, minibatches: how often a batch is used, and in how many parts each time.
        hidden: sizes of the layers.
        activation: between them.
        recurrent: whether actor and critic remember (a gated recurrent unit).
        standardise: whether advantages have mean 0 and deviation 1 in every minibatch.
        scale_values: whether the critic learns targets with mean 0 and deviation 1.
    """

    spec: Spec
    worth: Literal["to_go", "gae"] = "gae"
    loss: Literal["gradient", "clipped"] = "clipped"
    critic: bool = True
    epochs: int = 4
    minibatches: int = 4
    hidden: tuple[int, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    recurrent: bool = False
    standardise: bool = True
    scale_values: bool = True

    @property
    def memory_size(self) -> int:
        """Width of the actor's memory."""
        return self.hidden[-1] if self.recurrent else 0

    def init(self, key: PRNGKeyArray, hp: Hyper) -> State:
        """Fresh networks."""
        actor_key, critic_key = jax.random.split(key)
        outputs = distributions.outputs(self.spec.space)
        kind: dict[str, Any] = {"activation": self.activation, "recurrent": self.recurrent}
        actor = network(actor_key, self.spec.obs, outputs, self.hidden, last=0.01, **kind)
        critic = network(critic_key, critic_inputs(self.spec), 1, self.hidden, last=1.0, **kind)
        kept = critic if self.critic else None
        return State(actor, kept, optimizer.begin(actor), optimizer.begin(kept), begin())

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
        out, memory = state.actor(obs, memory)
        action, log_prob = distributions.draw(out, mask, self.spec.space, dice)
        return Decision(action, {"log_prob": log_prob}, memory)

    def slim(self, state: State) -> State:
        """The actor alone."""
        return state._replace(critic=None, actor_optimiser=None, critic_optimiser=None, scale=None)  # type: ignore[arg-type]

    def update(
        self, state: State, batch: Batch, hp: Hyper, key: PRNGKeyArray
    ) -> tuple[State, dict[str, Array]]:
        """Epochs of minibatches over one batch."""
        state, estimate = self.estimate(state, batch, hp)
        after: Any = None  # nobody asks for it any more
        data = (batch._replace(last_obs=after, last_mask=after, last_everyone=after), estimate)
        if not self.recurrent:  # nothing ties one step to the next, so all may be shuffled
            data = _one_moment(data)
        many = batch_size(data)
        parts = min(self.minibatches, many)

        def epoch(state: State, key: PRNGKeyArray) -> tuple[State, dict[str, Array]]:
            if parts == 1:
                return self.descend(state, *data, hp)
            # One gather for all: within the loop XLA would compute places anew wherever a row is used. What does not
            # divide evenly is left out of this epoch, and drawn anew in the next.
            order = jnp.argsort(jax.random.bits(key, (many,)))[: many // parts * parts]
            shuffled = _parted(_taken(data, order), parts)
            return jax.lax.scan(lambda state, part: self.descend(state, *part, hp), state, shuffled)

        state, figures = jax.lax.scan(epoch, state, jax.random.split(key, self.epochs))
        return state, jax.tree.map(jnp.mean, figures)

    def estimate(self, state: State, batch: Batch, hp: Hyper) -> tuple[State, advantages.Estimate]:
        """What every action was worth, with the critic as it is; and the scale of its targets brought up to date."""
        done, dead = batch.done[..., None], batch.terminated
        if state.critic is None:
            worth = advantages.reward_to_go(batch.reward, done, hp.discount)
            return state, advantages.Estimate(worth, worth)
        value, next_value = self.values(state, batch)
        if self.worth == "to_go":
            worth = advantages.reward_to_go(batch.reward, done, hp.discount)
            found = advantages.Estimate(worth - value, worth)
        else:
            found = advantages.gae(batch.reward, value, next_value, dead, done, hp.discount, hp.lam)
        if self.scale_values:
            state = state._replace(scale=see(state.scale, found.target, batch.weight))
        return state, found

    def values(self, state: State, batch: Batch) -> tuple[Array, Array]:
        """Values before and after every step [time, env, member]."""
        assert state.critic is not None
        seen = critic_input(self.spec, batch.obs, batch.everyone, batch.home)
        last = critic_input(self.spec, batch.last_obs, batch.last_everyone, batch.home)
        begins = jnp.broadcast_to(batch.begins[..., None], seen.shape[:-1])
        out, memories = state.critic.over_time(seen, begins, self._blank(seen))
        every = seen.shape[0] // last.shape[0]
        after, _ = state.critic(last, memories[every - 1 :: every])
        value = unscaled(state.scale, out[..., 0])
        return value, following(value, unscaled(state.scale, after[..., 0]))

    def descend(
        self, state: State, batch: Batch, estimate: advantages.Estimate, hp: Hyper
    ) -> tuple[State, dict[str, Array]]:
        """One step of both optimisers."""
        gradient, figures = jax.grad(self.actor_loss, has_aux=True)(
            state.actor, batch, estimate.advantage, hp
        )
        actor, actor_optimiser = optimizer.descend(
            state.actor, gradient, state.actor_optimiser, hp.learning_rate, hp.most
        )
        state = state._replace(actor=actor, actor_optimiser=actor_optimiser)
        if state.critic is None:
            return state, figures
        loss, gradient = jax.value_and_grad(self.critic_loss)(
            state.critic, state.scale, batch, estimate.target
        )
        critic, critic_optimiser = optimizer.descend(
            state.critic, gradient, state.critic_optimiser, hp.critic_learning_rate, hp.most
        )
        return state._replace(critic=critic, critic_optimiser=critic_optimiser), figures | {
            "value_loss": loss
        }

    def actor_loss(
        self, actor: Network, batch: Batch, advantage: Float[Array, "time env member"], hp: Hyper
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        """The negative of what the policy should gain, less the bonus on entropy."""
        begins = jnp.broadcast_to(batch.begins[..., None], batch.reward.shape)
        out, _ = actor.over_time(batch.obs, begins, batch.memory)
        log_prob, entropy = distributions.score(out, batch.mask, batch.action, self.spec.space)
        if self.standardise:
            advantage = standardised(advantage, batch.weight)
        # Narrow policies that have moved on make ratios that overflow.
        ratio = jnp.exp(jnp.clip(log_prob - batch.notes["log_prob"], -20.0, 20.0))
        if self.loss == "clipped":
            cut = jnp.clip(ratio, 1.0 - hp.clip, 1.0 + hp.clip)
            gain = jnp.minimum(ratio * advantage, cut * advantage)
        else:
            gain = log_prob * advantage
        bonus = mean(entropy, batch.weight)
        shown = {
            "entropy": bonus,
            "ratio_off": mean(jnp.abs(ratio - 1.0), batch.weight),
        }
        return -mean(gain, batch.weight) - hp.entropy * bonus, shown

    def critic_loss(
        self, critic: Network, scale: Scale, batch: Batch, target: Float[Array, "time env member"]
    ) -> Float[Array, ""]:
        """Half the mean squared error, in the scale of the targets."""
        seen = critic_input(self.spec, batch.obs, batch.everyone, batch.home)
        begins = jnp.broadcast_to(batch.begins[..., None], seen.shape[:-1])
        out, _ = critic.over_time(seen, begins, self._blank(seen))
        return 0.5 * mean((out[..., 0] - scaled(scale, target)) ** 2, batch.weight)

    def _blank(self, seen: Array) -> Memory:
        """The critic's memory before a batch; it knows nothing of an episode's earlier batches."""
        return jnp.zeros((*seen.shape[1:-1], self.memory_size))


def batch_size(data: tuple[Batch, advantages.Estimate]) -> int:
    """Independent rows of a batch: environments, or moments of environments."""
    return int(data[0].obs.shape[1])


_AXES = Batch(1, None, 1, None, 1, 1, 1, 1, 1, 0, None, 1, 1, 1, None, 1)  # type: ignore[arg-type]
"""Axis of the environments in each part of a batch that has one."""


def _map(data: tuple[Batch, advantages.Estimate], change: Any) -> tuple[Batch, advantages.Estimate]:
    batch, estimate = data
    parts: dict[str, Any] = {
        name: part
        if axis is None
        else jax.tree.map(lambda leaf, axis=axis: change(leaf, axis), part)
        for name, part, axis in zip(Batch._fields, batch, _AXES, strict=True)
    }
    return Batch(**parts), jax.tree.map(lambda leaf: change(leaf, 1), estimate)


def _one_moment(data: tuple[Batch, advantages.Estimate]) -> tuple[Batch, advantages.Estimate]:
    """Time and environments as one axis, behind a time axis of length 1."""
    batch = data[0]
    steps = batch.obs.shape[0]

    def change(leaf: Array, axis: int) -> Array:
        if axis == 0:  # memory, of width 0
            return jnp.zeros((steps * leaf.shape[0], *leaf.shape[1:]), leaf.dtype)
        return leaf.reshape(1, leaf.shape[0] * leaf.shape[1], *leaf.shape[2:])

    return _map(data, change)


def _taken(data: tuple[Batch, advantages.Estimate], at: Array) -> tuple[Batch, advantages.Estimate]:
    """Some environments of a batch."""
    return _map(data, lambda leaf, axis: jnp.take(leaf, at, axis=axis, mode="clip"))


def _parted(
    data: tuple[Batch, advantages.Estimate], parts: int
) -> tuple[Batch, advantages.Estimate]:
    """A batch cut into parts of as many environments, with an axis for them in front."""

    def cut(leaf: Array, axis: int) -> Array:
        rows = leaf.shape[axis] // parts
        return jnp.moveaxis(
            leaf.reshape(*leaf.shape[:axis], parts, rows, *leaf.shape[axis + 1 :]), axis, 0
        )

    batch, estimate = _map(data, cut)
    return batch._replace(home=jnp.broadcast_to(batch.home, (parts, *batch.home.shape))), estimate


algorithms.register(
    "ppo", "Proximal policy optimisation: clipped ratios, several epochs over each batch."
)(Algorithm(PolicyGradient, Hyper()))
algorithms.register("a2c", "Advantage actor-critic: one step per batch, generalised advantages.")(
    Algorithm(
        PolicyGradient,
        Hyper(learning_rate=2e-3, critic_learning_rate=2e-3),
        {"loss": "gradient", "epochs": 1, "minibatches": 1},
    )
)
algorithms.register("pg", "REINFORCE: rewards to go, no critic.")(
    Algorithm(
        PolicyGradient,
        Hyper(learning_rate=2e-3, discount=1.0),
        {"worth": "to_go", "loss": "gradient", "critic": False, "epochs": 1, "minibatches": 1},
    )
)
