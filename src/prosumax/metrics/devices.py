"""What cars, heat pumps and appliances used, what they failed to deliver, and what batteries lost in worth."""

from prosumax.metrics.numbers import Values, ratio
from prosumax.types import DeviceFlows


def device_kpis(flows: DeviceFlows) -> dict[str, Values]:
    """Key figures of the flexible devices of every home over the period.

    Arguments:
        flows: arrays [step, home] or [step, home, appliance].

    Returns:
        Name -> [home], of the kinds of devices that there are. `unserved_kwh` is all that was wanted and not delivered:
        trips that were charged on the road, hot water too cold, runs given up. `car_short_kwh` is what was missing
        at departures to the charge that the owner wants. `too_cold_kh` and `too_warm_kh` are kelvin-hours
        outside the comfort band.
    """
    figures: dict[str, Values] = {}
    unserved: Values = 0.0
    if flows.car is not None:
        names = ("charge", "discharge", "driven", "loss", "short", "unserved")
        figures |= {f"car_{name}_kwh": getattr(flows.car, f"{name}_kwh").sum(0) for name in names}
        unserved = unserved + figures["car_unserved_kwh"]
    if flows.appliances is not None:
        figures["appliances_kwh"] = flows.appliances.used_kwh.sum((0, 2))
        unserved = unserved + flows.appliances.unserved_kwh.sum((0, 2))
    if flows.heat is not None:
        heat = flows.heat
        figures["heat_pump_kwh"] = (heat.heat_electricity_kwh + heat.water_electricity_kwh).sum(0)
        figures["heat_kwh"], figures["hot_water_kwh"] = heat.heat_kwh.sum(0), heat.drawn_kwh.sum(0)
        unserved = unserved + heat.unserved_kwh.sum(0)
        figures["too_cold_kh"], figures["too_warm_kh"] = (
            heat.too_cold_kh.sum(0),
            heat.too_warm_kh.sum(0),
        )
    return {"unserved_kwh": unserved, **figures}


def wear_kpis(
    worn_kwh: Values, life_used: Values, price: Values, capacity_kwh: Values
) -> dict[str, Values]:
    """What ageing took from the batteries.

    Arguments:
        worn_kwh: capacity lost [step, home].
        life_used: share of the battery's life [step, home].
        price: of a new battery [home].
        capacity_kwh: nominal capacity [home].

    Returns:
        `battery_wear_cost` in the tariff's currency, which nobody is billed for, and `battery_capacity_left` as a
        share, NaN without a battery; [home].
    """
    xp = worn_kwh.__array_namespace__()
    lost = worn_kwh.sum(0)
    return {
        "battery_wear_cost": life_used.sum(0) * price,
        "battery_capacity_left": 1 - ratio(lost, capacity_kwh, xp),
    }
