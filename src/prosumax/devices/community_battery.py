"""Community battery: one battery in the neighborhood, of which every home holds a share.

A home uses its share as a virtual battery behind its meter: energy that it charges is on its own
account, and only it can discharge that energy. Accounts do not borrow from each other. The power
limits and the efficiencies of the battery apply to each share. When some homes charge while others
discharge, the physical battery converts less energy than the accounts do, so that the losses of the
accounts are an upper bound. Without other control each share charges from the surplus of its home
and covers its deficit.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from pydantic import Field, model_validator

from prosumax.config import Fraction, Positive, PositiveFraction
from prosumax.devices.base import (
    Device,
    DeviceObservation,
    LinearDevice,
    devices,
    stack_fields,
)
from prosumax.devices.linear_program import LinearProgram
from prosumax.errors import InputError, did_you_mean
from prosumax.metrics.catalog import KPI
from prosumax.numerics import AnyArray, safe_divide
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import StorageFlow

_HOURS_PER_MONTH = 720.0  # thirty days, the month of `self_discharge_per_month`
_SHARE_TOLERANCE = 1e-6


class CommunityBatteryConfig(DeviceConfig):
    """A battery shared by all homes; the model is `prosumax.devices.community_battery`."""

    capacity_kwh: Positive
    """Capacity of the whole battery."""
    charge_kw: Positive
    """AC power limit of charging of the whole battery."""
    discharge_kw: Positive | None = None
    """AC power limit of discharging; defaults to `charge_kw`."""
    charge_efficiency: PositiveFraction = 0.9487
    discharge_efficiency: PositiveFraction = 0.9487
    soc_min: Fraction = 0.0
    soc_max: PositiveFraction = 1.0
    initial_soc: Fraction | None = None
    """Defaults to `soc_min`."""
    self_discharge_per_month: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the stored energy lost in 30 days."""
    shares: dict[str, Fraction] | None = None
    """Share of each home by name, adding up to 1; homes left out have none. Defaults to equal."""

    @model_validator(mode="after")
    def _check_limits(self) -> "CommunityBatteryConfig":
        if self.soc_min >= self.soc_max:
            raise ValueError(f"soc_min ({self.soc_min}) must be below soc_max ({self.soc_max})")
        initial = self.initial_soc
        if initial is not None and not self.soc_min <= initial <= self.soc_max:
            raise ValueError(f"initial_soc ({initial}) must lie between soc_min and soc_max")
        if self.shares is not None and abs(sum(self.shares.values()) - 1) > _SHARE_TOLERANCE:
            raise ValueError(f"shares must add up to 1, not {sum(self.shares.values()):g}")
        return self


class CommunityBatteryParams(NamedTuple):
    """Parameters of the share of every home.

    Attributes:
        capacity_kwh: Capacity of the share.
        charge_kw: AC power limit of charging.
        discharge_kw: AC power limit of discharging.
        charge_efficiency: Efficiency from AC to the battery.
        discharge_efficiency: Efficiency from the battery to AC.
        min_kwh: Lower limit of the stored energy.
        max_kwh: Upper limit of the stored energy.
        initial_kwh: Stored energy before the first step.
        retention: Fraction of the stored energy that is left after a step.
    """

    capacity_kwh: Float[Array, " home"]
    charge_kw: Float[Array, " home"]
    discharge_kw: Float[Array, " home"]
    charge_efficiency: Float[Array, " home"]
    discharge_efficiency: Float[Array, " home"]
    min_kwh: Float[Array, " home"]
    max_kwh: Float[Array, " home"]
    initial_kwh: Float[Array, " home"]
    retention: Float[Array, " home"]


class CommunityBatteryState(NamedTuple):
    """State of the shares.

    Attributes:
        stored_kwh: Stored energy on the account of each home.
    """

    stored_kwh: Float[Array, " home"]


