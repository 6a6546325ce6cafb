"""Protocol of learning algorithms.

An algorithm is one file with three classes: its hyperparameters, its state and its learner.

    @hyperparameters
    class MyConfig:
        learning_rate: float = 1e-3
        hidden_sizes: tuple[int, ...] = (64, 64)

    class MyState(NamedTuple):
        actor: MLP
        opt_state: optax.OptState

    @algorithms.register("my-algorithm", "One line for `prosumax algorithms`.")
    @dataclass(frozen=True)
    class MyAlgorithm(Learner):
        config: MyConfig = MyConfig()

        def init(self, key): ...
        def act(self, state, obs, mask, hidden_state, noise): ...
        def update(self, state, batch, key): ...

This suffices for `prosumax train --algorithm my-algorithm`, for settings and annealing of its
hyperparameters, populations, evaluation, checkpoints and export.

A learner is written for one policy: the agents that share its parameters, on the axis `agent` of
all arrays. The trainer maps it over policies, which therefore cannot influence each other, and over
seeds; it plays episodes with `act` and passes them to `update`. All three functions are pure and
traced by JAX, as parts of one compiled program. The building blocks in `rl/components` (networks,
distributions over actions, advantages, a replay buffer) are optional.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, NamedTuple, Self, TypeVar, dataclass_transform

import jax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from prosumax.errors import InputError
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.spaces import ActionMask
from prosumax.rl.components.types import ActorOutput, AgentSpec, Batch, HiddenState

Config = TypeVar("Config")
State = TypeVar("State", bound=NamedTuple)


@dataclass_transform(frozen_default=True)
def hyperparameters(config_class: type[Config]) -> type[Config]:
    """Make a class a frozen dataclass of hyperparameters, which is also a pytree.

    Fields of type `float` are the leaves: they may be traced, so they can be annealed and evolve
    during training, and are then arrays. All other fields, such as sizes of networks and numbers of
    epochs, are static: they are part of the compiled program.

    Args:
        config_class: Class with annotated fields, all of which have defaults.
    """
    decorated = dataclass(frozen=True)(config_class)
    leaves = tunable_names(decorated)
    static = [field.name for field in fields(decorated) if field.name not in leaves]  # type: ignore[arg-type]
    return jax.tree_util.register_dataclass(decorated, list(leaves), static)


def tunable_names(config: PyTree) -> tuple[str, ...]:
    """Return the names of the hyperparameters that can be annealed and evolve: those of type float.

    Args:
        config: Hyperparameters, or their class.
    """
    return tuple(field.name for field in fields(config) if field.type in (float, "float"))


@dataclass(frozen=True)
class Learner(ABC):
    """An algorithm for the agents that share one policy; all functions are pure.

    Attributes:
        spec: Sizes of an agent.
        config: Hyperparameters. A subclass declares the type and the default:
            `config: MyConfig = MyConfig()`.
    """

    spec: AgentSpec
    config: PyTree

    discrete_only: ClassVar[bool] = False
    """Whether actions must be discrete, so that continuous ones are discretized."""
    centralized_critic: ClassVar[Literal["optional", "required", "unsupported"]] = "optional"
    """Support of paradigms in which a critic observes all agents."""

    def __post_init__(self) -> None:
        name = type(self).__name__.lower()
        is_centralized = self.spec.global_obs_size > 0
        if self.centralized_critic == "unsupported" and is_centralized:
            raise InputError(
                f"{name}: paradigm",
                f"{name} has no critic, and this paradigm needs a centralized one",
                "Choose dtde, dtde-shared or ctce.",
            )
        if self.centralized_critic == "required" and not is_centralized:
            raise InputError(
                f"{name}: paradigm",
                f"{name} needs a central critic, and this paradigm has none",
                "Choose ctde or ctde-shared.",
            )

    @classmethod
    def default_config(cls) -> PyTree:
        """Return the default hyperparameters."""
        return getattr(cls, "config")  # noqa: B009 (mypy reads a field as absent from the class)

    def with_config(self, config: PyTree) -> Self:
        """Return the same learner with other hyperparameters."""
        return replace(self, config=config)

    @property
    def hidden_state_size(self) -> int:
        """Width of the actor's hidden state; 0 for a feedforward actor."""
        return 0

    @abstractmethod
    def init(self, key: PRNGKeyArray) -> PyTree:
        """Return the initial state: parameters, optimizer state and so on, a pytree of arrays."""

    @abstractmethod
    def act(
        self,
        state: PyTree,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Select the actions of the agents that share this policy.

        Args:
            state: State from `init` or `update`.
            obs: Each agent's own observation.
            mask: Valid actions.
            hidden_state: Hidden state after the previous step; zeros where an episode starts.
            noise: Pre-sampled noise for exploration [env, agent, ..]; None selects the
                deterministic action.

        Returns:
            The action in `spec.action_space` with continuous parts not yet squashed by tanh, values
            that `update` needs of this step, and the hidden state after it.
        """

    @abstractmethod
    def update(
        self, state: PyTree, batch: Batch, key: PRNGKeyArray
    ) -> tuple[PyTree, dict[str, Float[Array, ""]]]:
        """Learn from a batch.

        Args:
            state: State from `init` or the previous update.
            batch: Experience since then.
            key: Random key of the update.

        Returns:
            The new state, and metrics by name (`entropy` among them where the policy has one).
        """

    def inference_state(self, state: PyTree) -> PyTree:
        """Return what an exported policy stores: the state without parts that `act` does not read.

        Args:
            state: State from `init` or `update`.
        """
        return state


def keep_fields(state: State, *names: str) -> State:
    """Return a state in which all fields but the named ones are None.

    Args:
        state: State of a learner.
        names: Names of the fields to keep.
    """
    return state._replace(**{name: None for name in state._fields if name not in names})
