"""Every algorithm by name: how to build it, and its hyper-parameters.

A setting is a hyper-parameter (a number in the algorithm's `hyper`, which may be traced, annealed or evolved), a static
option of its learner (`hidden`, `epochs`, ..), or says how actions are shown to it (`bins`, `ordered`).
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from prosumax.errors import InputError, did_you_mean
from prosumax.registry import Registry
from prosumax.rl.components.types import Learner, Spec


class Algorithm(NamedTuple):
    """How to build a learner.

    Attributes:
        learner: a frozen dataclass whose first field is the `Spec`; the others are static options.
        hyper: hyper-parameters with their defaults.
        options: static options that differ from the dataclass's defaults.
        choices_only: whether it can only choose, so that numbers are cut into `bins`.
        bins: how many where the user does not say.
    """

    learner: Callable[..., Learner]
    hyper: Any
    options: Mapping[str, Any] = {}
    choices_only: bool = False
    bins: int = 9


algorithms: Registry[Algorithm] = Registry("algorithm")


class Chosen(NamedTuple):
    """An algorithm with all settings made.

    Attributes:
        build: from sizes to a learner.
        hp: hyper-parameters.
        bins, ordered: as in `Spec`; None and False leave actions as they are.
    """

    build: Callable[[Spec], Learner]
    hp: Any
    bins: int | None
    ordered: bool


def choose(name: str, settings: Mapping[str, Any], where: str = "algorithm") -> Chosen:
    """An algorithm with the user's settings.

    Arguments:
        name: of the algorithm.
        settings: hyper-parameters and options by name.
        where: for messages.

    Raises:
        InputError: no such algorithm or setting, or a value of the wrong kind.
    """
    algorithm = algorithms.get(name, where)
    static = {field.name: field for field in fields(algorithm.learner) if field.name != "spec"}  # type: ignore[arg-type]
    hyper, options, bins = (
        {},
        dict(algorithm.options),
        algorithm.bins if algorithm.choices_only else None,
    )
    ordered = False
    for key, value in settings.items():
        if key == "bins":
            bins = _whole(value, f"{where}: bins", 2)
        elif key == "ordered":
            ordered = bool(value)
        elif key in algorithm.hyper._fields:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"{where}: {key}", f"is {value!r}", "It must be a number.")
            hyper[key] = float(value)
        elif key in static:
            options[key] = tuple(value) if isinstance(value, list) else value
        else:
            known = [*algorithm.hyper._fields, *static, "bins", "ordered"]
            raise InputError(
                f"{where}: {key}", f"is not a setting of {name}", did_you_mean(key, known)
            )
    if ordered and algorithm.choices_only:
        raise InputError(
            f"{where}: ordered",
            f"makes numbers of choices, and {name} only chooses",
            "Leave it out.",
        )
    return Chosen(
        lambda spec: algorithm.learner(spec, **options),
        algorithm.hyper._replace(**hyper),
        bins,
        ordered,
    )


def _whole(value: Any, where: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(where, f"is {value!r}", f"It must be a whole number from {least}.")
    return value
