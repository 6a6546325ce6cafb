"""From a trajectory to key figures and a row per home; all sums in double precision."""

import math
from collections.abc import Mapping
from typing import Any, cast

import jax
import numpy as np
from numpy.typing import NDArray

from prosumax import grid, metrics, tariff
from prosumax.devices.home import household_type
from prosumax.market.mechanism import SettlementAccounts, mechanisms
from prosumax.market.settlement.redistribution import MAX_EXACT_SHAPLEY_HOMES, shapley_savings
from prosumax.metrics.records import CommunityKPIs, HouseholdKPIs
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, market_options
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.annual import settle_period
from prosumax.simulation.results.billing import make_statements
from prosumax.simulation.results.result import Result
from prosumax.simulation.rollout import Trajectory


def summarize(
    scenario: Scenario,
    profiles: Profiles,
    community: Community,
    trajectory: Trajectory,
    timing: Mapping[str, Any],
) -> Result:
    """Settle what the mechanism settles after the period, and work out every figure.

    Arguments:
        scenario, profiles, community: what was run.
        trajectory: what came out, NumPy [step, home].
        timing: passed on.
    """
    exact: Any = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64), trajectory)
    hours, record, gross = scenario.period.step_hours, exact.record, 1 + scenario.tariff.vat
    carbon = profiles.prices["emission_factor_kg_per_kwh"]
    capacity = np.asarray(community.homes.battery.capacity_kwh, dtype=np.float64)
    year = settle_period(scenario, profiles, exact)
    bill, fees = year.bill, year.fees
    accounts = _accounts(scenario, profiles, exact)
    rule = mechanisms.get(scenario.market.mechanism, "market.mechanism").redistribute
    settlement = (
        np.zeros(len(scenario.homes)) if rule is None else rule(accounts, market_options(scenario))
    )
    total, alone = bill.total + settlement + fees * gross, year.bill_without_exchange
    per_home = metrics.home_kpis(record.flows, record.local, carbon, capacity, hours)
    of_devices = _device_figures(community, record.flows)
    households = [
        {
            "name": home.name,
            "kind": household_type(home.solar is not None, home.battery is not None),
            "policy": home.policy or scenario.policy,
            "bill": float(total[number]),
            "bill_without_exchange": float(alone[number]),
            "saving": float(alone[number] - total[number]),
            **{name: finite_or_none(values[number]) for name, values in per_home.items()},
            **{name: finite_or_none(values[number]) for name, values in of_devices.items()},
            "mean_monthly_peak_kw": float(year.mean_peak_kw[number]),
            "reputation": float(record.reputation[-1, number]),
            "uses_kwh": profiles.end_use_kwh[number] if profiles.end_use_kwh else {},
            "bill_items": {
                **{name: float(item[number]) for name, item in bill._asdict().items()},
                "vat": float(bill.vat[number] + (gross - 1) * fees[number]),
                "capacity_charge": float(year.capacity_charge[number]),
                "prosumer_fee": float(year.prosumer_fee[number]),
                "levies_per_year": float(year.annual_levies[number]),
                "settlement": float(settlement[number]),
            },
        }
        for number, home in enumerate(scenario.homes)
    ]
    receipts = {name: float(amount) for name, amount in tariff.receipts(bill).items()}
    receipts["mechanism"] += float(settlement.sum())
    receipts["network_operator"] += float((year.capacity_charge + year.prosumer_fee).sum())
    receipts["government"] += float((year.annual_levies + (gross - 1) * fees).sum())
    wires = _network_figures(scenario, profiles, record.grid)
    if wires is not None:  # the operator buys what is lost on the way
        receipts["network_operator"] -= float(wires["loss_cost"])
        receipts["supplier"] += float(wires["loss_cost"])
    baseline = record.flows.load_kwh - record.flows.solar_kwh
    citylearn = metrics.citylearn_kpis(
        record.flows.net_kwh, baseline, accounts.retail_price, carbon, hours
    )
    figures = {
        "cost": total.sum(),
        "cost_without_exchange": alone.sum(),
        "saving": alone.sum() - total.sum(),
        **metrics.community_kpis(record.flows, record.local, carbon, hours),
        **{
            name: values.sum()
            for name, values in of_devices.items()
            if name != "battery_state_of_health"
        },
        **{f"{party}_revenue": amount for party, amount in receipts.items()},
        **_market_figures(exact, accounts),
        **_fairness_figures(exact, accounts, alone - total),
    }
    kpis: dict[str, Any] = {name: finite_or_none(value) for name, value in figures.items()}
    kpis["citylearn"] = {name: finite_or_none(value) for name, value in citylearn.items()}
    kpis["network"] = (
        None if wires is None else {name: finite_or_none(value) for name, value in wires.items()}
    )
    notes = [*profiles.notes, *_tariff_notes(scenario), *_network_notes(scenario, kpis["network"])]
    bills = make_statements(scenario, profiles, exact, year, settlement)
    return Result(
        scenario,
        cast(CommunityKPIs, kpis),
        cast(list[HouseholdKPIs], households),
        dict(timing),
        notes,
        trajectory,
        profiles,
        bills,
    )


