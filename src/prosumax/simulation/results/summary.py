"""KPIs and bills from the trajectory of a run, computed in double precision."""

import math
from collections.abc import Mapping
from typing import SupportsFloat, TypeVar, cast

import jax
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax import grid, metrics, tariff
from prosumax.devices.base import ordered
from prosumax.devices.home import HomeParams, household_type
from prosumax.grid.network import GridRecord
from prosumax.market.mechanism import SettlementAccounts, mechanisms
from prosumax.market.settlement.redistribution import MAX_EXACT_SHAPLEY_HOMES, shapley_savings
from prosumax.metrics import catalog
from prosumax.metrics.records import CommunityKPIs, HouseholdKPIs
from prosumax.numerics import AnyArray, safe_divide
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, market_options
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.annual import PeriodSettlement, settle_period
from prosumax.simulation.results.billing import make_statements
from prosumax.simulation.results.events import describe_events
from prosumax.simulation.results.result import Result, RunArrays
from prosumax.simulation.results.series import storage_capacity_kwh
from prosumax.simulation.rollout import Trajectory
from prosumax.tariff.component import tariff_parts
from prosumax.tariff.statement import RECEIVERS
from prosumax.types import Flows

Array = NDArray[np.float64]
TreeT = TypeVar("TreeT", Trajectory, HomeParams)


def summarize(
    scenario: Scenario,
    profiles: Profiles,
    community: Community,
    trajectory: Trajectory,
    timing: Mapping[str, float],
) -> Result:
    """Settle the period and compute all KPIs and bills of a run.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        community: Community of the run.
        trajectory: Results of all steps as NumPy arrays.
        timing: Seconds of each stage, for `Result.timing`.
    """
    exact = _exact(trajectory)
    record = exact.record
    settled = settle_period(scenario, profiles, exact)
    accounts = _settlement_accounts(scenario, profiles, exact)
    redistribution = _redistribution(scenario, accounts)
    bill: Array = settled.total + redistribution
    saving = settled.bill_without_exchange - bill
    params = _exact(community.homes)
    kpis_of_devices = device_kpis(params, record.flows)
    households = _households(
        scenario, profiles, params, exact, settled, redistribution, bill, kpis_of_devices
    )
    network = _network_kpis(scenario, profiles, record.grid)
    receipts = _receipts(settled, redistribution, network)
    emission_factor = profiles.prices["emission_factor_kg_per_kwh"]
    step_hours = scenario.period.step_hours
    citylearn = metrics.citylearn_kpis(
        record.flows.net_kwh,
        record.flows.load_kwh - record.flows.solar_kwh,
        accounts.retail_price,
        emission_factor,
        step_hours,
    )
    known = catalog.entries()
    figures = {
        "cost": bill.sum(),
        "cost_without_exchange": settled.bill_without_exchange.sum(),
        "saving": settled.bill_without_exchange.sum() - bill.sum(),
        **metrics.community_kpis(record.flows, record.local, emission_factor, step_hours),
        **{name: values.sum() for name, values in kpis_of_devices.items() if name in known},
        **{f"{receiver}_revenue": amount for receiver, amount in receipts.items()},
        **_market_kpis(exact, accounts),
        **_fairness_kpis(exact, accounts, saving),
    }
    network_kpis = None if network is None else _finite(network)
    kpis: dict[str, object] = {**_finite(figures)}
    kpis["citylearn"] = _finite(citylearn)
    kpis["network"] = network_kpis
    return Result(
        scenario=scenario,
        kpis=cast(CommunityKPIs, kpis),
        households=households,
        timing=dict(timing),
        notes=[
            *profiles.notes,
            *_tariff_notes(scenario),
            *_network_notes(scenario, network_kpis),
        ],
        bills=make_statements(scenario, profiles, exact, settled, redistribution),
        events=describe_events(scenario, profiles, record),
        arrays=RunArrays(trajectory, profiles),
    )


def _exact(tree: TreeT) -> TreeT:
    """Return all arrays in NumPy and double precision."""
    exact: TreeT = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64), tree)
    return exact


