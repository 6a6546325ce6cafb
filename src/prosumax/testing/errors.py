"""The error of a failed check, and helpers that find the worst violation of a property."""

from collections.abc import Callable
from textwrap import shorten

import jax
import numpy as np
from jaxtyping import PyTree
from numpy.typing import ArrayLike

_MAX_MESSAGE = 300


class CheckError(AssertionError):
    """Violation of a property that a component must have.

    The message reads `<where>: <problem>. <fix>`.

    Args:
        where: Component and, where known, the part of it that violates the property.
        problem: Statement of the violation with its numbers, without a final period.
        fix: Sentence that says what to change in the component.
    """

    def __init__(self, where: str, problem: str, fix: str) -> None:
        self.where = where
        self.problem = problem
        self.fix = fix
        super().__init__(f"{where}: {problem.rstrip('.')}. {fix}")


def worst_index(excess: ArrayLike, tolerance: ArrayLike = 0.0) -> tuple[int, ...] | None:
    """Return the index at which a quantity exceeds its tolerance the most.

    Args:
        excess: Amount by which a property is violated, at most zero where it holds; or True where
            it is violated.
        tolerance: Amount that rounding explains; broadcasts with `excess`.

    Returns:
        Index of the worst entry, or None if no entry exceeds the tolerance.
    """
    beyond = np.asarray(excess, np.float64) - np.asarray(tolerance, np.float64)
    if not beyond.size or not (beyond > 0).any():
        return None
    index = np.unravel_index(int(np.argmax(beyond)), beyond.shape)
    return tuple(int(axis) for axis in index)


def same_structure(one: PyTree, other: PyTree) -> bool:
    """Return True if two pytrees have the same structure and static parts.

    Args:
        one: First pytree.
        other: Second pytree.
    """
    structure: object = jax.tree.structure(one)
    return bool(structure == jax.tree.structure(other))


def run_traced(
    function: Callable[[], PyTree],
    where: str,
    action: str,
    fix: str,
    passed: type[Exception] = CheckError,
) -> PyTree:
    """Call a function that runs a component, and report any exception as a `CheckError`.

    Args:
        function: Function without arguments.
        where: Component, for the message.
        action: What the function does, for the message: `compiled by jax.jit`.
        fix: Sentence that says what to change in the component.
        passed: Further kind of exception that is passed on as it is.

    Raises:
        CheckError: If the function raises; the cause keeps the original traceback.
    """
    try:
        return function()
    except (CheckError, passed):
        raise
    except Exception as error:
        message = shorten(" ".join(str(error).split()), _MAX_MESSAGE, placeholder=" ...")
        problem = f"it cannot be {action}: {type(error).__name__}: {message}"
        raise CheckError(where, problem, fix) from error
