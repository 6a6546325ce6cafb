"""Itemized bill statements of a run."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.annual import PeriodSettlement
from prosumax.simulation.rollout import Trajectory
from prosumax.tariff.component import tariff_parts
from prosumax.tariff.statement import RECEIVERS, BillStatement, StatementLine, money_line

Array = NDArray[np.float64]


def make_statements(
    scenario: Scenario,
    profiles: Profiles,
    exact: Trajectory,
    settled: PeriodSettlement,
    redistribution: Float[Array, " home"],
) -> list[BillStatement]:
    """Create the statement of every home from the energy and prices of every step.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        exact: Results of all steps in double precision, NumPy arrays.
        settled: Settlement of the period.
        redistribution: Money that the mechanism charges after the period.
    """
    return [
        _make_statement(scenario, profiles, exact, settled, number, float(amount))
        for number, amount in enumerate(redistribution)
    ]


def _make_statement(
    scenario: Scenario,
    profiles: Profiles,
    exact: Trajectory,
    settled: PeriodSettlement,
    number: int,
    redistribution: float,
) -> BillStatement:
    """Create the statement of one home."""
    energy = settled.energy
    netted_kwh = 0.0
    if energy.net_metering is not None:
        netted_kwh = float(energy.net_metering.netted_kwh[:, number].sum())
    member_steps = profiles.local_index
    if profiles.present is not None:
        member_steps = member_steps[profiles.present[:, number]]
    lines = [
        *_component_lines(scenario, settled, number),
        *_trade_lines(exact, number, redistribution),
    ]
    return BillStatement(
        home=scenario.homes[number].name,
        tariff=scenario.tariff.description,
        currency=scenario.tariff.currency,
        first_day=f"{member_steps[0]:%Y-%m-%d}",
        last_day=f"{member_steps[-1]:%Y-%m-%d}",
        days=len(member_steps) * scenario.period.step_hours / 24,
        vat_rate=settled.period.vat,
        import_kwh=float(energy.imported[:, number].sum()),
        export_kwh=float(energy.exported[:, number].sum()),
        netted_kwh=netted_kwh,
        lines=sorted(lines, key=lambda line: RECEIVERS.index(line.receiver)),
    )


def _component_lines(
    scenario: Scenario, settled: PeriodSettlement, number: int
) -> Iterator[StatementLine]:
    """Yield the lines of all components of the tariff."""
    for part in tariff_parts(scenario.tariff):
        yield from part.lines(settled.period, settled.energy, number)


def _trade_lines(exact: Trajectory, number: int, redistribution: float) -> Iterator[StatementLine]:
    """Yield the lines of trades with neighbors and of the fees on them."""
    record = exact.record
    local = record.local
    trade_fees = float(record.bill.network_fees[:, number].sum())
    bought_kwh = float(local.bought_kwh[:, number].sum())
    sold_kwh = float(local.sold_kwh[:, number].sum())
    paid = float(local.paid[:, number].sum())
    earned = float(local.earned[:, number].sum())
    yield from money_line("network_operator", "Fees on trades with neighbors", trade_fees)
    yield from money_line("mechanism", "Bought from neighbors", paid, bought_kwh)
    yield from money_line("mechanism", "Sold to neighbors", -earned, -sold_kwh)
    yield from money_line("mechanism", "Settled by the exchange after the period", redistribution)
