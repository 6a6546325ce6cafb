"""MARLEM's case studies 3 (what the network operator does) and 4 (topology and capacity), with random homes.

The paper names both (section 4.3) without results; their settings are those of its authors. What the paper does not
settle, or what would not be a network, is filled in here and said in `NOTES`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.data.generators import marlem
from prosumax.grid.feeder import Feeder
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.results.result import Result
from prosumax.studies.engine import Drawn, Figure, Study, Variant, kpi, studies

_LENGTHS, _CHARGE = 11, 12  # what a seed is drawn for; the profiles have numbers of their own
_PU_PER_KM = 1e-6


class Case(NamedTuple):
    """The homes and the market of a case study.

    Attributes:
        homes: name, generation capacity in kW, battery in kWh, and what multiplies the demand.
        efficiency: of charging and of discharging.
        lowest, highest: bounds of the prices, $/MWh.
    """

    homes: tuple[tuple[str, float, float, float], ...]
    efficiency: float
    lowest: float
    highest: float


OPERATOR_CASE = Case(
    homes=(
        ("seller 1", 90, 45, 0.8),
        ("seller 2", 85, 40, 0.7),
        ("buyer 1", 40, 20, 2.0),
        ("buyer 2", 35, 15, 1.8),
        ("balanced 1", 60, 30, 1.1),
        ("balanced 2", 55, 25, 1.2),
        ("storage 1", 70, 60, 1.0),
        ("storage 2", 65, 55, 1.1),
    ),
    efficiency=0.94,
    lowest=40,
    highest=250,
)
"""Case study 3."""

TOPOLOGY_CASE = Case(
    homes=(
        ("urban 1", 45, 20, 1.8),
        ("urban 2", 40, 18, 1.7),
        ("suburban 1", 65, 35, 1.2),
        ("suburban 2", 70, 40, 1.1),
        ("suburban 3", 60, 30, 1.3),
        ("rural 1", 100, 50, 0.8),
        ("rural 2", 95, 45, 0.7),
        ("commercial 1", 80, 60, 1.5),
        ("commercial 2", 75, 55, 1.6),
    ),
    efficiency=0.93,
    lowest=45,
    highest=220,
)
"""Case study 4."""

STANCES: dict[str, dict[str, Any]] = {
    "permissive": {
        "congestion_threshold": 0.95,
        "penalty": 1.2,
        "surcharge": 0.1,
        "frequency": 0.1,
    },
    "moderate": {"congestion_threshold": 0.8, "penalty": 1.5, "surcharge": 0.2, "frequency": 0.3},
    "strict": {"congestion_threshold": 0.7, "penalty": 2.0, "surcharge": 0.3, "frequency": 0.5},
    "dynamic": {
        "congestion_threshold": 0.8,
        "penalty": 1.5,
        "surcharge": 0.2,
        "frequency": 0.4,
        "adaptive": True,
    },
}
"""Case study 3: threshold, penalty factor, adjustment and frequency of the operator's interventions."""

NOTES = (
    "One day of 24 hours per seed. A seed draws profiles, prices, charge of the batteries, lengths of the lines and"
    " places of the homes; variants share it.",
    "Homes are zero-intelligence traders: battery, price and partner at random. They do not react to a fee, so a fee"
    " alone moves money and nothing else.",
    "Market: preferred partners, then a double auction, both at the midpoint of bid and ask (Nash bargaining between"
    " equals, and bid-ask spread pricing at MARLEM's factor 0.5), then the grid.",
    "Networks are lengths alone, as MARLEM's are: each line 0.5 + U(0, 1), in units of which a trade loses 3 %. The"
    " capacity is shared out over the lines by inverse length. IEEE 34 has the published topology and drawn lengths:"
    " with its true ones two jumpers of 3 m would take 90 % of the capacity.",
    "Flows are along the shortest path of each trade, those of the grid side from the source. MARLEM lets energy of the"
    " grid side appear at the home, so its lines are emptier.",
    "Trade limited: trades that would load a line over the operator's threshold (0.8 unless the stance says otherwise)"
    ' are scaled back pro rata before they happen; the paper\'s "disallowed".',
)


def draw(case: Case, settings: Mapping[str, Any], seed: int) -> Drawn:
    """The community of a case study for one seed.

    Arguments:
        case: homes and prices.
        settings: changes to its scenario, path -> value.
        seed: of everything that is drawn.
    """
    scenario = load_scenario(_content(case, seed), settings)
    series = read_profiles(scenario)
    assert series.feeder is not None
    return Drawn(scenario, replace(series, feeder=lengths_only(series.feeder, scenario)))


def lengths_only(feeder: Feeder, scenario: Scenario) -> Feeder:
    """The same topology with nothing but lengths: impedances small and in proportion, so that no voltage matters.

    The lines of a published feeder get lengths of 0.5 + U(0, 1), as those of a generated one have from the start.
    """
    b = feeder.branches
    length = b.length_km
    if scenario.network.kind == "ieee34":
        drawn = 0.5 + np.random.default_rng((scenario.seed, _LENGTHS)).random(len(length))
        length = np.where(length > 0, drawn, 0.0)
    none = np.zeros(len(length), np.complex128)
    branches = replace(
        b,
        length_km=length,
        series_pu=(_PU_PER_KM * np.maximum(length, 1e-3)).astype(np.complex128),
        shunt_from_pu=none,
        shunt_to_pu=none,
        ratio=np.ones(len(length)),
    )
    shunt = np.zeros(len(feeder.buses), np.complex128)
    return replace(feeder, source_pu=1.0, shunt_pu=shunt, branches=branches)


