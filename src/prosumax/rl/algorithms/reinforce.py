"""REINFORCE: policy gradient with the rewards to the end of the episode, without a critic.

References:
    Williams (1992), Simple statistical gradient-following algorithms for connectionist
    reinforcement learning.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import optax
from jaxtyping import Array, Float, PRNGKeyArray
from pydantic import PositiveInt

from prosumax.rl.algorithms.base import Learner, hyperparameters, keep_fields
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.components import distributions
from prosumax.rl.components.actor_critic import evaluate_actions
from prosumax.rl.components.advantages import reward_to_go
from prosumax.rl.components.critics import standardize, weighted_mean
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.networks import MLP, make_mlp
from prosumax.rl.components.optimizer import clipped_adam
from prosumax.rl.components.spaces import ActionMask
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


@hyperparameters
class REINFORCEConfig:
    """Hyperparameters.

    Attributes:
        learning_rate: Learning rate of the policy.
        gamma: Discount factor per step.
        ent_coef: Coefficient of the entropy bonus.
        max_grad_norm: Norm to which gradients are clipped.
        hidden_sizes: Sizes of the hidden layers.
        activation: Activation function of the hidden layers.
        recurrent: Whether the policy has a gated recurrent unit.
        normalize_advantage: Whether returns are standardized in every batch.
    """

    learning_rate: float = 2e-3
    gamma: float = 1.0
    ent_coef: float = 0.01
    max_grad_norm: float = 0.5
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"
    recurrent: bool = False
    normalize_advantage: bool = True


class REINFORCEState(NamedTuple):
    """State of one policy.

    Attributes:
        actor: Policy network.
        opt_state: Its optimizer state.
    """

    actor: MLP
    opt_state: optax.OptState


@algorithms.register("reinforce", "REINFORCE: reward to go, no critic.")
@dataclass(frozen=True)
class REINFORCE(Learner):
    """A REINFORCE learner."""

    config: REINFORCEConfig = REINFORCEConfig()

    @property
    def hidden_state_size(self) -> int:
        """Width of the actor's hidden state."""
        return self.config.hidden_sizes[-1] if self.config.recurrent else 0

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Optimizer of the policy."""
        return clipped_adam(self.config.learning_rate, self.config.max_grad_norm)

    def init(self, key: PRNGKeyArray) -> REINFORCEState:
        """Initialize the network and its optimizer."""
        # The same key as in A2C and PPO, which then start with the same policy.
        actor_key, _ = jax.random.split(key)
        actor = make_mlp(
            actor_key,
            self.spec.obs_size,
            distributions.num_outputs(self.spec.action_space),
            self.config.hidden_sizes,
            output_gain=0.01,
            activation=self.config.activation,
            recurrent=self.config.recurrent,
        )
        return REINFORCEState(actor, self.optimizer.init(actor))

    def act(
        self,
        state: REINFORCEState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Sample an action from the policy, or return its mode without noise."""
        out, hidden_state = state.actor(obs, hidden_state)
        action, _ = distributions.sample(out, mask, self.spec.action_space, noise)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state: REINFORCEState) -> REINFORCEState:
        """Return the state with the actor alone."""
        return keep_fields(state, "actor")

    def update(
        self, state: REINFORCEState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[REINFORCEState, dict[str, Array]]:
        """Take one gradient step."""
        returns = reward_to_go(batch.reward, batch.done[..., None], self.config.gamma)
        gradients, entropy = jax.grad(self.loss, has_aux=True)(state.actor, batch, returns)
        updates, opt_state = self.optimizer.update(gradients, state.opt_state)
        actor = optax.apply_updates(state.actor, updates)
        return REINFORCEState(actor, opt_state), {"entropy": entropy}

    def loss(
        self, actor: MLP, batch: Batch, returns: Float[Array, "time env agent"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Compute the policy gradient loss less the entropy bonus.

        Args:
            actor: Policy network.
            batch: Experience.
            returns: Rewards to go of every step.

        Returns:
            The loss, and the mean entropy of the policy.
        """
        log_prob, entropy = evaluate_actions(actor, batch, self.spec.action_space)
        if self.config.normalize_advantage:
            returns = standardize(returns, batch.weight)
        mean_entropy = weighted_mean(entropy, batch.weight)
        objective = weighted_mean(log_prob * returns, batch.weight)
        return -objective - self.config.ent_coef * mean_entropy, mean_entropy