class CommunityBattery(
    Device[CommunityBatteryConfig, CommunityBatteryParams, None, CommunityBatteryState, StorageFlow]
):
    """Shares of the homes in a community battery."""

    kind = "community_battery"
    summary = "Battery shared by all homes, each with its share of energy and power."
    config = CommunityBatteryConfig
    shared = True
    order = 90
    surplus_order = 900
    power_fields = ("charge_kw", "discharge_kw")
    observations: ClassVar[Mapping[str, DeviceObservation]] = {
        "community_battery_soc": DeviceObservation(
            "Private: state of charge of the own share in the community battery; 0 to 1.", 0.0, 1.0
        )
    }
    kpis: ClassVar[Sequence[KPI]] = (
        KPI(
            "community_battery_charge_kwh",
            "Charged to the community battery",
            "kWh",
            definition="energy charged at the AC side",
        ),
        KPI(
            "community_battery_discharge_kwh",
            "Discharged from the community battery",
            "kWh",
            definition="energy discharged at the AC side",
        ),
        KPI(
            "community_battery_loss_kwh",
            "Losses of the community battery",
            "kWh",
            definition="energy lost on the accounts of the homes, an upper bound of the losses",
        ),
    )

    def build_params(
        self,
        configs: Sequence[Sequence[CommunityBatteryConfig]],
        names: Sequence[str],
        step_hours: float,
    ) -> CommunityBatteryParams:
        """Divide the battery among the homes (see `Device.build_params`)."""
        rows = []
        for name, own in zip(names, configs, strict=True):
            battery = own[0]
            rows.append(_param_fields(battery, _share(battery, name, names), step_hours))
        return CommunityBatteryParams(**stack_fields(rows))

    def init(self, params: CommunityBatteryParams) -> CommunityBatteryState:
        """Return the state before the first step."""
        return CommunityBatteryState(params.initial_kwh)

    def step(
        self,
        params: CommunityBatteryParams,
        state: CommunityBatteryState,
        inputs: None,
        request_kw: Float[Array, "home 1"],
        step_hours: Float[Array, ""],
    ) -> tuple[CommunityBatteryState, StorageFlow]:
        """Charge or discharge every share at the requested power (see `Device.step`)."""
        start = state.stored_kwh * params.retention
        headroom = jnp.maximum(params.max_kwh - start, 0.0) / params.charge_efficiency
        available = jnp.maximum(start - params.min_kwh, 0.0) * params.discharge_efficiency
        max_charge = jnp.minimum(params.charge_kw * step_hours, headroom)
        max_discharge = jnp.minimum(params.discharge_kw * step_hours, available)
        exchanged = jnp.clip(request_kw[:, 0] * step_hours, -max_discharge, max_charge)
        charge = jnp.maximum(exchanged, 0.0)
        discharge = jnp.maximum(-exchanged, 0.0)
        stored = start + charge * params.charge_efficiency - discharge / params.discharge_efficiency
        # Rounding must not move the stored energy past a limit that it just reached.
        stored = jnp.clip(stored, jnp.minimum(start, params.min_kwh), params.max_kwh)
        flow = StorageFlow(
            charge_kwh=charge,
            discharge_kwh=discharge,
            loss_kwh=jnp.maximum(state.stored_kwh + charge - discharge - stored, 0.0),
            stored_kwh=stored,
        )
        return CommunityBatteryState(stored), flow

    def default_request(
        self,
        params: CommunityBatteryParams,
        state: CommunityBatteryState,
        inputs: None,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home 1"]:
        """Charge from the surplus of the home and cover its deficit."""
        return jnp.clip(surplus_kw, -params.discharge_kw, params.charge_kw)[:, None]

    def slot_limits_kw(
        self, params: CommunityBatteryParams
    ) -> tuple[Float[AnyArray, "home 1"], Float[AnyArray, "home 1"]]:
        """Return the power limits of charging and discharging of each share."""
        return params.charge_kw[..., None], params.discharge_kw[..., None]

    def observe(
        self, params: CommunityBatteryParams, state: CommunityBatteryState, inputs: None
    ) -> dict[str, Float[Array, " home"]]:
        """Compute the state of charge of each share."""
        return {"community_battery_soc": safe_divide(state.stored_kwh, params.capacity_kwh)}

    def stored_kwh(
        self, params: CommunityBatteryParams, state: CommunityBatteryState
    ) -> Float[Array, " home"]:
        """Return the stored energy on each account."""
        return state.stored_kwh

    def capacity_kwh(self, params: CommunityBatteryParams) -> Float[AnyArray, " home"]:
        """Return the capacity of each share."""
        return params.capacity_kwh

    def compute_kpis(
        self, params: CommunityBatteryParams, flow: StorageFlow
    ) -> dict[str, Float[AnyArray, " home"]]:
        """Sum charge, discharge and losses."""
        return {
            "community_battery_charge_kwh": flow.charge_kwh.sum(0),
            "community_battery_discharge_kwh": flow.discharge_kwh.sum(0),
            "community_battery_loss_kwh": flow.loss_kwh.sum(0),
        }

    def milp(
        self,
        program: LinearProgram,
        params: CommunityBatteryParams,
        series: None,
        step_hours: float,
        negative: Bool[NDArray[np.bool_], " step"],
    ) -> LinearDevice:
        """Add the account of each home; the model is linear (see `Device.milp`).

        Plans hold a share at its lower limit against self-discharge, which the physics do not: an
        idle share may then cost a little less than the optimum.
        """
        exists = np.broadcast_to(np.asarray(params.capacity_kwh) > 0, program.shape)
        max_charge = np.asarray(params.charge_kw) * step_hours
        max_discharge = np.asarray(params.discharge_kw) * step_hours
        charge = program.variable("community_battery_charge", 0, max_charge, exists)
        discharge = program.variable("community_battery_discharge", 0, max_discharge, exists)
        stored = program.variable("community_battery_stored", 0, params.max_kwh, exists)
        # Self-discharge may take a share below its lower limit; it only must not be discharged.
        below = program.variable("community_battery_below", 0, params.min_kwh, exists)
        retention = np.asarray(params.retention)
        before = program.table(retention) * program.previous("community_battery_stored")
        gained = program.table(params.charge_efficiency) * charge
        used = program.table(1 / np.asarray(params.discharge_efficiency)) * discharge
        start = program.initial(retention * np.asarray(params.initial_kwh))
        balance = stored - before - gained + used == program.table(start)
        program.constraint("community_battery_store", balance, exists)
        reserve = stored + below >= program.table(params.min_kwh)
        program.constraint("community_battery_reserve", reserve, exists)
        efficiency = np.asarray(params.charge_efficiency) * np.asarray(params.discharge_efficiency)
        exclusive = exists & np.asarray(negative)[:, None] & (efficiency < 1)
        if exclusive.any():
            is_charging = program.binary("community_battery_is_charging", exclusive)
            only_charge = charge - program.table(max_charge) * is_charging <= 0
            program.constraint("community_battery_only_charge", only_charge, exclusive)
            limit = program.table(max_discharge)
            only_discharge = discharge + limit * is_charging <= limit
            program.constraint("community_battery_only_discharge", only_discharge, exclusive)
        return LinearDevice(
            net_kwh=charge - discharge,
            slots=(("community_battery_charge", "community_battery_discharge"),),
            slack=below.sum(),
        )


def _share(battery: CommunityBatteryConfig, name: str, names: Sequence[str]) -> float:
    """Return the share of a home."""
    if battery.shares is None:
        return 1 / len(names)
    unknown = sorted(set(battery.shares) - set(names))
    if unknown:
        raise InputError(
            f"shared_devices.community_battery.shares.{unknown[0]}",
            "there is no such home",
            did_you_mean(unknown[0], names),
        )
    return battery.shares.get(name, 0.0)


def _param_fields(
    battery: CommunityBatteryConfig, share: float, step_hours: float
) -> dict[str, float]:
    capacity_kwh = battery.capacity_kwh * share
    discharge_kw = battery.charge_kw if battery.discharge_kw is None else battery.discharge_kw
    initial_soc = battery.soc_min if battery.initial_soc is None else battery.initial_soc
    return {
        "capacity_kwh": capacity_kwh,
        "charge_kw": battery.charge_kw * share,
        "discharge_kw": discharge_kw * share,
        "charge_efficiency": battery.charge_efficiency,
        "discharge_efficiency": battery.discharge_efficiency,
        "min_kwh": battery.soc_min * capacity_kwh,
        "max_kwh": battery.soc_max * capacity_kwh,
        "initial_kwh": initial_soc * capacity_kwh,
        "retention": (1 - battery.self_discharge_per_month) ** (step_hours / _HOURS_PER_MONTH),
    }


devices.register(CommunityBattery.kind, CommunityBattery.summary)(CommunityBattery())
