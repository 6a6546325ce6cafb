"""Context of observation terms, their registry, and the assembly of observations."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.registry import Registry
from prosumax.rl.types import EnvParams, EnvState
from prosumax.simulation.community import ExogenousInputs
from prosumax.types import Prices


class ObservationContext(NamedTuple):
    """Information from which observation terms are computed before a step.

    Attributes:
        params: Parameters of the environment.
        state: State of the environment before the step.
        inputs: Exogenous inputs of the coming step, with noise.
        forecast: Forecast of the inputs of the steps after that, with a leading step axis.
        prices: Prices of the grid and posted prices of the coming step.
        progress: Elapsed share of the episode, in [0, 1].
    """

    params: EnvParams
    state: EnvState
    inputs: ExogenousInputs
    forecast: ExogenousInputs
    prices: Prices
    progress: Float[Array, ""]

    @property
    def num_homes(self) -> int:
        """Number of homes."""
        return self.state.load_kwh.shape[0]


ObservationTerm = Callable[[ObservationContext], Float[Array, "..."]]
"""Function that computes a scalar (the same for all homes), [home] or [home, column]."""

observation_terms: Registry[ObservationTerm] = Registry(
    "observation", group="prosumax.algorithms", package="prosumax.rl.observations"
)
"""Observation terms by name; register a new one with `observation_terms.register`."""


def observe(
    terms: Sequence[ObservationTerm], context: ObservationContext
) -> Float[Array, "home feature"]:
    """Compute the observation of every home as the concatenation of terms.

    Args:
        terms: Observation terms in the order of their columns.
        context: Information before the step.
    """
    columns = []
    for term in terms:
        value = term(context)
        if value.ndim == 0:
            value = jnp.broadcast_to(value, (context.num_homes,))
        columns.append(value[:, None] if value.ndim == 1 else value)
    return jnp.concatenate(columns, axis=1)
