"""The network operator (DSO): fees on trades, and what it does when lines are too full.

The fees are the six terms of equation 4 of the MARLEM paper, each a share of the value of a trade. Where the paper and
its released code differ, this follows the paper; where the paper leaves a term open, the docstring says how it is
filled. Unlike in the released code the fees are paid: they are on the bills of the parties, and the operator's income.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

TERMS = ("congestion", "usage", "imbalance", "voltage", "thermal", "zone")
"""Names of the fee terms, in the order of equation 4; a penalty is part of the congestion term."""

_MEMORY = 0.1  # weight of the newest step in what an adaptive operator remembers: about ten steps


class FeeRates(NamedTuple):
    """Factors and thresholds of equation 4; defaults of the paper in `prosumax.scenario.Operator`."""

    congestion: Float[Array, ""]
    usage: Float[Array, ""]
    imbalance: Float[Array, ""]
    voltage: Float[Array, ""]
    zone: Float[Array, ""]
    cross_zone: Float[Array, ""]
    congestion_threshold: Float[Array, ""]
    voltage_threshold: Float[Array, ""]
    thermal_threshold: Float[Array, ""]
    penalty: Float[Array, ""]
    surcharge: Float[Array, ""]


class Way(NamedTuple):
    """What energy meets between two places.

    Attributes:
        congestion: loading of the fullest line.
        distance_km: length.
        lost_share: part that is lost (equation 14).
    """

    congestion: Float[Array, " transfer"]
    distance_km: Float[Array, " transfer"]
    lost_share: Float[Array, " transfer"]


class LocalFees(NamedTuple):
    """The terms that local trades pay, each [transfer]."""

    congestion: Float[Array, " transfer"]
    usage: Float[Array, " transfer"]
    voltage: Float[Array, " transfer"]
    thermal: Float[Array, " transfer"]
    zone: Float[Array, " transfer"]


def local_fees(
    rates: FeeRates,
    value: Float[Array, " transfer"],
    way: Way,
    zone: Float[Array, "*transfer"],
    threshold: Float[Array, ""],
    intervenes: Bool[Array, ""],
) -> LocalFees:
    """What the operator charges for energy between homes, by term; a bonus is negative.

    * Congestion (4a): f_cong (C - threshold) value where the fullest line on the way is loaded to C over the threshold;
      C counts up to 1. In a step with intervention times `penalty`, plus `surcharge` of the value.
    * Usage: the paper names F_trans, "usage per unit of distance", without an equation, and says that losses are part
      of the fees. Here it is `usage` times the value of what is lost on the way (equation 14).
    * Voltage (4c, 4f): min(f_volt d, threshold) value.
    * Thermal (4d, 4g): min((C - T) / (1 - T), T) value where C > T, T being the thermal threshold; the paper leaves
      the cap f_threshold open.
    * Zone (4e): a share of the value, see `zone_rate`.

    The tariff already charges for the network on what the supplier sells, which pays the imbalance term only.

    Arguments:
        rates: factors and thresholds.
        value: money for the energy, >= 0 (a negative price carries no fee).
        way: between the two ends.
        zone: `zone_rate` of the two ends; zero for pools.
        threshold: congestion threshold that holds in this step.
        intervenes: whether the operator acts in this step.

    Source: the MARLEM paper, equations 4 and 4a to 4g.
    """
    full = jnp.minimum(way.congestion, 1.0)
    over = jnp.maximum(full - threshold, 0.0)
    punished = intervenes & (full > threshold)
    heat = jnp.maximum((full - rates.thermal_threshold) / (1.0 - rates.thermal_threshold), 0.0)
    factor = jnp.where(punished, rates.penalty, 1.0) * rates.congestion
    return LocalFees(
        congestion=(factor * over + jnp.where(punished, rates.surcharge, 0.0)) * value,
        usage=rates.usage * way.lost_share * value,
        voltage=jnp.minimum(rates.voltage * way.distance_km, rates.voltage_threshold) * value,
        thermal=jnp.minimum(heat, rates.thermal_threshold) * value,
        zone=zone * value,
    )


def zone_rate(rates: FeeRates, same_zone: Bool[Array, " transfer"]) -> Float[Array, " transfer"]:
    """A bonus of f_zone of the value inside a zone, a charge of `cross_zone` between zones (equation 4e)."""
    return jnp.where(same_zone, -rates.zone, rates.cross_zone)


def imbalance_fee(
    rates: FeeRates,
    kwh: Float[Array, " home"],
    value: Float[Array, " home"],
    balance_kwh: Float[Array, ""],
) -> Float[Array, " home"]:
    """f_imb |B_impact| value, B_impact = min(q / |B_grid|, 1), on trades with the grid side.

    Arguments:
        rates: factors.
        kwh, value: of each home's trade with the grid side, both >= 0.
        balance_kwh: B_grid (equation 16): exported minus imported by all homes together.

    Source: the MARLEM paper, equations 4b and 4h.
    """
    size = jnp.abs(balance_kwh)
    impact = jnp.minimum(kwh / jnp.where(size > 1e-9, size, 1.0), 1.0) * (size > 1e-9)
    return rates.imbalance * impact * value


def remembered(stress: Float[Array, ""], overloaded: Bool[Array, ""]) -> Float[Array, ""]:
    """How often lines were overloaded lately, 0 to 1, after one more step."""
    return (1.0 - _MEMORY) * stress + _MEMORY * overloaded
