"""Registry of algorithms, and the settings that a user may give one.

A setting is a hyperparameter of the algorithm's `config`, or describes the actions that its learner
sees (`action_bins`, `ordinal_actions`). `rl/algorithms/base.py` explains how to add an algorithm.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal, NamedTuple, get_args, get_origin, get_type_hints

from jaxtyping import PyTree
from pydantic import Field, TypeAdapter, ValidationError

from prosumax.errors import InputError, did_you_mean
from prosumax.registry import Registry
from prosumax.rl.algorithms.base import Learner
from prosumax.rl.components.types import AgentSpec

_ACTION_BINS = 9
"""Number of bins of a continuous action where an algorithm supports discrete actions only."""
_ACTION_SETTINGS: dict[str, PyTree] = {
    "action_bins": Annotated[int, Field(ge=2)],
    "ordinal_actions": bool,
}
"""Types of the settings that every algorithm has."""

algorithms: Registry[type[Learner]] = Registry(
    "algorithm", group="prosumax.algorithms", package="prosumax.rl.algorithms", base=Learner
)


class ConfiguredAlgorithm(NamedTuple):
    """An algorithm with all settings applied.

    Attributes:
        learner: Class of its learner.
        config: Hyperparameters.
        action_bins: As in `AgentSpec`.
        ordinal_actions: As in `AgentSpec`.
    """

    learner: type[Learner]
    config: PyTree
    action_bins: int | None
    ordinal_actions: bool

    def build(self, spec: AgentSpec) -> Learner:
        """Build the learner of agents of these sizes."""
        return self.learner(spec, self.config)


def configure_algorithm(
    name: str, settings: Mapping[str, object], where: str = "algorithm"
) -> ConfiguredAlgorithm:
    """Apply settings to an algorithm.

    Args:
        name: Registered name of the algorithm.
        settings: Hyperparameters, `action_bins` and `ordinal_actions` by name.
        where: Name of the setting's place, for messages.

    Raises:
        InputError: There is no such algorithm or setting, or a value has the wrong type.
    """
    learner = algorithms.get(name, where)
    default = learner.default_config()
    types: dict[str, PyTree] = get_type_hints(type(default), include_extras=True)
    values: dict[str, PyTree] = {}
    for key, value in settings.items():
        annotation = (types | _ACTION_SETTINGS).get(key)
        if annotation is None:
            fix = did_you_mean(key, [*types, *_ACTION_SETTINGS])
            raise InputError(where, f"there is no setting {key!r} of this algorithm", fix)
        values[key] = _check_type(value, annotation, where, key, getattr(default, key, None))
    action_bins = values.pop("action_bins", _ACTION_BINS if learner.discrete_only else None)
    ordinal_actions = values.pop("ordinal_actions", False)
    if ordinal_actions and learner.discrete_only:
        raise InputError(
            f"{where}: ordinal_actions",
            f"{name} supports discrete actions only, and ordinal_actions makes them continuous",
            "Remove ordinal_actions.",
        )
    return ConfiguredAlgorithm(
        learner=learner,
        config=replace(default, **values),
        action_bins=action_bins,
        ordinal_actions=ordinal_actions,
    )


def _check_type(value: object, annotation: PyTree, where: str, key: str, default: object) -> PyTree:
    """Return the value of a setting in its annotated type, such as a list as a tuple."""
    adapter: TypeAdapter[PyTree] = TypeAdapter(annotation)
    try:
        # Settings are YAML or JSON, whose lists may stand for tuples and whose integers for
        # numbers; nothing else is converted.
        return adapter.validate_json(json.dumps(value), strict=True)
    except (ValidationError, TypeError) as error:
        reason = "must be a value of YAML"
        if isinstance(error, ValidationError):
            reason = error.errors()[0]["msg"].removeprefix("Input ").replace("should", "must", 1)
        fix = "Give another value." if default is None else f"The default is {default}."
        if get_origin(annotation) is Literal:
            fix = did_you_mean(str(value), get_args(annotation))
        raise InputError(where, f"{key} {reason}, got {value!r}", fix) from error
