"""The network operator (DSO): fees on trades, and what it does when lines are too full.

The fees are the six terms of equation 4 of the MARLEM paper, each a share of the value of a trade. Where the paper and
its released code differ, this follows the paper; where the paper leaves a term open, the docstring says how it is
filled. Unlike in the released code the fees are paid: they are on the bills of the parties, and the operator's income.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

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


class Transfers(NamedTuple):
    """Energy that goes from one place to another in a step; places are homes, and their number for the source.

    First the bilateral trades, then each home's share of pools, then each home's trade with the grid side.

    Attributes:
        payer, other: both ends.
        kwh: >= 0.
        value: money for it, >= 0 (a negative price carries no fee).
        payer_share: part of the fee that `payer` pays; `other` pays the rest if it is a home.
        is_local: between homes.
        is_bilateral: with a known partner.
    """

    payer: Int[Array, " transfer"]
    other: Int[Array, " transfer"]
    kwh: Float[Array, " transfer"]
    value: Float[Array, " transfer"]
    payer_share: Float[Array, " transfer"]
    is_local: Bool[Array, " transfer"]
    is_bilateral: Bool[Array, " transfer"]


def fees(
    rates: FeeRates,
    transfers: Transfers,
    congestion: Float[Array, " transfer"],
    lost_share: Float[Array, " transfer"],
    distance_km: Float[Array, " transfer"],
    same_zone: Bool[Array, " transfer"],
    balance_kwh: Float[Array, ""],
    threshold: Float[Array, ""],
    intervenes: Bool[Array, ""],
) -> Float[Array, "term transfer"]:
    """What the operator charges for every transfer, by term; a bonus is negative.

    * Congestion (4a): f_cong (C - threshold) value where the fullest line on the way is loaded to C over the threshold;
      C counts up to 1. In a step with intervention times `penalty`, plus `surcharge` of the value.
    * Usage: the paper names F_trans, "usage per unit of distance", without an equation, and says that losses are part
      of the fees. Here it is `usage` times the value of what is lost on the way (equation 14).
    * Imbalance (4b, 4h): f_imb |B_impact| value, B_impact = min(q / |B_grid|, 1), on trades with the grid side.
    * Voltage (4c, 4f): min(f_volt d, threshold) value.
    * Thermal (4d, 4g): min((C - T) / (1 - T), T) value where C > T, T being the thermal threshold; the paper leaves
      the cap f_threshold open.
    * Zone (4e): a bonus of f_zone of the value inside a zone, a charge of `cross_zone` between zones; pools have none.

    All but the imbalance term are on local trades only: the tariff already charges for the network on what the
    supplier sells.

    Arguments:
        rates: factors and thresholds.
        transfers: of the step.
        congestion, lost_share, distance_km, same_zone: of the way between the two ends.
        balance_kwh: B_grid (equation 16): exported minus imported by all homes together.
        threshold: congestion threshold that holds in this step.
        intervenes: whether the operator acts in this step.

    Source: the MARLEM paper, equations 4 and 4a to 4h.
    """
    value = transfers.value
    full = jnp.minimum(congestion, 1.0)
    over = jnp.maximum(full - threshold, 0.0)
    punished = intervenes & (full > threshold)
    size = jnp.abs(balance_kwh)
    impact = jnp.minimum(transfers.kwh / jnp.where(size > 1e-9, size, 1.0), 1.0) * (size > 1e-9)
    heat = jnp.maximum((full - rates.thermal_threshold) / (1.0 - rates.thermal_threshold), 0.0)
    local = jnp.where(transfers.is_local, value, 0.0)
    zone = jnp.where(same_zone, -rates.zone, rates.cross_zone) * transfers.is_bilateral
    factor = jnp.where(punished, rates.penalty, 1.0) * rates.congestion
    return jnp.stack(
        [
            (factor * over + jnp.where(punished, rates.surcharge, 0.0)) * local,
            rates.usage * lost_share * local,
            rates.imbalance * impact * jnp.where(transfers.is_local, 0.0, value),
            jnp.minimum(rates.voltage * distance_km, rates.voltage_threshold) * local,
            jnp.minimum(heat, rates.thermal_threshold) * local,
            zone * local,
        ]
    )


def remembered(stress: Float[Array, ""], overloaded: Bool[Array, ""]) -> Float[Array, ""]:
    """How often lines were overloaded lately, 0 to 1, after one more step."""
    return (1.0 - _MEMORY) * stress + _MEMORY * overloaded
