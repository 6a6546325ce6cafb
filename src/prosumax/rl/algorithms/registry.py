"""Registry of algorithms: how to build each of them, and its settings with their defaults.

A setting is one of three things: a hyperparameter in the algorithm's `config`, a number that may be
traced, annealed or evolved; a static option of its learner (`hidden_sizes`, `update_epochs`, ..);
or how the learner sees actions (`action_bins`, `ordinal_actions`).
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import NamedTuple, Protocol

from jaxtyping import PyTree

from prosumax.errors import InputError, did_you_mean
from prosumax.registry import Registry
from prosumax.rl.components.types import AgentSpec, Learner


class LearnerFactory(Protocol):
    """Class of a learner: takes the sizes of an agent and the static options."""

    def __call__(self, *sizes: PyTree, **options: PyTree) -> Learner:
        """Build a learner."""


class Algorithm(NamedTuple):
    """An algorithm with its default settings.

    Attributes:
        learner: Frozen dataclass whose first field is the `AgentSpec` and whose other fields are
            static options.
        config: Hyperparameters with their defaults.
        options: Static options that differ from the dataclass's defaults.
        discrete_only: Whether it supports discrete actions only, so that continuous actions are
            discretized into `action_bins`.
        action_bins: Default number of bins.
    """

    learner: LearnerFactory
    config: PyTree
    options: Mapping[str, object] = {}
    discrete_only: bool = False
    action_bins: int = 9


algorithms: Registry[Algorithm] = Registry(
    "algorithm", group="prosumax.algorithms", package="prosumax.rl.algorithms", base=Algorithm
)
"""Learning algorithms by name."""


class ConfiguredAlgorithm(NamedTuple):
    """An algorithm with all settings applied.

    Attributes:
        build: Function from the sizes of an agent to a learner.
        config: Hyperparameters.
        action_bins: As in `AgentSpec`.
        ordinal_actions: As in `AgentSpec`.
    """

    build: Callable[[AgentSpec], Learner]
    config: PyTree
    action_bins: int | None
    ordinal_actions: bool


def configure_algorithm(
    name: str, settings: Mapping[str, object], where: str = "algorithm"
) -> ConfiguredAlgorithm:
    """Apply settings to an algorithm.

    Args:
        name: Registered name of the algorithm.
        settings: Hyperparameters and options by name.
        where: Name of the setting's place, for messages.

    Raises:
        InputError: There is no such algorithm or setting, or a value has the wrong type.
    """
    algorithm = algorithms.get(name, where)
    # Learners are dataclasses, which the protocol cannot say.
    static = [field.name for field in fields(algorithm.learner) if field.name != "spec"]  # type: ignore[arg-type]
    hyperparameters: dict[str, float] = {}
    options = dict(algorithm.options)
    action_bins = algorithm.action_bins if algorithm.discrete_only else None
    ordinal_actions = False
    for key, value in settings.items():
        if key == "action_bins":
            action_bins = _check_int(value, where, key, 2)
        elif key == "ordinal_actions":
            ordinal_actions = bool(value)
        elif key in algorithm.config._fields:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(where, f"{key} must be a number, got {value!r}", "Give a number.")
            hyperparameters[key] = float(value)
        elif key in static:
            options[key] = tuple(value) if isinstance(value, list) else value
        else:
            known = [*algorithm.config._fields, *static, "action_bins", "ordinal_actions"]
            fix = did_you_mean(key, known)
            raise InputError(where, f"there is no setting {key!r} of this algorithm", fix)
    if ordinal_actions and algorithm.discrete_only:
        raise InputError(
            f"{where}: ordinal_actions",
            f"{name} supports discrete actions only, and ordinal_actions makes them continuous",
            "Remove ordinal_actions.",
        )
    return ConfiguredAlgorithm(
        build=lambda spec: algorithm.learner(spec, **options),
        config=algorithm.config._replace(**hyperparameters),
        action_bins=action_bins,
        ordinal_actions=ordinal_actions,
    )


def _check_int(value: object, where: str, key: str, minimum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        problem = f"{key} must be a whole number of at least {minimum}, got {value!r}"
        raise InputError(f"{where}: {key}", problem, f"Give {minimum} or more.")
    return value
