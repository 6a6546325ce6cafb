"""Energy, self-consumption, peak power and emissions, per home and for the community.

Self-consumption and self-sufficiency are in the grid-interface form, which keeps battery losses
inside.

References:
    Luthander et al. 2015, Applied Energy 142:80, with storage counted at the meter.
"""

from prosumax.metrics.numbers import ratio
from prosumax.numerics import AnyArray, safe_divide
from prosumax.types import Fills, Flows


def home_kpis(
    flows: Flows,
    local: Fills,
    emission_factor_kg_per_kwh: AnyArray,
    capacity_kwh: AnyArray,
    step_hours: float,
) -> dict[str, AnyArray]:
    """Compute the energy KPIs of every home over the period.

    Args:
        flows: Energy flows of the homes [step, home].
        local: Energy traded locally [step, home].
        emission_factor_kg_per_kwh: CO2 of grid electricity [step].
        capacity_kwh: Nominal capacity of stationary storage [home].
        step_hours: Length of a step.

    Returns:
        KPI -> [home]. `import_kwh` and `export_kwh` are at the meter of the home;
        `grid_import_kwh` and `grid_export_kwh` are what remains after local trade.
        `self_consumption` is the share of the home's PV generation that was neither sold to the
        grid nor curtailed, `self_sufficiency` the share of its load that was not bought from the
        grid; NaN without PV or load. `emissions_kg` counts grid purchases only: locally traded
        energy carries no emissions.
    """
    xp = flows.load_kwh.__array_namespace__()
    bought = local.bought_kwh.sum(0)
    sold = local.sold_kwh.sum(0)
    imported = flows.import_kwh.sum(0)
    exported = flows.export_kwh.sum(0)
    load = flows.load_kwh.sum(0)
    solar = flows.solar_kwh.sum(0)
    curtailed = flows.curtailed_kwh.sum(0)
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
        "self_consumption": 1 - ratio(exported - sold + curtailed, solar, xp),
        "self_sufficiency": 1 - ratio(imported - bought, load, xp),
        "peak_kw": xp.maximum(net_kw.max(0), 0),
        "peak_export_kw": xp.maximum((-net_kw).max(0), 0),
        "emissions_kg": (grid_purchases * emission_factor_kg_per_kwh[:, None]).sum(0),
        "battery_loss_kwh": flows.storage_loss_kwh.sum(0),
        "curtailed_kwh": curtailed,
        "battery_cycles": safe_divide(throughput, 2 * capacity_kwh, xp=xp),
    }


def community_kpis(
    flows: Flows, local: Fills, emission_factor_kg_per_kwh: AnyArray, step_hours: float
) -> dict[str, AnyArray]:
    """Compute the energy KPIs of the community over the period.

    Args:
        flows: Energy flows of the homes [step, home].
        local: Energy traded locally [step, home].
        emission_factor_kg_per_kwh: CO2 of grid electricity [step].
        step_hours: Length of a step.

    Returns:
        KPI -> number. `import_kwh` and `export_kwh` are at one meter around the community (homes
        netted in every step); `home_import_kwh` and `home_export_kwh` are sums over the meters of
        the homes, and `grid_import_kwh` and `grid_export_kwh` what remains of these after local
        trade. `self_consumption` and `self_sufficiency` count what the mechanism lets homes share;
        the two `*_physical` count all energy that stays inside the meter of the community,
        whatever the mechanism. Peaks, load factor (mean / peak), peak-to-average ratio and ramping
        (sum of absolute changes, kW) are of the meter of the community.
    """
    xp = flows.load_kwh.__array_namespace__()
    net = flows.net_kwh.sum(1)
    community_import = xp.maximum(net, 0).sum()
    community_export = xp.maximum(-net, 0).sum()
    load = flows.load_kwh.sum()
    solar = flows.solar_kwh.sum()
    home_import = flows.import_kwh.sum()
    home_export = flows.export_kwh.sum()
    traded = local.bought_kwh.sum()
    sold = local.sold_kwh.sum()
    curtailed = flows.curtailed_kwh.sum()
    net_kw = net / step_hours
    peak = xp.maximum(net_kw.max(), 0)
    mean = net_kw.mean()
    grid_purchases = (flows.import_kwh - local.bought_kwh).sum(1)
    return {
        "load_kwh": load,
        "solar_kwh": solar,
        "import_kwh": community_import,
        "export_kwh": community_export,
        "home_import_kwh": home_import,
        "home_export_kwh": home_export,
        "grid_import_kwh": home_import - traded,
        "grid_export_kwh": home_export - sold,
        "traded_kwh": traded,
        "self_consumption": 1 - ratio(home_export - sold + curtailed, solar, xp),
        "self_sufficiency": 1 - ratio(home_import - traded, load, xp),
        "self_consumption_physical": 1 - ratio(community_export + curtailed, solar, xp),
        "self_sufficiency_physical": 1 - ratio(community_import, load, xp),
        "peak_kw": peak,
        "peak_export_kw": xp.maximum((-net_kw).max(), 0),
        "load_factor": ratio(mean, peak, xp),
        "peak_to_average": ratio(peak, mean, xp),
        "ramping_kw": xp.abs(xp.diff(net_kw)).sum(),
        "reverse_flow_hours": (net < 0).sum() * step_hours,
        "emissions_kg": (grid_purchases * emission_factor_kg_per_kwh).sum(),
        "emissions_with_export_credit_kg": (net * emission_factor_kg_per_kwh).sum(),
        "battery_loss_kwh": flows.storage_loss_kwh.sum(),
    }
