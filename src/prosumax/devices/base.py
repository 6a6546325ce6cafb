"""Protocol of devices: one file describes all of a kind of device, from YAML to the optimum.

A kind of device is a subclass of `Device` with one registered instance. Its methods are pure
functions of parameters and state, which hold one entry per home. A kind that no home has is absent
from all structures, so that it costs nothing in a compiled program.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, PyTree
from numpy.typing import NDArray

from prosumax.data.generators.solar.weather import WeatherSeries
from prosumax.devices.linear_program import LinearProgram
from prosumax.metrics.catalog import CATALOG, KPI
from prosumax.numerics import AnyArray
from prosumax.registry import Registry
from prosumax.scenario.schema.devices import DeviceConfig, device_kinds
from prosumax.types import DeviceFlow

ConfigT = TypeVar("ConfigT", bound=DeviceConfig)
ParamsT = TypeVar("ParamsT")
SeriesT = TypeVar("SeriesT")
StateT = TypeVar("StateT")
FlowT = TypeVar("FlowT", bound=DeviceFlow)


@dataclass(frozen=True)
class DeviceContext:
    """Information for the exogenous series of devices.

    Attributes:
        index: Step starts in UTC.
        local_index: Step starts in local time.
        step_hours: Length of a step.
        time_zone: IANA name of the local time zone.
        lifestyles: Lifestyle of each home's load; None where the load states none.
        weather: Function that returns the weather; call it only where a device needs it.
        seed: Function that derives a seed from the index of a home and the number of a stream.
    """

    index: pd.DatetimeIndex
    local_index: pd.DatetimeIndex
    step_hours: float
    time_zone: str
    lifestyles: tuple[str | None, ...]
    weather: Callable[[], WeatherSeries]
    seed: Callable[[int, int], int]


@dataclass(frozen=True)
class DeviceObservation:
    """An observation term that a device provides.

    Attributes:
        summary: One line for listings, with the range.
        low: Lower bound.
        high: Upper bound.
        per_slot: True for one column per action slot, False for one column.
    """

    summary: str
    low: float = -np.inf
    high: float = np.inf
    per_slot: bool = False


class LinearDevice(NamedTuple):
    """Devices of a kind in a linear program.

    Attributes:
        net_kwh: Energy that the devices draw less what they supply, a linopy expression with
            dimensions `step` and `home`.
        slots: Names of the variables of each action slot: energy drawn and energy supplied, kWh;
            None where no home has the variable.
        slack: Sum of the violated requirements, kWh or kelvins, a linopy expression; None without
            requirements.
    """

    net_kwh: PyTree
    slots: tuple[tuple[str | None, str | None], ...]
    slack: PyTree = None


class Device(ABC, Generic[ConfigT, ParamsT, SeriesT, StateT, FlowT]):
    """One kind of device: its configuration, physics, control, KPIs and linear program.

    Parameters, series and state are pytrees, usually NamedTuples. Every leaf of parameters and
    state has the homes on its first axis; a home without the device has one of zero power. Every
    leaf of the series is [step] or [step, home, ...].
    """

    kind: ClassVar[str]
    """Name of the kind, which is its key in YAML."""
    summary: ClassVar[str]
    """One line for listings."""
    config: ClassVar[type[DeviceConfig]]
    """Pydantic model of the YAML section."""
    label: ClassVar[str] = ""
    """Name for readers of tables; the kind with spaces when empty."""
    max_per_home: ClassVar[int] = 1
    """Largest number in one home; above 1 the YAML section is a list."""
    shared: ClassVar[bool] = False
    """Whether the YAML section is in `shared_devices` of the scenario instead of in a home."""
    order: ClassVar[int] = 100
    """Position in the action slots and in the order in which devices act."""
    surplus_order: ClassVar[int] = 100
    """Position in which policy `solar-first` serves the kind from PV surplus."""
    observations: ClassVar[Mapping[str, DeviceObservation]] = {}
    """Observation terms by name, as returned by `observe`."""
    kpis: ClassVar[Sequence[KPI]] = ()
    """KPIs, as returned by `compute_kpis`, without the prefix `home.`."""
    power_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of the parameters that are power limits [home].

    A failure sets them to zero, and a limit of the supply may reduce them.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for kpi in cls.kpis:
            if kpi.key in CATALOG or f"home.{kpi.key}" in CATALOG:
                raise TypeError(
                    f"{cls.__name__} has the KPI {kpi.key!r}, which has another meaning."
                )

    @abstractmethod
    def build_params(
        self, configs: Sequence[Sequence[ConfigT]], names: Sequence[str], step_hours: float
    ) -> ParamsT:
        """Build the parameters of all homes.

        Args:
            configs: Configurations of each home, empty for a home without the device. Every home
                of a scenario has the same configuration of a shared device.
            names: Names of the homes.
            step_hours: Length of a step.

        Raises:
            InputError: A configuration does not fit the homes.
        """

    def build_series(
        self, configs: Sequence[Sequence[ConfigT]], context: DeviceContext
    ) -> SeriesT | None:
        """Build the exogenous inputs of all steps as NumPy arrays; None without any.

        Args:
            configs: Configurations of each home.
            context: Time axis, weather and seeds.
        """
        return None

    @abstractmethod
    def init(self, params: ParamsT) -> StateT:
        """Return the state before the first step.

        Args:
            params: Parameters.
        """

    @abstractmethod
    def step(
        self,
        params: ParamsT,
        state: StateT,
        inputs: SeriesT,
        request_kw: Float[Array, "home slot"],
        step_hours: Float[Array, ""],
    ) -> tuple[StateT, FlowT]:
        """Run the devices for one step at the requested powers within their limits.

        Args:
            params: Parameters.
            state: State before the step.
            inputs: Exogenous inputs of the step; None for a kind without series.
            request_kw: Requested mean power of each slot; positive draws.
            step_hours: Length of the step.

        Returns:
            The state after the step and the energy flows.
        """

    @abstractmethod
    def default_request(
        self,
        params: ParamsT,
        state: StateT,
        inputs: SeriesT,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home slot"]:
        """Compute the request of the device's own control.

        Args:
            params: Parameters.
            state: State before the step.
            inputs: Exogenous inputs of the step; None for a kind without series.
            surplus_kw: PV generation less the load and the devices that act before; negative for a
                deficit.
            step_hours: Length of the step.
        """

    def surplus_request(
        self,
        params: ParamsT,
        state: StateT,
        inputs: SeriesT,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> tuple[Float[Array, "home slot"], Float[Array, " home"]]:
        """Compute the request that uses PV surplus first; the default control unless overridden.

        Args:
            params: Parameters.
            state: State before the step.
            inputs: Exogenous inputs of the step; None for a kind without series.
            surplus_kw: Remaining PV surplus; negative for a deficit.
            step_hours: Length of the step.

        Returns:
            The request, and the net power that it takes from the surplus.
        """
        request_kw = self.default_request(params, state, inputs, surplus_kw, step_hours)
        _, flow = self.step(params, state, inputs, request_kw, step_hours)
        return request_kw, (flow.consumption_kwh - flow.supply_kwh) / step_hours

    def scale_power(self, params: ParamsT, share: Float[AnyArray, "*step home"]) -> ParamsT:
        """Scale the power limits; zero power is a failure, in which all other physics go on.

        Args:
            params: Parameters in NumPy or JAX.
            share: Share of the power that is available, 0 to 1; with steps, in a linear program.
        """
        return scale_fields(params, self.power_fields, share)

    def action_slots(self, count: int) -> list[str]:
        """Return the names of the action slots.

        Args:
            count: Largest number of devices in a home.
        """
        return [self.kind]

    @abstractmethod
    def slot_limits_kw(
        self, params: ParamsT
    ) -> tuple[Float[AnyArray, "home slot"], Float[AnyArray, "home slot"]]:
        """Return the largest power that each slot draws and supplies; zero without the device.

        Args:
            params: Parameters in NumPy or JAX.
        """

    def limits_kw(
        self, params: ParamsT
    ) -> tuple[Float[AnyArray, " home"], Float[AnyArray, " home"]]:
        """Return the largest total power that the device draws and supplies.

        Args:
            params: Parameters in NumPy or JAX.
        """
        draw_kw, supply_kw = self.slot_limits_kw(params)
        return draw_kw.sum(-1), supply_kw.sum(-1)

    def observe(
        self, params: ParamsT, state: StateT, inputs: SeriesT
    ) -> dict[str, Float[Array, " home"] | Float[Array, "home slot"]]:
        """Compute the observation terms before a step; zero in homes without the device.

        Args:
            params: Parameters.
            state: State before the step.
            inputs: Exogenous inputs of the step; None for a kind without series.
        """
        return {}

    def stored_kwh(self, params: ParamsT, state: StateT) -> Float[Array, " home"] | float:
        """Return the stored energy that the balance of `DeviceFlow` refers to.

        Args:
            params: Parameters.
            state: State.
        """
        return 0.0

    def capacity_kwh(self, params: ParamsT) -> Float[AnyArray, " home"] | float:
        """Return the capacity of stationary storage; zero for all other devices.

        Args:
            params: Parameters in NumPy or JAX.
        """
        return 0.0

    def compute_kpis(self, params: ParamsT, flow: FlowT) -> dict[str, Float[AnyArray, " home"]]:
        """Compute the KPIs of every home over a period.

        Args:
            params: Parameters in NumPy.
            flow: Flows of all steps in NumPy, [step, home, ...].
        """
        return {}

    def milp(
        self,
        program: LinearProgram,
        params: ParamsT,
        series: SeriesT,
        step_hours: float,
        negative: Bool[NDArray[np.bool_], " step"],
    ) -> LinearDevice:
        """Add the devices to a linear program; kinds without a program keep their default control.

        Args:
            program: Program to which variables and constraints are added.
            params: Parameters in NumPy, double precision. Power limits may vary over time
                [step, home].
            series: Exogenous inputs of all steps in NumPy; None for a kind without series.
            step_hours: Length of a step.
            negative: Steps in which the price of buying or selling a kWh is negative, where
                dissipating energy pays.
        """
        raise NotImplementedError

    @property
    def has_program(self) -> bool:
        """True where the kind implements `milp`."""
        return type(self).milp is not Device.milp

    @property
    def can_fail(self) -> bool:
        """True where a failure takes the power of the kind."""
        return bool(self.power_fields) or type(self).scale_power is not Device.scale_power

    @property
    def observation_summaries(self) -> dict[str, str]:
        """Summary of every observation term, for reference pages."""
        return {name: term.summary for name, term in self.observations.items()}

    @property
    def title(self) -> str:
        """Name for readers."""
        return self.label or self.kind.replace("_", " ")


if TYPE_CHECKING:
    AnyDevice = Device[PyTree, PyTree, PyTree, PyTree, PyTree]
else:  # Type checkers at run time reject a tree in place of a bounded type variable.
    AnyDevice = Device

devices = cast("Registry[AnyDevice]", device_kinds)
"""Kinds of devices by name; `devices.register(kind, summary)(instance)` adds one."""


def ordered(kinds: Mapping[str, PyTree]) -> tuple[AnyDevice, ...]:
    """Return the devices of some kinds in the order in which they act.

    Args:
        kinds: Mapping with the names of the kinds as keys.
    """
    present = [devices.get(kind, "devices") for kind in kinds]
    return tuple(sorted(present, key=lambda device: (device.order, device.kind)))


def scale_fields(
    params: ParamsT, fields: Sequence[str], share: Float[AnyArray, "*step home"]
) -> ParamsT:
    """Scale some fields of parameters.

    Args:
        params: A NamedTuple.
        fields: Names of fields [home].
        share: Factor.
    """
    scaled: ParamsT = cast(PyTree, params)._replace(
        **{name: getattr(params, name) * share for name in fields}
    )
    return scaled


def stack_fields(rows: Sequence[Mapping[str, float]]) -> dict[str, jax.Array]:
    """Return single-precision arrays [home] by field.

    Args:
        rows: Numbers of each home by field.
    """
    return {name: jnp.asarray([row[name] for row in rows], jnp.float32) for name in rows[0]}
