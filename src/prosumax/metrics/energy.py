"""Energy, self-consumption, peak and carbon, per home and for the community.

Definitions are those of the field: self-consumption and self-sufficiency in the grid-interface form, which keeps
battery losses inside (Luthander et al. 2015, Applied Energy 142:80, with storage counted at the meter).
"""

from prosumax.metrics.numbers import Values, ratio
from prosumax.types import Fills, Flows


def home_kpis(
    flows: Flows, local: Fills, carbon_kg: Values, capacity_kwh: Values, step_hours: float
) -> dict[str, Values]:
    """Key figures of every home over the period.

    Arguments:
        flows, local: arrays [step, home].
        carbon_kg: carbon intensity of grid electricity [step], kg CO2 per kWh.
        capacity_kwh: nominal battery capacity [home].
        step_hours: length of a step.

    Returns:
        Name -> [home]. `import_kwh` and `export_kwh` are the home's meter; `grid_import_kwh` and `grid_export_kwh` are
        what is left of them after exchange with neighbours. `self_consumption` is the share of own solar that
        neither went to the grid nor was curtailed, `self_sufficiency` the share of the load that did not come from the
        grid; NaN without solar or load.
        `emissions_kg` counts grid purchases only: a neighbour's kWh carries the carbon of the sun.
    """
    xp = flows.load_kwh.__array_namespace__()
    bought, sold = local.bought_kwh.sum(0), local.sold_kwh.sum(0)
    imported, exported = flows.import_kwh.sum(0), flows.export_kwh.sum(0)
    load, solar = flows.load_kwh.sum(0), flows.solar_kwh.sum(0)
    grid_purchases = flows.import_kwh - local.bought_kwh
    net_kw = flows.net_kwh / step_hours
    throughput = flows.charge_kwh.sum(0) + flows.discharge_kwh.sum(0)
    return {
        "load_kwh": load,
        "solar_kwh": solar,
        "import_kwh": imported,
        "export_kwh": exported,
        "bought_locally_kwh": bought,
        "sold_locally_kwh": sold,
        "grid_import_kwh": imported - bought,
        "grid_export_kwh": exported - sold,
        "self_consumption": 1 - ratio(exported - sold + flows.curtailed_kwh.sum(0), solar, xp),
        "self_sufficiency": 1 - ratio(imported - bought, load, xp),
        "peak_kw": xp.maximum(net_kw.max(0), 0),
        "peak_export_kw": xp.maximum((-net_kw).max(0), 0),
        "emissions_kg": (grid_purchases * carbon_kg[:, None]).sum(0),
        "battery_loss_kwh": flows.battery_loss_kwh.sum(0),
        "curtailed_kwh": flows.curtailed_kwh.sum(0),
        "battery_cycles": xp.where(
            capacity_kwh > 0, throughput / (2 * xp.where(capacity_kwh > 0, capacity_kwh, 1)), 0
        ),
    }


def community_kpis(
    flows: Flows, local: Fills, carbon_kg: Values, step_hours: float
) -> dict[str, Values]:
    """Key figures of the community over the period; arguments as in `home_kpis`.

    Returns:
        Name -> number. `import_kwh` and `export_kwh` are those of one meter around the community (homes netted in every
        step); `home_import_kwh` and `home_export_kwh` are sums over the homes' meters. `self_consumption` and
        `self_sufficiency` count what the mechanism lets neighbours share; the two `*_physical` count all that stays
        inside the community's meter, whatever the rule. Peaks, load factor (mean / peak), peak-to-average ratio
        and ramping (sum of absolute changes, kW) are of the community's meter.
    """
    xp = flows.load_kwh.__array_namespace__()
    net = flows.net_kwh.sum(1)
    community_import, community_export = xp.maximum(net, 0), xp.maximum(-net, 0)
    load, solar = flows.load_kwh.sum(), flows.solar_kwh.sum()
    home_import, home_export = flows.import_kwh.sum(), flows.export_kwh.sum()
    traded, lost = local.bought_kwh.sum(), flows.curtailed_kwh.sum()
    net_kw = net / step_hours
    peak, mean = xp.maximum(net_kw.max(), 0), net_kw.mean()
    grid_purchases = (flows.import_kwh - local.bought_kwh).sum(1)
    return {
        "load_kwh": load,
        "solar_kwh": solar,
        "import_kwh": community_import.sum(),
        "export_kwh": community_export.sum(),
        "home_import_kwh": home_import,
        "home_export_kwh": home_export,
        "traded_kwh": traded,
        "self_consumption": 1 - ratio(home_export - local.sold_kwh.sum() + lost, solar, xp),
        "self_sufficiency": 1 - ratio(home_import - traded, load, xp),
        "self_consumption_physical": 1 - ratio(community_export.sum() + lost, solar, xp),
        "self_sufficiency_physical": 1 - ratio(community_import.sum(), load, xp),
        "peak_kw": peak,
        "peak_export_kw": xp.maximum((-net_kw).max(), 0),
        "load_factor": ratio(mean, peak, xp),
        "peak_to_average": ratio(peak, mean, xp),
        "ramping_kw": xp.abs(xp.diff(net_kw)).sum(),
        "reverse_flow_hours": (net < 0).sum() * step_hours,
        "emissions_kg": (grid_purchases * carbon_kg).sum(),
        "emissions_with_export_credit_kg": (net * carbon_kg).sum(),
        "battery_loss_kwh": flows.battery_loss_kwh.sum(),
    }
