"""Context of observation terms, their registry, and the assembly of observations.

Devices provide terms of their own (`Device.observations`), which the registry lists with the
others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.devices.base import DeviceObservation, devices
from prosumax.plugins import record_left_out, remember
from prosumax.registry import Registry, RegistryEntry
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


@dataclass(frozen=True)
class DeviceTerm:
    """Private observation term of a kind of device; zero in a home without the device.

    Attributes:
        kind: Kind of device.
        name: Name of the term.
        observation: Range and number of columns.
    """

    kind: str
    name: str
    observation: DeviceObservation

    def __call__(
        self, context: ObservationContext
    ) -> Float[Array, " home"] | Float[Array, "home slot"]:
        """Compute the term; without a column per slot where no home has the device.

        Args:
            context: Information before the step.
        """
        homes = context.params.community.homes
        if self.kind not in homes.devices:
            shape = (context.num_homes, 0) if self.observation.per_slot else (context.num_homes,)
            return jnp.zeros(shape)
        own = devices.get(self.kind, "devices").observe(
            homes.devices[self.kind],
            context.state.community.homes.devices[self.kind],
            context.inputs.devices.get(self.kind),
        )
        return own[self.name]


class ObservationTerms(Registry[ObservationTerm]):
    """Observation terms by name, followed by those of all kinds of devices.

    A term of a plugin's device whose name is taken is left out, and the failure is recorded.
    """

    def load(self) -> None:
        """Load the terms of the package and of plugins, and add those of devices.

        Raises:
            ValueError: A device that is no plugin has a term whose name is taken.
        """
        super().load()
        for name, known in list(self._entries.items()):
            if isinstance(known.component, DeviceTerm) and known.component.kind not in devices:
                del self._entries[name]
        for kind, entry in devices.entries().items():
            for name, observation in entry.component.observations.items():
                term = DeviceTerm(kind, name, observation)
                own = RegistryEntry[ObservationTerm](term, observation.summary, entry.origin)
                known = self._entries.setdefault(name, own)
                if known.component == term:
                    continue
                problem = f"Device {kind!r} has observation {name!r}, which is already registered."
                if entry.origin is None:
                    raise ValueError(problem)
                record_left_out("prosumax.devices", entry.origin, f"{problem} Rename it there.")
        remember(self.kind, self._packages())


observation_terms = ObservationTerms(
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
