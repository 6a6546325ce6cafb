"""What analytics look at: a run cut down to a few series of the whole community and who traded with whom."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax import metrics
from prosumax.grid.paths import shortest_paths
from prosumax.metrics.network import CONVERGENCE_TOLERANCE_PU
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import Profiles

Values = NDArray[np.float64]

_DUST_KWH = 1e-5  # less than this in a step is what single precision leaves


class TradingPairs(NamedTuple):
    """Energy traded between neighbours over the period, one entry per pair and direction [pair].

    Attributes:
        buyer, seller: positions of the homes.
        kwh: from seller to buyer. A pool has no pairs: what a home takes from it in a step is split among those who
            gave, in proportion.
        km: length of the shortest way between them; NaN without a network.
    """

    buyer: NDArray[np.int64]
    seller: NDArray[np.int64]
    kwh: Values
    distance_km: Values


class SummarySeries(NamedTuple):
    """A run (of one seed) as its analytics see it: the community as a whole, kWh and money per step [step].

    Attributes:
        homes: names.
        currency: of money.
        step_hours: length of a step.
        capacity_kwh: of all batteries together.
        hour: local hour, 0 to 23.
        load, solar, charge, discharge: energy of all homes.
        stored: in all batteries at the end of the step.
        balance: exported less imported, meters of all homes (MARLEM equation 16).
        traded: between neighbours.
        most_traded: the lesser of what all homes with need, and all with surplus, have at their meters.
        from_grid, to_grid: bought from and sold to the grid side.
        price: between neighbours, per kWh, midway where buyers and sellers see two; NaN without trade.
        gains: what the traded energy is worth to its buyers less the least its sellers take.
        loading, fullest: mean and highest loading of the lines, 1 is 100 %; NaN without a network or a solution.
        loss, fed_in: lost in the network, and what source and homes feed into it; NaN as above.
        low_pu, high_pu: lowest and highest voltage; NaN as above and where flow is `path`.
        fees: paid to the network operator on trades; 0 without any.
        intervened: 1 where the operator cut or punished, else 0.
        pairs: who traded with whom.
    """

    homes: tuple[str, ...]
    currency: str
    step_hours: float
    capacity_kwh: float
    hour: NDArray[np.int64]
    load: Values
    solar: Values
    charge: Values
    discharge: Values
    stored: Values
    balance: Values
    traded: Values
    tradable: Values
    grid_import: Values
    grid_export: Values
    price: Values
    gains: Values
    mean_loading: Values
    max_loading: Values
    loss: Values
    network_input: Values
    min_voltage_pu: Values
    max_voltage_pu: Values
    fees: Values
    intervention: Values
    pairs: TradingPairs


def make_summary_series(scenario: Scenario, profiles: Profiles, record: Any) -> SummarySeries:
    """The trace of a run.

    Arguments:
        scenario, profiles: what was run.
        record: `env.Record` of its steps, NumPy [step, home].
    """
    flows, local = record.flows, record.local
    bought, sold, paid, earned = (np.asarray(part, np.float64) for part in local[:4])
    prices, terms = profiles.prices, scenario.tariff
    charges = (1 - terms.resolved_local_network_share) * prices["network"] + (
        1 - terms.local_levies_share
    ) * prices["levies"]
    worth = (prices["energy"] + charges) * (1 + terms.vat)
    some = bought.sum(1) + sold.sum(1) > _DUST_KWH
    price = np.full(len(bought), np.nan)
    price[some] = metrics.price_series(bought[some], paid[some], sold[some], earned[some])
    rest = np.asarray(flows.import_kwh, np.float64) - flows.export_kwh - bought + sold
    imported, exported = _total(flows.import_kwh), _total(flows.export_kwh)
    return SummarySeries(
        homes=tuple(home.name for home in scenario.homes),
        currency=terms.currency,
        step_hours=scenario.period.step_hours,
        capacity_kwh=float(
            sum(home.battery.capacity_kwh for home in scenario.homes if home.battery is not None)
        ),
        hour=np.asarray(profiles.local_index.hour, np.int64),
        load=_total(flows.load_kwh),
        solar=_total(flows.solar_kwh),
        charge=_total(flows.charge_kwh),
        discharge=_total(flows.discharge_kwh),
        stored=_total(flows.stored_kwh),
        balance=exported - imported,
        traded=bought.sum(1),
        tradable=np.minimum(imported, exported),
        grid_import=np.maximum(rest, 0).sum(1),
        grid_export=np.maximum(-rest, 0).sum(1),
        price=price,
        gains=worth * bought.sum(1) - prices["feed_in"] * sold.sum(1),
        **_network(profiles, record.grid, scenario.network.flow, len(bought)),
        pairs=_pairs(profiles, local, len(scenario.homes)),
    )


def _total(values: Any) -> Values:
    total: Values = np.asarray(values, np.float64).sum(1)
    return total


def _network(profiles: Profiles, grid: Any, flow: str, steps: int) -> dict[str, Values]:
    """What the wires saw; NaN in steps without a solution."""
    nothing = np.full(steps, np.nan)
    if grid is None or profiles.feeder is None:
        absent = dict.fromkeys(
            ("loading", "fullest", "loss", "fed_in", "low_pu", "high_pu"), nothing
        )
        return absent | {"fees": np.zeros(steps), "intervened": np.zeros(steps)}
    solved = np.asarray(grid.residual) <= CONVERGENCE_TOLERANCE_PU
    lines = np.asarray(grid.loading, np.float64)[:, ~profiles.feeder.branches.is_transformer]
    voltage = np.asarray(grid.voltage, np.float64)
    source, balance = (
        np.asarray(grid.source_kwh, np.float64),
        np.asarray(grid.balance_kwh, np.float64),
    )
    found = {
        "loading": lines.mean(1) if lines.shape[1] else nothing,
        "fullest": lines.max(1) if lines.shape[1] else nothing,
        "loss": np.asarray(grid.loss_kwh, np.float64),
        "fed_in": np.maximum(source, 0) + np.maximum(balance, 0),
        "low_pu": nothing if flow == "path" else voltage.min(1),
        "high_pu": nothing if flow == "path" else voltage.max(1),
    }
    return {name: np.where(solved, values, np.nan) for name, values in found.items()} | {
        "fees": _total(grid.fees),
        "intervened": np.asarray(grid.intervened, np.float64),
    }


def _pairs(profiles: Profiles, local: Any, homes: int) -> TradingPairs:
    bought, sold = np.array(local.bought_kwh, np.float64), np.array(local.sold_kwh, np.float64)
    trades, kwh = local.trades, np.zeros((homes, homes))
    if trades is not None and trades.kwh.shape[1]:
        amount, steps = np.asarray(trades.kwh, np.float64), np.arange(len(bought))[:, None]
        buyer, seller = np.asarray(trades.buyer).astype(int), np.asarray(trades.seller).astype(int)
        kwh += metrics.trade_matrix(buyer, seller, amount, homes)
        np.subtract.at(bought, (steps, buyer), amount)
        np.subtract.at(sold, (steps, seller), amount)
    pooled = (np.where(part > _DUST_KWH, part, 0.0) for part in (bought, sold))
    kwh += metrics.payment_matrix(*pooled)
    buyer, seller = np.nonzero(kwh > _DUST_KWH)
    km = np.full(len(buyer), np.nan)
    if profiles.feeder is not None and len(buyer):
        starts, place = np.unique(profiles.home_bus, return_inverse=True)
        km = shortest_paths(profiles.feeder, starts).km[place[buyer], profiles.home_bus[seller]]
    return TradingPairs(buyer, seller, kwh[buyer, seller], km)
