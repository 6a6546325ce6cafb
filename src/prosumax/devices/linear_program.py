"""Builder of a linear program of devices: masked variables and constraints over steps and homes."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import xarray as xr
    from linopy import LinearExpression, Model, Variable
    from linopy.types import ConstraintLike

DIMS = ("step", "home")
"""Dimensions of every variable of devices."""


class LinearProgram:
    """Program of the devices of some homes, in which every table is [step, home].

    Args:
        model: Linopy model that receives variables and constraints.
        shape: Number of steps and number of homes.
        present: Steps in which each home is a member, one interval per home; in all others it has
            neither variables nor constraints. None for all steps.
    """

    def __init__(
        self,
        model: "Model",
        shape: tuple[int, int],
        present: Bool[NDArray[np.bool_], "step home"] | None = None,
    ) -> None:
        import xarray as xr

        self.model = model
        self.shape = shape
        self._xarray = xr
        self._coords = [list(range(size)) for size in shape]
        self._present = present

    def table(self, values: ArrayLike) -> "xr.DataArray":
        """Return coefficients of every step and home.

        Args:
            values: Array that can be broadcast to [step, home].
        """
        return self._xarray.DataArray(np.broadcast_to(values, self.shape), dims=DIMS)

    def variable(
        self, name: str, lower: ArrayLike, upper: ArrayLike, mask: ArrayLike = True
    ) -> "Variable | LinearExpression":
        """Add a variable where the mask is true; it is 0 elsewhere.

        Args:
            name: Unique name in the program; begin it with the kind of the device.
            lower: Lower bound.
            upper: Upper bound.
            mask: Steps and homes that have the variable.
        """
        return self.model.add_variables(
            self.table(lower), self.table(upper), mask=self._mask(mask), name=name
        ).fillna(0)

    def binary(self, name: str, mask: ArrayLike = True) -> "Variable | LinearExpression":
        """Add a binary variable where the mask is true; it is 0 elsewhere.

        Args:
            name: Unique name in the program.
            mask: Steps and homes that have the variable.
        """
        return self.model.add_variables(
            binary=True, coords=self._coords, dims=DIMS, mask=self._mask(mask), name=name
        ).fillna(0)

    def previous(self, name: str) -> "LinearExpression":
        """Return a variable one step earlier, 0 before the first step of a home.

        Args:
            name: Name of the variable.
        """
        previous: LinearExpression = self.model.variables[name].shift(step=1).fillna(0)
        return previous

    def initial(self, values: ArrayLike) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Return a table with the values of the homes in their first step and zero otherwise.

        Args:
            values: One number per home.
        """
        first = np.zeros(self.shape)
        if self._present is None:
            first[0] = values
        else:
            homes = np.arange(self.shape[1])
            first[self._present.argmax(0), homes] = values
        return first

    def constraint(self, name: str, expression: "ConstraintLike", mask: ArrayLike = True) -> None:
        """Add a constraint where the mask is true.

        Args:
            name: Unique name in the program.
            expression: Comparison of linopy expressions.
            mask: Steps and homes for which it holds.
        """
        self.model.add_constraints(expression, mask=self._mask(mask), name=name)

    def _mask(self, mask: ArrayLike) -> "xr.DataArray":
        """Return a mask without the steps in which a home is absent."""
        if self._present is not None:
            mask = np.broadcast_to(mask, self.shape) & self._present
        return self.table(mask)
