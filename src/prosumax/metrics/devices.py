"""KPIs of flexible devices and of battery aging, per home."""

from prosumax.metrics.numbers import ratio
from prosumax.numerics import AnyArray
from prosumax.types import DeviceFlows

_EV_FLOWS = {
    "ev_charge_kwh": "charge_kwh",
    "ev_discharge_kwh": "discharge_kwh",
    "ev_driven_kwh": "driven_kwh",
    "ev_loss_kwh": "loss_kwh",
    "ev_departure_shortfall_kwh": "departure_shortfall_kwh",
    "ev_unserved_kwh": "unserved_kwh",
}
"""KPI of electric vehicles -> field of `EVFlow` that it sums."""


def device_kpis(flows: DeviceFlows) -> dict[str, AnyArray]:
    """Compute the KPIs of the flexible devices of every home over the period.

    Args:
        flows: Arrays [step, home] or [step, home, appliance].

    Returns:
        KPI -> [home], of the kinds of devices in the community. `unserved_kwh` is all requested
        energy that was not delivered: driving energy charged on the road, hot water below its set
        point and canceled appliance runs. `ev_departure_shortfall_kwh` is the energy missing at
        departures to the required state of charge. `underheating_kh` and `overheating_kh` are
        kelvin-hours outside the comfort band.
    """
    kpis: dict[str, AnyArray] = {}
    unserved: list[AnyArray] = []
    if flows.ev is not None:
        kpis |= {key: getattr(flows.ev, field).sum(0) for key, field in _EV_FLOWS.items()}
        unserved.append(kpis["ev_unserved_kwh"])
    if flows.appliances is not None:
        kpis["appliances_kwh"] = flows.appliances.consumption_kwh.sum((0, 2))
        unserved.append(flows.appliances.unserved_kwh.sum((0, 2)))
    if flows.heat_pump is not None:
        heat_pump = flows.heat_pump
        electricity = heat_pump.space_heating_electricity_kwh + heat_pump.hot_water_electricity_kwh
        kpis["heat_pump_kwh"] = electricity.sum(0)
        kpis["space_heat_kwh"] = heat_pump.space_heat_kwh.sum(0)
        kpis["hot_water_kwh"] = heat_pump.hot_water_kwh.sum(0)
        kpis["underheating_kh"] = heat_pump.underheating_kh.sum(0)
        kpis["overheating_kh"] = heat_pump.overheating_kh.sum(0)
        unserved.append(heat_pump.unserved_kwh.sum(0))
    return {"unserved_kwh": sum(unserved[1:], start=unserved[0]), **kpis}


def wear_kpis(
    capacity_loss_kwh: AnyArray,
    battery_life_used: AnyArray,
    replacement_cost: AnyArray,
    capacity_kwh: AnyArray,
) -> dict[str, AnyArray]:
    """Compute the cost of battery aging and the remaining capacity of every home.

    Args:
        capacity_loss_kwh: Capacity lost [step, home].
        battery_life_used: Share of the battery's life [step, home].
        replacement_cost: Price of a new battery [home].
        capacity_kwh: Nominal capacity [home].

    Returns:
        `battery_wear_cost` in the currency of the tariff, which is not billed, and
        `battery_state_of_health` as a share of the nominal capacity, NaN without a battery; [home].
    """
    xp = capacity_loss_kwh.__array_namespace__()
    lost = capacity_loss_kwh.sum(0)
    return {
        "battery_wear_cost": battery_life_used.sum(0) * replacement_cost,
        "battery_state_of_health": 1 - ratio(lost, capacity_kwh, xp),
    }