def _device_figures(community: Community, flows: Any) -> dict[str, Any]:
    """Per home, of what there is: flexible devices, and the wear of batteries."""
    figures = {} if flows.devices is None else metrics.device_kpis(flows.devices)
    if flows.battery_life_used is not None and community.homes.aging is not None:
        owned = (community.homes.aging.replacement_cost, community.homes.battery.capacity_kwh)
        price, capacity = (np.asarray(part, np.float64) for part in owned)
        figures |= metrics.wear_kpis(flows.capacity_loss_kwh, flows.battery_life_used, price, capacity)
    return figures


def _network_figures(scenario: Scenario, profiles: Profiles, record: Any) -> dict[str, Any] | None:
    if record is None or profiles.feeder is None:
        return None
    is_transformer, price = profiles.feeder.branches.is_transformer, profiles.prices["energy"]
    hours, flow = scenario.period.step_hours, scenario.network.flow
    return metrics.network_kpis(record, grid.FEE_TERMS, is_transformer, price, flow, hours)


def _tariff_notes(scenario: Scenario) -> list[str]:
    """What a reader of the bills must know."""
    minutes = scenario.period.step_minutes
    if not scenario.tariff.capacity_charge_per_kw_year or minutes <= 15:
        return []
    return [
        f"the capacity charge looks at quarter-hours; steps of {minutes} minutes show lower peaks than a meter does"
    ]


def _network_notes(scenario: Scenario, wires: Mapping[str, Any] | None) -> list[str]:
    """What a reader of the network's figures must know."""
    if wires is None or not wires["not_converged_steps"]:
        return []
    return [
        f"in {wires['not_converged_steps']:,.0f} of {scenario.period.steps:,} steps the network cannot carry what is"
        " drawn (the power flow did not converge); the figures of the network leave these steps out"
    ]


def _accounts(scenario: Scenario, profiles: Profiles, exact: Any) -> SettlementAccounts:
    """The period as rules that settle afterwards see it."""
    prices, terms, bill = profiles.prices, scenario.tariff, exact.record.bill
    gross = 1 + terms.vat
    retail = (prices["energy"] + prices["network"] + prices["levies"]) * gross
    local_charges = (
        terms.resolved_local_network_share * prices["network"] + terms.local_levies_share * prices["levies"]
    ) * gross
    return SettlementAccounts(
        net_kwh=exact.record.flows.net_kwh,
        grid_charges=(bill.energy + bill.network + bill.levies) * gross,
        feed_in_revenue=bill.feed_in,
        traded_kwh=exact.record.local.bought_kwh + exact.record.local.sold_kwh,
        bill=bill.total.sum(0),
        standalone_bill=exact.bill_alone.sum(0),
        retail_price=retail,
        reservation_price=retail - local_charges,
        feed_in_price=prices["feed_in"],
        step_hours=scenario.period.step_hours,
    )


def _market_figures(exact: Any, accounts: SettlementAccounts) -> dict[str, Any]:
    local, shape = exact.record.local, accounts.net_kwh.shape
    value, cost = (
        np.broadcast_to(p[:, None], shape) for p in (accounts.reservation_price, accounts.feed_in_price)
    )
    return metrics.market_kpis(
        accounts.net_kwh, local.bought_kwh, local.sold_kwh, local.paid, local.earned, value, cost
    )


def _fairness_figures(
    exact: Any, accounts: SettlementAccounts, saving: NDArray[np.float64]
) -> dict[str, Any]:
    local, flows = exact.record.local, exact.record.flows
    offered, traded = (flows.import_kwh + flows.export_kwh).sum(0), accounts.traded_kwh.sum(0)
    bought = local.bought_kwh.sum(0)
    figures = metrics.fairness_kpis(
        saving,
        accounts.standalone_bill,
        served_share=np.where(offered > 0, traded / np.where(offered > 0, offered, 1), np.nan),
        price_paid=np.where(
            bought > 0, local.paid.sum(0) / np.where(bought > 0, bought, 1), np.nan
        ),
        price_range=(accounts.reservation_price - accounts.feed_in_price).mean(),
    )
    if len(saving) <= MAX_EXACT_SHAPLEY_HOMES:
        figures["distance_to_shapley"] = metrics.distance_to_reference(shapley_savings(accounts), saving)
    return figures


def finite_or_none(value: Any) -> float | None:
    """A plain float; None (JSON null) where the figure means nothing, such as self-consumption without solar."""
    number = float(value)
    return number if math.isfinite(number) else None
