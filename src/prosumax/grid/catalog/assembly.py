"""From a feeder and what a person wrote about it to the arrays that run."""

import math

import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from numpy.typing import NDArray

from prosumax import grid
from prosumax.grid.feeder import BASE_KVA, Feeder
from prosumax.grid.operator import FeeRates
from prosumax.scenario.schema.network import Network, Operator


def wire(spec: Network, feeder: Feeder, home_bus: NDArray[np.int64]) -> grid.Network:
    """The network of a community.

    Arguments:
        spec: what the scenario says; its flow is not `copper_plate`.
        feeder: checked.
        home_bus: position of each home's bus.
    """
    zones = sorted(set(feeder.zone))
    flow = {"path": None, "linear": grid.linear_flow, "ac": grid.ac_flow}[spec.flow]
    return grid.Network(
        flow=None if flow is None else Partial(flow, grid.wires_of(feeder)),
        paths=grid.paths_of(feeder, home_bus),
        home_bus=jnp.asarray(home_bus, jnp.int32),
        zone=jnp.asarray(
            [zones.index(feeder.zone[bus]) for bus in (*home_bus, feeder.source)], jnp.int32
        ),
        reactive=jnp.float32(math.tan(math.acos(spec.power_factor))),
        background_kw=jnp.asarray(spec.background * feeder.load_kw, jnp.float32),
        background_kvar=jnp.asarray(spec.background * feeder.load_kvar, jnp.float32),
        capacity_kw=jnp.asarray(capacity_kw(spec, feeder), jnp.float32),
        loss_per_km=jnp.float32(spec.loss_per_km),
        operator=_operator(spec, feeder, home_bus),
    )


def trade_limits(spec: Network, feeder: Feeder, home_bus: NDArray[np.int64]) -> grid.Limits:
    """The limits that trades or exports are held to."""
    own = spec.background * feeder.load_kw, spec.background * feeder.load_kvar
    return grid.limits_of(
        feeder, home_bus, capacity_kw(spec, feeder), *own, knows_voltages=spec.flow != "path"
    )


def distances(feeder: Feeder, home_bus: NDArray[np.int64]) -> NDArray[np.float64]:
    """Length of the shortest path between homes over the longest one, 0 to 1 [home, home]."""
    between = grid.shortest(feeder, home_bus).km[:, home_bus]
    return np.asarray(between / max(between.max(), 1e-12))


def capacity_kw(spec: Network, feeder: Feeder) -> NDArray[np.float64]:
    """What each branch can carry [branch].

    The ratings of the feeder, or a total that is shared out by inverse length, so that short branches carry more
    (the MARLEM paper, equation 15 and below). Transformers, which have no length, get no share and stay unlimited.
    """
    b = feeder.branches
    if spec.capacity_kw is None:
        return np.minimum(b.rating_from_pu, b.rating_to_pu) * BASE_KVA
    has_length = b.length_km > 0
    weight = np.where(has_length, 1.0 / np.where(has_length, b.length_km, 1.0), 0.0)
    return np.where(has_length, spec.capacity_kw * weight / max(weight.sum(), 1e-12), np.inf)


def _operator(spec: Network, feeder: Feeder, home_bus: NDArray[np.int64]) -> grid.Operator:
    rules = spec.operator
    cut = grid.cut_dearest if rules.curtail_by == "price" else grid.cut_pro_rata
    curtails = rules.intervention == "curtail"
    return grid.Operator(
        rates=_rates(rules) if rules.fees else None,
        curtail=Partial(cut, limits=trade_limits(spec, feeder, home_bus)) if curtails else None,
        threshold=jnp.float32(rules.congestion_threshold),
        frequency=jnp.float32(0.0 if rules.intervention == "none" else rules.frequency),
        adaptive=jnp.float32(rules.adaptive and rules.intervention != "none"),
        punishes=jnp.float32(rules.intervention == "penalise"),
    )


def _rates(rules: Operator) -> FeeRates:
    punishes = rules.intervention == "penalise"
    values = {
        name: getattr(rules, name)
        for name in FeeRates._fields
        if name not in ("penalty", "surcharge")
    }
    values |= {
        "penalty": rules.penalty if punishes else 1.0,
        "surcharge": rules.surcharge if punishes else 0.0,
    }
    return FeeRates(**{name: jnp.float32(value) for name, value in values.items()})
