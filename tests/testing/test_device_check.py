"""`check_device` accepts every registered kind and names what is wrong with broken ones."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import pytest

from prosumax.devices import DeviceObservation, devices
from prosumax.devices.battery import Battery, BatteryConfig
from prosumax.errors import InputError
from prosumax.metrics.catalog import KPI
from prosumax.testing import CheckError, check_device

BATTERY = {"capacity_kwh": 8, "charge_kw": 3, "soc_min": 0.1, "initial_soc": 0.5}

CONFIGS = {
    "battery": BATTERY | {"self_discharge_per_month": 0.1},
    "ev": {"v2g": True, "plug_in_probability": 1.0},
    "appliances": [{"kind": "washing_machine"}, {"kind": "dryer", "safeguard": False}],
    "community_battery": {"capacity_kwh": 20, "charge_kw": 6, "soc_min": 0.1},
}
"""Configurations that use the features of a kind; kinds that are missing here have defaults."""

FAST = {"battery"}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=() if kind in FAST else pytest.mark.slow) for kind in devices],
)
def test_registered_kinds_pass(kind):
    assert check_device(kind, CONFIGS.get(kind)) is None


@pytest.mark.slow
def test_batteries_pass_in_hourly_steps_and_with_another_seed():
    check_device("battery", BATTERY, steps=48, step_minutes=60)
    check_device("battery", BATTERY, seed=2)


class CreatesEnergy(Battery):
    def step(self, *arguments):
        state, flow = super().step(*arguments)
        return state, eqx.tree_at(lambda flow: flow.discharge_kwh, flow, 1.1 * flow.discharge_kwh)


class ExceedsItsPower(Battery):
    def step(self, params, *arguments):
        return super().step(params._replace(charge_kw=2 * params.charge_kw), *arguments)


class HasStandbyPowerEverywhere(Battery):
    def step(self, *arguments):
        state, flow = super().step(*arguments)
        parts = lambda flow: (flow.charge_kwh, flow.loss_kwh)  # noqa: E731
        return state, eqx.tree_at(parts, flow, (flow.charge_kwh + 0.002, flow.loss_kwh + 0.002))


class DividesByZero(Battery):
    def step(self, params, state, *arguments):
        after, flow = super().step(params, state, *arguments)
        loss = flow.loss_kwh * params.capacity_kwh / params.capacity_kwh
        return after, eqx.tree_at(lambda flow: flow.loss_kwh, flow, loss)


class ChangesItsState(Battery):
    def step(self, *arguments):
        state, flow = super().step(*arguments)
        return state._replace(stored_kwh=state.stored_kwh.astype(jnp.float16)), flow


class BranchesOnValues(Battery):
    def step(self, params, state, inputs, request_kw, step_hours):
        if request_kw.sum() > 0:
            request_kw = 0.5 * request_kw
        return super().step(params, state, inputs, request_kw, step_hours)


class ObservesWithoutDeclaration(Battery):
    def observe(self, params, state, inputs):
        return {"charge_level": state.stored_kwh}


class ObservesBeyondItsBounds(ObservesWithoutDeclaration):
    observations: ClassVar = {"charge_level": DeviceObservation("Private: 0 to 1.", 0.0, 1.0)}


class CountsWithoutDeclaration(Battery):
    def compute_kpis(self, params, flow):
        return {"cycles": flow.charge_kwh.sum(0)}


class CountsOneNumber(CountsWithoutDeclaration):
    kpis = (KPI("cycles", "Cycles"),)

    def compute_kpis(self, params, flow):
        return {"cycles": flow.charge_kwh.sum()}


class PlansWithTwiceTheCapacity(Battery):
    def milp(self, program, params, *arguments):
        doubled = params._replace(capacity_kwh=2 * params.capacity_kwh)
        return super().milp(program, doubled, *arguments)


class SurvivesFailure(Battery):
    power_fields = ("charge_kw",)


class LooseConfig(BatteryConfig):
    standby_kw: float = 0.0


class HasALooseConfig(Battery):
    config = LooseConfig


class HasTwoSlotsAndOneLimit(Battery):
    def action_slots(self, count):
        return ["charge", "discharge"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (CreatesEnergy, r"energy does not close: \S+ kWh .* in a step, with"),
        (ExceedsItsPower, r"it draws 6 kW with a limit of 3 kW \(step \d+, home \d"),
        (HasStandbyPowerEverywhere, "consumption_kwh is 0.002 in a home without the device"),
        (DividesByZero, "flow.loss_kwh is nan .*safe_divide"),
        (ChangesItsState, "state.stored_kwh changes from .* float32 to .* float16"),
        (BranchesOnValues, "step: it cannot be traced by jax.jit: TracerBoolConversionError"),
        (
            ObservesWithoutDeclaration,
            r"observe: it returns \['charge_level'\], but declares \[\]",
        ),
        (ObservesBeyondItsBounds, "charge_level is .*, outside its bounds 0 to 1"),
        (CountsWithoutDeclaration, "it returns 'cycles', which `kpis` does not declare"),
        (CountsOneNumber, r"cycles has shape \(\), not \(3,\). Sum over the steps"),
        (PlansWithTwiceTheCapacity, "milp: the plan of home . is off by .* kWh"),
        (SurvivesFailure, r"supply_kwh is .* although all of \('charge_kw',\) are zero"),
        (HasALooseConfig, "config: standby_kw accepts -1. Annotate it"),
        (HasTwoSlotsAndOneLimit, r"power drawn has shape \(3, 1\), not \(3, 2\)"),
    ],
)
def test_a_broken_device_fails_with_what_is_wrong(broken, message):
    with pytest.raises(CheckError, match=message):
        check_device(broken(), BATTERY)


def test_an_invalid_configuration_or_name_is_reported():
    with pytest.raises(CheckError, match="the configuration is invalid: capacity_kwh: Field req"):
        check_device("battery")
    with pytest.raises(InputError, match="there is no device 'batery'"):
        check_device("batery")