def _content(case: Case, seed: int) -> dict[str, Any]:
    """A case study as a person would write it, with the seed's profiles filled in."""
    names, capacity, storage, demand = zip(*case.homes, strict=True)
    solar = marlem.generation_kwh(np.array(capacity), seed)
    load = marlem.demand_kwh(np.array(capacity), np.array(demand), seed)
    prices = marlem.grid_prices(case.lowest / 1000, case.highest / 1000, seed)
    charge = np.random.default_rng((seed, _CHARGE)).random(len(names))
    homes = [
        {
            "name": name,
            "load": _values(load[:, at]),
            "solar": _values(solar[:, at]),
            "battery": {
                "capacity_kwh": storage[at],
                "charge_kw": storage[at],  # MARLEM sets no limit; here a battery fills in an hour
                "charge_efficiency": case.efficiency,
                "discharge_efficiency": case.efficiency,
                "initial_soc": float(charge[at]),
            },
        }
        for at, name in enumerate(names)
    ]
    return {
        "name": "marlem",
        "seed": seed,
        "period": {
            "start": "2025-06-01T00:00",
            "steps": marlem.HOURS,
            "step_minutes": 60,
            "time_zone": None,
        },
        "homes": homes,
        "tariff": {
            "currency": "USD",
            "energy": _values(prices.retail),
            "feed_in": _values(prices.feed_in),
        },
        "market": {"mechanism": "preferred_partners"},
        "policy": "marlem-zero-intelligence",
        "network": {
            "flow": "path",
            "section_km": 1.0,
            "placement": "random",
            "operator": {"fees": True},
        },
    }


def _values(values: NDArray[np.float64]) -> dict[str, Any]:
    return {"source": "values", "values": values.tolist()}


def _network(name: str, factor: float = 1.0) -> Any:
    return lambda run: factor * run.kpis["network"][name]


def _line_loading(run: Result) -> float:
    """Mean over lines and steps, % (the paper's grid-wide congestion)."""
    assert run.profiles.feeder is not None and run.trajectory.record.grid is not None
    is_line = ~run.profiles.feeder.branches.is_transformer
    return 100 * float(
        np.asarray(run.trajectory.record.grid.loading, np.float64)[:, is_line].mean()
    )


_INTERVENTION = {
    "interventions": Figure("Interventions, h", _network("interventions")),
    "penalised_kwh": Figure("Trade penalised, kWh", _network("penalised_kwh")),
}
_FLOWS = {
    "mean_price": Figure("Local price, $/MWh", kpi("mean_price", 1000)),
    "traded_kwh": Figure("Traded locally, kWh", kpi("traded_kwh"), 0),
    "p2p_share": Figure("of all purchases, %", kpi("p2p_share", 100)),
    "imbalance": Figure("Imbalance, kWh", _network("mean_imbalance_kwh"), 0),
    "loss_share": Figure("Losses, % of infeed", _network("loss_share", 100)),
    "line_loading": Figure("Mean line loading, %", _line_loading),
    "congestion": Figure("Fullest line, mean %", _network("mean_congestion", 100), 0),
    "highest_loading": Figure("Fullest line, most %", _network("highest_line_loading", 100), 0),
    "overloaded": Figure("Hours over 100 %", _network("overload_hours")),
}
_MONEY = {
    "fees": Figure("Fees paid, $", _network("fees"), 2),
    "congestion_fee": Figure("for congestion, $", _network("fee_congestion"), 2),
    "operator": Figure("Fees less losses, $", kpi("network_operator_receives")),
    "cost": Figure("All bills, $", kpi("cost")),
    "saving": Figure("Saved by exchange, $", kpi("saving"), 2),
    "welfare": Figure("Gains from trade, $", kpi("welfare"), 2),
}
"""Amounts are for the community over the day; `docs/studies.md` explains each."""


def _stances(group: str, **network: Any) -> tuple[Variant, ...]:
    fixed = {
        "network.kind": "ieee34",
        **{f"network.{name}": value for name, value in network.items()},
    }
    return tuple(
        Variant(
            group,
            name,
            {
                **fixed,
                "network.operator.intervention": "penalise",
                **{f"network.operator.{key}": value for key, value in stance.items()},
            },
        )
        for name, stance in STANCES.items()
    )


def _capacities(limit: str) -> tuple[Variant, ...]:
    return tuple(
        Variant(
            kind + ("" if limit == "none" else ", trade limited (ours)"),
            f"{capacity} kW",
            {"network.kind": kind, "network.capacity_kw": capacity, "network.trade_limit": limit},
        )
        for kind in ("mesh", "ring", "line", "ieee34")
        for capacity in (2000, 1000, 500)
    )


studies.register(
    "marlem-dso",
    "MARLEM's case study 3: a permissive, moderate, strict or dynamic network operator.",
)(
    Study(
        variants=(
            *_stances("penalties, 1500 kW", capacity_kw=1500),
            *_stances("penalties, 9000 kW (ours)", capacity_kw=9000),
            *_stances("trade limited, 1500 kW (ours)", capacity_kw=1500, trade_limit="pro_rata"),
            *_stances("trade limited, 500 kW (ours)", capacity_kw=500, trade_limit="pro_rata"),
        ),
        draw=lambda settings, seed: draw(OPERATOR_CASE, settings, seed),
        figures=_FLOWS | _INTERVENTION | _MONEY,
        notes=NOTES,
    )
)

studies.register(
    "marlem-topology",
    "MARLEM's case study 4: mesh, ring, line and IEEE 34, each with three capacities.",
)(
    Study(
        variants=(*_capacities("none"), *_capacities("pro_rata")),
        draw=lambda settings, seed: draw(TOPOLOGY_CASE, settings, seed),
        figures=_FLOWS | _MONEY,
        notes=NOTES,
    )
)
