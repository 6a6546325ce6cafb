"""Fees of the distribution system operator (DSO), and its memory of overloads.

The fees are the six terms of MARLEM, equation 4, each a share of the value of a trade.
Where the paper and its released code differ, this module follows the paper; where the paper leaves
a term open, the docstring says how it is completed. Unlike in the released code the fees are paid:
they are on the bills of both parties, and the operator's revenue.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from prosumax.numerics import SMALL

FEE_TERMS = ("congestion", "usage", "imbalance", "voltage", "thermal", "zone")
"""Names of the fee terms in the order of equation 4; penalties are part of the congestion term."""

# Weight of the latest step in the stress that an adaptive operator remembers: about ten steps.
_STRESS_WEIGHT = 0.1


class FeeRates(NamedTuple):
    """Factors and thresholds of equation 4; `prosumax.scenario.OperatorConfig` has the defaults.

    Attributes:
        congestion: Factor f_cong (4a).
        usage: Factor of the value of lost energy (F_trans).
        imbalance: Factor f_imb (4b).
        voltage: Factor f_volt per km (4f).
        zone: Bonus f_zone inside a zone (4e).
        cross_zone: Charge between zones (4e).
        congestion_threshold: Loading from which the congestion fee applies.
        voltage_threshold: Maximum of the voltage fee (4c).
        thermal_threshold: Loading from which the thermal fee applies, and its maximum (4d, 4g).
        penalty: Factor on the congestion fee in a step with intervention.
        surcharge: Further share of the value in a step with intervention.
    """

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


class PathProperties(NamedTuple):
    """Properties of the path between two places.

    Attributes:
        max_loading: Loading of the most loaded branch (congestion, equation 15).
        distance_km: Length.
        loss_share: Share of the energy that is lost (equation 14).
    """

    max_loading: Float[Array, " transfer"]
    distance_km: Float[Array, " transfer"]
    loss_share: Float[Array, " transfer"]


class LocalTradeFees(NamedTuple):
    """Fee terms on local trades; see `local_trade_fees`."""

    congestion: Float[Array, " transfer"]
    usage: Float[Array, " transfer"]
    voltage: Float[Array, " transfer"]
    thermal: Float[Array, " transfer"]
    zone: Float[Array, " transfer"]


def local_trade_fees(
    rates: FeeRates,
    value: Float[Array, " transfer"],
    path: PathProperties,
    zone: Float[Array, "*transfer"],
    threshold: Float[Array, ""],
    intervenes: Bool[Array, ""],
) -> LocalTradeFees:
    """Compute the operator's fees on energy between homes, by term; a bonus is negative.

    * Congestion (4a): f_cong (C - threshold) value, where the most loaded branch has the loading C
      above the threshold; C counts up to 1. In a step with intervention it is multiplied by
      `penalty`, and `surcharge` of the value is added.
    * Usage: the paper names F_trans, "usage per unit of distance", without an equation, and says
      that losses are part of the fees. Here it is `usage` times the value of the energy lost on
      the path (equation 14).
    * Voltage (4c, 4f): min(f_volt d, threshold) value.
    * Thermal (4d, 4g): min((C - T) / (1 - T), T) value where C > T, with the thermal threshold T;
      the paper leaves the cap f_threshold open.
    * Zone (4e): a share of the value, see `zone_rate`.

    The tariff already charges for the network on energy from the supplier, which only pays the
    imbalance term.

    Args:
        rates: Factors and thresholds.
        value: Money for the energy, >= 0 (a negative price carries no fee).
        path: Properties of the path between both ends.
        zone: `zone_rate` of both ends; zero for pools.
        threshold: Congestion threshold of this step.
        intervenes: Whether the operator intervenes in this step.

    References:
        MARLEM, equation 4 with its terms 4a to 4g.
    """
    loading = jnp.minimum(path.max_loading, 1.0)
    excess = jnp.maximum(loading - threshold, 0.0)
    is_penalized = intervenes & (loading > threshold)
    heat = (loading - rates.thermal_threshold) / (1.0 - rates.thermal_threshold)
    factor = jnp.where(is_penalized, rates.penalty, 1.0) * rates.congestion
    surcharge = jnp.where(is_penalized, rates.surcharge, 0.0)
    voltage_drop = jnp.minimum(rates.voltage * path.distance_km, rates.voltage_threshold)
    return LocalTradeFees(
        congestion=(factor * excess + surcharge) * value,
        usage=rates.usage * path.loss_share * value,
        voltage=voltage_drop * value,
        thermal=jnp.minimum(jnp.maximum(heat, 0.0), rates.thermal_threshold) * value,
        zone=zone * value,
    )


def zone_rate(rates: FeeRates, same_zone: Bool[Array, " transfer"]) -> Float[Array, " transfer"]:
    """Return the zone fee per value: a bonus inside a zone, a charge between zones (4e).

    Args:
        rates: Factors and thresholds.
        same_zone: Whether both ends are in the same zone.
    """
    return jnp.where(same_zone, -rates.zone, rates.cross_zone)


def imbalance_fee(
    rates: FeeRates,
    kwh: Float[Array, " home"],
    value: Float[Array, " home"],
    balance_kwh: Float[Array, ""],
) -> Float[Array, " home"]:
    """Compute the imbalance fee on trades with the grid side.

    The fee is f_imb |B_impact| value with B_impact = min(q / |B_grid|, 1).

    Args:
        rates: Factors and thresholds.
        kwh: Energy q of each home's trade with the grid side, >= 0.
        value: Money for that energy, >= 0.
        balance_kwh: B_grid (equation 16): exports minus imports of all homes.

    References:
        MARLEM, equations 4b and 4h.
    """
    size = jnp.abs(balance_kwh)
    is_imbalanced = size > SMALL
    impact = jnp.minimum(kwh / jnp.where(is_imbalanced, size, 1.0), 1.0) * is_imbalanced
    return rates.imbalance * impact * value


def update_stress(stress: Float[Array, ""], overloaded: Bool[Array, ""]) -> Float[Array, ""]:
    """Update the recent frequency of overloads after a step.

    Args:
        stress: Frequency before the step, 0 to 1.
        overloaded: Whether a branch was overloaded in the step.
    """
    return (1.0 - _STRESS_WEIGHT) * stress + _STRESS_WEIGHT * overloaded