def finite_or_none(value: SupportsFloat) -> float | None:
    """Return a number as a plain float; None (null in JSON) where it is undefined."""
    number = float(value)
    return number if math.isfinite(number) else None


def _finite(figures: Mapping[str, SupportsFloat]) -> dict[str, float | None]:
    return {name: finite_or_none(value) for name, value in figures.items()}


def _households(
    scenario: Scenario,
    profiles: Profiles,
    params: HomeParams,
    exact: Trajectory,
    settled: PeriodSettlement,
    redistribution: Float[Array, " home"],
    bill: Float[Array, " home"],
    kpis_of_devices: Mapping[str, Float[AnyArray, " home"]],
) -> list[HouseholdKPIs]:
    """Return the KPIs of each home."""
    record = exact.record
    has_storage = storage_capacity_kwh(params, shared=False) > 0
    energy_kpis = metrics.home_kpis(
        record.flows,
        record.local,
        profiles.prices["emission_factor_kg_per_kwh"],
        storage_capacity_kwh(params),
        scenario.period.step_hours,
    )
    bill_items = {
        **settled.bill._asdict(),
        "vat": settled.bill.vat + settled.vat,
        **{part.component.item: part.amount for part in settled.components},
        "settlement": redistribution,
    }
    households = []
    for number, home in enumerate(scenario.homes):
        household = {
            "name": home.name,
            "kind": household_type(home.solar is not None, bool(has_storage[number])),
            "policy": home.policy or scenario.policy,
            "bill": float(bill[number]),
            "bill_without_exchange": float(settled.bill_without_exchange[number]),
            "saving": float(settled.bill_without_exchange[number] - bill[number]),
            **_finite({name: values[number] for name, values in energy_kpis.items()}),
            **_finite({name: values[number] for name, values in kpis_of_devices.items()}),
            "mean_monthly_peak_kw": float(settled.mean_peak_kw[number]),
            "reputation": float(record.reputation[-1, number]),
            "end_use_kwh": profiles.end_use_kwh[number] if profiles.end_use_kwh else {},
            # Adding zero turns -0.0 into 0.0.
            "bill_items": {name: float(item[number]) + 0.0 for name, item in bill_items.items()},
        }
        households.append(cast(HouseholdKPIs, household))
    return households


def _redistribution(scenario: Scenario, accounts: SettlementAccounts) -> Float[Array, " home"]:
    """Return the money that the mechanism charges each home after the period."""
    rule = mechanisms.get(scenario.market.mechanism, "market.mechanism").redistribute
    if rule is None:
        return np.zeros(len(scenario.homes))
    return rule(accounts, market_options(scenario))


def _receipts(
    settled: PeriodSettlement,
    redistribution: Float[Array, " home"],
    network: Mapping[str, SupportsFloat] | None,
) -> dict[str, float]:
    """Return the receipts of each receiver over the period."""
    receipts = dict.fromkeys(RECEIVERS, 0.0)
    for name, amount in tariff.receipts(settled.bill).items():
        receipts[name] += float(amount)
    receipts["mechanism"] += float(redistribution.sum())
    receipts["government"] += float(settled.vat.sum())
    for part in settled.components:
        receipts[part.component.receiver] += float(part.amount.sum())
    if network is not None:
        # The network operator buys the losses from the supplier.
        receipts["network_operator"] -= float(network["loss_cost"])
        receipts["supplier"] += float(network["loss_cost"])
    return receipts


def device_kpis(params: HomeParams, flows: Flows) -> dict[str, Float[AnyArray, " home"]]:
    """Compute the KPIs of the devices of every home over the period.

    Args:
        params: Parameters of the devices.
        flows: Energy flows of the homes [step, home].

    Returns:
        KPI -> [home], of the kinds of devices in the community. `unserved_kwh` is all requested
        energy that was not delivered, and `shed_kwh` the load that a limit of the supply did not
        permit.
    """
    kpis: dict[str, AnyArray] = {}
    if params.flexible:
        unserved = [flows.devices[device.kind].total_unserved_kwh for device in params.flexible]
        kpis["unserved_kwh"] = np.sum(unserved, axis=(0, 1))
    if flows.shed_kwh is not None:
        kpis["shed_kwh"] = flows.shed_kwh.sum(0)
    for device in ordered(params.devices):
        kpis |= device.compute_kpis(params.devices[device.kind], flows.devices[device.kind])
    return kpis


