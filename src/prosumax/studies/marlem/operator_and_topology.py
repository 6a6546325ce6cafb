"""MARLEM's case studies 3 (network operator) and 4 (topology and capacity), with random homes.

The paper names both (section 4.3) without results; their settings are those of its authors. What
the paper leaves open, or what would not be a network, is filled in here and stated in `NOTES`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.data.generators import marlem
from prosumax.grid.feeder import Feeder
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.results.result import Result
from prosumax.studies.engine import (
    CommunitySample,
    Study,
    StudyMetric,
    Variant,
    kpi_metric,
    studies,
)

_LENGTH_STREAM = 11
"""Stream of random numbers of the line lengths; profiles have their own streams."""

_PU_PER_KM = 1e-6


class CaseStudy(NamedTuple):
    """Homes and market of a case study.

    Attributes:
        homes: Name, generation capacity in kW, battery in kWh, and factor of the demand.
        efficiency: Efficiency of charging and of discharging.
        min_price: Lower bound of the prices, $/MWh.
        max_price: Upper bound of the prices, $/MWh.
    """

    homes: tuple[tuple[str, float, float, float], ...]
    efficiency: float
    min_price: float
    max_price: float


OPERATOR_CASE = CaseStudy(
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
    min_price=40,
    max_price=250,
)
"""Case study 3."""

TOPOLOGY_CASE = CaseStudy(
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
    min_price=45,
    max_price=220,
)
"""Case study 4."""

OPERATOR_STANCES: dict[str, dict[str, object]] = {
    "permissive": {
        "congestion_threshold": 0.95,
        "penalty": 1.2,
        "surcharge": 0.1,
        "inspection_probability": 0.1,
    },
    "moderate": {
        "congestion_threshold": 0.8,
        "penalty": 1.5,
        "surcharge": 0.2,
        "inspection_probability": 0.3,
    },
    "strict": {
        "congestion_threshold": 0.7,
        "penalty": 2.0,
        "surcharge": 0.3,
        "inspection_probability": 0.5,
    },
    "dynamic": {
        "congestion_threshold": 0.8,
        "penalty": 1.5,
        "surcharge": 0.2,
        "inspection_probability": 0.4,
        "adaptive": True,
    },
}
"""Case study 3: threshold, penalty factor, surcharge and frequency of the interventions."""

NOTES = (
    "One day of 24 hours per seed. A seed samples profiles, prices, charge of the batteries, line"
    " lengths and placement of the homes; variants share the sample.",
    "Homes are zero-intelligence traders: battery, price and partner at random. They do not react"
    " to a fee, so a fee alone moves money and nothing else.",
    "Market: preferred partners, then a double auction, both at the midpoint of bid and ask (Nash"
    " bargaining between equals, and bid-ask spread pricing at MARLEM's factor 0.5), then the"
    " grid.",
    "Networks have line lengths only, as in MARLEM: each line 0.5 + U(0, 1), in units of which a"
    " trade loses 3 %. The capacity is shared out over the lines by inverse length. IEEE 34 has the"
    " published topology and random lengths: with its true ones two jumpers of 3 m would take 90 %"
    " of the capacity.",
    "Flows are along the shortest path of each trade, those of the grid from the source. MARLEM"
    " lets energy of the grid appear at the home, so its lines are less loaded.",
    "Trade limited: trades that would load a line above the operator's threshold (0.8 unless the"
    " stance says otherwise) are scaled back pro rata before they happen; the paper's"
    ' "disallowed".',
)


def sample_community(case: CaseStudy, settings: Mapping[str, object], seed: int) -> CommunitySample:
    """Sample the community of a case study for one seed.

    Args:
        case: Homes and prices.
        settings: Changes to its scenario, path -> value.
        seed: Seed of all random numbers.
    """
    scenario = load_scenario(_scenario_content(case, seed), settings)
    profiles = read_profiles(scenario)
    assert profiles.feeder is not None
    feeder = use_lengths_only(profiles.feeder, scenario)
    return CommunitySample(scenario, replace(profiles, feeder=feeder))


def use_lengths_only(feeder: Feeder, scenario: Scenario) -> Feeder:
    """Reduce a feeder to its topology and line lengths.

    Impedances become small and proportional to the lengths, so that voltages do not matter. The
    lines of a published feeder get lengths of 0.5 + U(0, 1), as those of a generated one have from
    the start.

    Args:
        feeder: Feeder of the scenario.
        scenario: Scenario with the kind of network and the seed.
    """
    branches = feeder.branches
    length_km = branches.length_km
    if scenario.network.kind == "ieee34":
        random = np.random.default_rng((scenario.seed, _LENGTH_STREAM)).random(len(length_km))
        length_km = np.where(length_km > 0, 0.5 + random, 0.0)
    zeros = np.zeros(len(length_km), np.complex128)
    simplified = replace(
        branches,
        length_km=length_km,
        series_pu=(_PU_PER_KM * np.maximum(length_km, 1e-3)).astype(np.complex128),
        shunt_from_pu=zeros,
        shunt_to_pu=zeros,
        ratio=np.ones(len(length_km)),
    )
    shunt_pu = np.zeros(len(feeder.buses), np.complex128)
    return replace(feeder, source_voltage_pu=1.0, shunt_pu=shunt_pu, branches=simplified)


def _scenario_content(case: CaseStudy, seed: int) -> dict[str, object]:
    """Return a case study as the content of a scenario file, with the profiles of the seed."""
    names, capacity_kw, storage_kwh, demand_factor = zip(*case.homes, strict=True)
    solar = marlem.generation_kwh(np.array(capacity_kw), seed)
    load = marlem.demand_kwh(np.array(capacity_kw), np.array(demand_factor), seed)
    prices = marlem.grid_prices(case.min_price / 1000, case.max_price / 1000, seed)
    charge = marlem.initial_charge(len(names), seed)
    homes = [
        {
            "name": name,
            "load": _values_source(load[:, number]),
            "solar": _values_source(solar[:, number]),
            "battery": {
                "capacity_kwh": storage_kwh[number],
                # MARLEM sets no limit; here a battery charges in one hour.
                "charge_kw": storage_kwh[number],
                "charge_efficiency": case.efficiency,
                "discharge_efficiency": case.efficiency,
                "initial_soc": float(charge[number]),
            },
        }
        for number, name in enumerate(names)
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
            "energy": _values_source(prices.retail),
            "feed_in": _values_source(prices.feed_in),
        },
        "market": {"mechanism": "preferred_partners"},
        "policy": "marlem-zero-intelligence",
        "network": {
            "flow": "path",
            "mean_line_km": 1.0,
            "placement": "random",
            "operator": {"fees": True},
        },
    }


def _values_source(values: Float[NDArray[np.float64], " step"]) -> dict[str, object]:
    return {"source": "values", "values": values.tolist()}


def _mean_line_loading(run: Result) -> float:
    """Compute the mean loading over lines and steps (grid-wide congestion of the paper)."""
    assert run.profiles.feeder is not None
    assert run.trajectory.record.grid is not None
    is_line = ~run.profiles.feeder.branches.is_transformer
    loading = np.asarray(run.trajectory.record.grid.loading, np.float64)
    return float(loading[:, is_line].mean())


_FLOW_METRICS = (
    StudyMetric("day.local_price", kpi_metric("mean_price").read),
    kpi_metric("traded_kwh"),
    kpi_metric("p2p_share"),
    kpi_metric("network.mean_imbalance_kwh", digits=0),
    kpi_metric("network.loss_share"),
    StudyMetric("day.line_loading", _mean_line_loading),
    kpi_metric("network.mean_congestion"),
    kpi_metric("network.max_line_loading"),
    kpi_metric("network.overload_hours"),
)
_INTERVENTION_METRICS = (
    kpi_metric("network.interventions", digits=1),
    kpi_metric("network.penalized_kwh"),
)
_MONEY_METRICS = (
    kpi_metric("network.fees"),
    kpi_metric("network.fee_congestion"),
    kpi_metric("network_operator_revenue", digits=1),
    kpi_metric("cost", digits=1),
    kpi_metric("saving"),
    kpi_metric("welfare"),
)


def _stance_variants(group: str, **network: object) -> tuple[Variant, ...]:
    """Make one variant per stance of the operator on the same network."""
    shared = {
        "network.kind": "ieee34",
        "network.operator.intervention": "penalize",
        **{f"network.{name}": value for name, value in network.items()},
    }
    return tuple(
        Variant(
            group,
            name,
            shared | {f"network.operator.{field}": value for field, value in stance.items()},
        )
        for name, stance in OPERATOR_STANCES.items()
    )


def _capacity_variants(trade_limit: str) -> tuple[Variant, ...]:
    """Make one table per topology with one variant per capacity."""
    suffix = "" if trade_limit == "none" else ", trade limited (ours)"
    return tuple(
        Variant(
            kind + suffix,
            f"{capacity} kW",
            {
                "network.kind": kind,
                "network.capacity_kw": capacity,
                "network.trade_limit": trade_limit,
            },
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
            *_stance_variants("penalties, 1500 kW", capacity_kw=1500),
            *_stance_variants("penalties, 9000 kW (ours)", capacity_kw=9000),
            *_stance_variants(
                "trade limited, 1500 kW (ours)", capacity_kw=1500, trade_limit="pro_rata"
            ),
            *_stance_variants(
                "trade limited, 500 kW (ours)", capacity_kw=500, trade_limit="pro_rata"
            ),
        ),
        sample_community=lambda settings, seed: sample_community(OPERATOR_CASE, settings, seed),
        metrics=(*_FLOW_METRICS, *_INTERVENTION_METRICS, *_MONEY_METRICS),
        notes=NOTES,
        currency="$",
    )
)

studies.register(
    "marlem-topology",
    "MARLEM's case study 4: mesh, ring, line and IEEE 34, each with three capacities.",
)(
    Study(
        variants=(*_capacity_variants("none"), *_capacity_variants("pro_rata")),
        sample_community=lambda settings, seed: sample_community(TOPOLOGY_CASE, settings, seed),
        metrics=(*_FLOW_METRICS, *_MONEY_METRICS),
        notes=NOTES,
        currency="$",
    )
)
