"""Events of a run: what happened when, to whom, and with what effect."""

from typing import TypedDict

import numpy as np
from jaxtyping import Float

from prosumax.data.base import Source
from prosumax.devices.base import devices
from prosumax.numerics import AnyArray
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.events import (
    SOLAR,
    AnyEvent,
    DeviceFails,
    HomeJoins,
    HomeLeaves,
    SupplyLimit,
)
from prosumax.simulation.dynamics import StepRecord
from prosumax.simulation.events import affected_homes, event_steps
from prosumax.simulation.inputs import Profiles

_EFFECTS = {
    "shed_kwh": "{:,.1f} kWh of load shed",
    "curtailed_kwh": "{:,.1f} kWh of PV generation curtailed",
    "unserved_kwh": "{:,.1f} kWh not served",
    "discomfort_kh": "{:,.0f} K h of discomfort",
    "absent_load_kwh": "{:,.0f} kWh of load absent",
    "absent_solar_kwh": "{:,.0f} kWh of PV generation absent",
}
"""Description of each effect."""

_ROUNDING = 0.01
"""Energy below this amount comes from single precision."""


class EventEffect(TypedDict):
    """An event of a run and its effect.

    Attributes:
        event: Kind of event.
        start: First step, local time; the event of a home that joins lasts until it does.
        end: End, local time; empty for the end of the period.
        what: Description.
        homes: Names of the homes.
        effects: Energy in kWh and degree hours by effect, over the steps of the event: load that
            was shed, PV generation that was curtailed, energy that a failed device did not deliver
            and its discomfort, and load and PV generation of an absent home or a failed PV system.
    """

    event: str
    start: str
    end: str
    what: str
    homes: list[str]
    effects: dict[str, float]


def describe_events(
    scenario: Scenario, profiles: Profiles, record: StepRecord
) -> list[EventEffect]:
    """Return the events of a run in the order of their start.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        record: Results of all steps as NumPy arrays.
    """
    described = []
    for event in scenario.events:
        steps = event_steps(event, profiles.index, scenario.period.time_zone)
        homes = affected_homes(event, scenario)
        first, last = steps
        if isinstance(event, HomeJoins):
            first, last = last, len(profiles.index)
        start = profiles.local_index[min(first, len(profiles.index) - 1)]
        end = "" if last >= len(profiles.index) else f"{profiles.local_index[last]:%Y-%m-%dT%H:%M}"
        described.append(
            EventEffect(
                event=event.event,
                start=f"{start:%Y-%m-%dT%H:%M}",
                end=end,
                what=_describe(event),
                homes=[scenario.homes[home].name for home in homes],
                effects={
                    name: amount
                    for name, amount in _effects(event, profiles, record, steps, homes).items()
                    if amount >= _ROUNDING
                },
            )
        )
    return sorted(described, key=lambda effect: effect["start"])


def effect_text(effect: EventEffect) -> str:
    """Describe the effect of an event.

    Args:
        effect: Event and its effect.
    """
    parts = [_EFFECTS[name].format(amount) for name, amount in effect["effects"].items()]
    return ", ".join(parts) or "no energy missing"


def _describe(event: AnyEvent) -> str:
    match event:
        case HomeLeaves():
            return "leaves"
        case HomeJoins():
            return "joins"
        case DeviceFails():
            if event.device == SOLAR:
                return "PV system fails"
            return f"{devices.get(event.device, 'devices').title} fails"
    limits = {"import": event.import_kw, "export": event.export_kw}
    parts = [
        f"{name} limited by source {limit.source}"
        if isinstance(limit, Source)
        else f"{name} at most {limit:g} kW"
        for name, limit in limits.items()
        if limit is not None
    ]
    hours = (
        f", {event.from_hour}-{event.to_hour} h" if event.from_hour or event.to_hour < 24 else ""
    )
    days = "" if event.days == "all" else f" on {event.days}"
    return f"{', '.join(parts)}{hours}{days}"


def _effects(
    event: AnyEvent,
    profiles: Profiles,
    record: StepRecord,
    steps: tuple[int, int],
    homes: list[int],
) -> dict[str, float]:
    def total(values: Float[AnyArray, "step home"]) -> float:
        return float(np.asarray(values, np.float64)[slice(*steps)][:, homes].sum())

    flows = record.flows
    if isinstance(event, SupplyLimit):
        if flows.shed_kwh is None:  # The limit applies in no step of the period.
            return {"shed_kwh": 0.0, "curtailed_kwh": 0.0}
        curtailed = flows.curtailed_kwh
        if record.grid is not None:
            curtailed = curtailed - record.grid.curtailed_kwh
        return {"shed_kwh": total(flows.shed_kwh), "curtailed_kwh": total(curtailed)}
    assert profiles.undisturbed is not None
    load, solar = profiles.undisturbed
    present = True if profiles.present is None else profiles.present
    if isinstance(event, DeviceFails):
        if event.device == SOLAR:
            return {"absent_solar_kwh": total(solar * present)}
        flow = flows.devices[event.device]
        return {
            "unserved_kwh": total(flow.total_unserved_kwh),
            "discomfort_kh": total(flow.discomfort_kh),
        }
    return {"absent_load_kwh": total(load), "absent_solar_kwh": total(solar)}