def _network_kpis(
    scenario: Scenario, profiles: Profiles, record: GridRecord | None
) -> dict[str, AnyArray | float] | None:
    """Return the KPIs of the network; None without one."""
    if record is None or profiles.feeder is None:
        return None
    return metrics.network_kpis(
        record,
        grid.FEE_TERMS,
        profiles.feeder.branches.is_transformer,
        profiles.prices["energy"],
        scenario.network.flow,
        scenario.period.step_hours,
    )


def _tariff_notes(scenario: Scenario) -> list[str]:
    """Return remarks on the bills."""
    minutes = scenario.period.step_minutes
    return [note for part in tariff_parts(scenario.tariff) for note in part.notes(minutes)]


def _network_notes(scenario: Scenario, network: Mapping[str, float | None] | None) -> list[str]:
    """Return remarks on the network's KPIs."""
    if network is None or not network["not_converged_steps"]:
        return []
    return [
        f"in {network['not_converged_steps']:,.0f} of {scenario.period.steps:,} steps the power "
        "flow did not converge: the network cannot carry the load; its KPIs leave these steps out"
    ]


def _settlement_accounts(
    scenario: Scenario, profiles: Profiles, exact: Trajectory
) -> SettlementAccounts:
    """Return the accounts of the period for mechanisms that settle after it."""
    prices = profiles.prices
    terms = scenario.tariff
    record = exact.record
    bill = record.bill
    gross = 1 + tariff.vat_rate(terms)
    retail = tariff.retail_price_series(prices, terms)
    local_fee = tariff.local_grid_fee_series(prices, terms)
    return SettlementAccounts(
        net_kwh=np.asarray(record.flows.net_kwh),
        grid_charges=np.asarray(bill.energy + bill.network + bill.levies) * gross,
        feed_in_revenue=np.asarray(bill.feed_in),
        traded_kwh=np.asarray(record.local.bought_kwh + record.local.sold_kwh),
        bill=np.asarray(bill.total).sum(0),
        standalone_bill=np.asarray(exact.standalone_bill).sum(0),
        retail_price=retail,
        reservation_price=retail - local_fee,
        feed_in_price=tariff.seller_price_series(prices),
        step_hours=scenario.period.step_hours,
    )


def _market_kpis(exact: Trajectory, accounts: SettlementAccounts) -> dict[str, AnyArray]:
    local = exact.record.local
    shape = accounts.net_kwh.shape
    return metrics.market_kpis(
        accounts.net_kwh,
        local.bought_kwh,
        local.sold_kwh,
        local.paid,
        local.earned,
        value=np.broadcast_to(accounts.reservation_price[:, None], shape),
        cost=np.broadcast_to(accounts.feed_in_price[:, None], shape),
    )


def _fairness_kpis(
    exact: Trajectory, accounts: SettlementAccounts, saving: Float[Array, " home"]
) -> dict[str, AnyArray]:
    local = exact.record.local
    flows = exact.record.flows
    tradable_kwh = (flows.import_kwh + flows.export_kwh).sum(0)
    bought_kwh = local.bought_kwh.sum(0)
    kpis = metrics.fairness_kpis(
        saving,
        accounts.standalone_bill,
        served_share=safe_divide(accounts.traded_kwh.sum(0), tradable_kwh, np.nan, xp=np),
        price_paid=safe_divide(local.paid.sum(0), bought_kwh, np.nan, xp=np),
        price_range=(accounts.reservation_price - accounts.feed_in_price).mean(),
    )
    if len(saving) <= MAX_EXACT_SHAPLEY_HOMES:
        reference = shapley_savings(accounts)
        kpis["distance_to_shapley"] = metrics.distance_to_reference(reference, saving)
    return kpis
