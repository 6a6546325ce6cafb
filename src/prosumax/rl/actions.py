"""From numbers that learners put out to what homes do."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax import devices
from prosumax.devices import flexible
from prosumax.rl.types import EnvParams, EnvState
from prosumax.types import ANYONE, GRID, Bid, Dispatch

SELL, BUY = 0, 1
"""Values of the side of an order."""


class RawBid(NamedTuple):
    """A bid with its two discrete parts as such.

    Attributes:
        price: between the bounds, 0 to 1.
        quantity: of the greatest order, 0 to 1; what the home cannot deliver or take is cut.
        side: `SELL` or `BUY`.
        partner: 0 to N-1 a home (itself: nobody), N the grid side, N + 1 no preference.
    """

    price: Float[Array, " home"]
    quantity: Float[Array, " home"]
    side: Int[Array, " home"]
    partner: Int[Array, " home"]


class WithPrices(NamedTuple):
    """What homes do, and what price agents announce for the next step.

    Attributes:
        homes: their actions, in the environment's style.
        shares: of the band, 0 to 1, as in `market.Posted`; below 0 the rule of `market.price_policy` sets the price.
    """

    homes: Any
    shares: Float[Array, "agent 2"]


class BidMask(NamedTuple):
    """Which discrete parts make sense: a side on which there is anything to trade, and partners but oneself."""

    side: Bool[Array, "home 2"]
    partner: Bool[Array, "home choice"]


def decode_bid(raw: Float[Array, "home 4"] | RawBid, params: EnvParams) -> Bid:
    """A bid in energy and money (MARLEM equation 1, section 3.2.3: clipped to the market's bounds).

    Arguments:
        raw: with its parts, or as one Box: price, quantity, side (above one half buys), partner (N + 2 equal slices).
        params: bounds of prices and quantities.
    """
    if not isinstance(raw, RawBid):
        homes = raw.shape[0]
        slot = jnp.floor(raw[:, 3] * (homes + 2)).astype(jnp.int32)
        raw = RawBid(
            raw[:, 0], raw[:, 1], (raw[:, 2] > 0.5).astype(jnp.int32), jnp.clip(slot, 0, homes + 1)
        )
    homes, scales = raw.price.shape[0], params.scales
    own = jnp.arange(homes, dtype=raw.partner.dtype)
    partner = jnp.where(
        raw.partner == homes, GRID, jnp.where(raw.partner > homes, ANYONE, raw.partner)
    )
    quantity = jnp.clip(raw.quantity, 0.0, 1.0) * scales.energy_kwh
    return Bid(
        quantity_kwh=jnp.where(raw.side == BUY, quantity, -quantity),
        price=scales.lowest_price
        + jnp.clip(raw.price, 0.0, 1.0) * (scales.price - scales.lowest_price),
        partner=jnp.where(partner == own, ANYONE, partner).astype(jnp.int32),
    )


def decode_power(raw: Float[Array, "home slot"], params: EnvParams) -> Dispatch:
    """A power of every device from a number between -1 (full discharge) and 1 (full charge), bids truthful.

    The first slot is the battery; the others, where there are flexible devices, are those of
    `household.devices.slot_names`.
    """
    homes, share = params.community.homes, jnp.clip(raw, -1.0, 1.0)
    limit = jnp.where(share[:, 0] >= 0, homes.battery.charge_kw, homes.battery.discharge_kw)
    power = share[:, 0] * limit
    asked = None if homes.devices is None else flexible.requests_of(homes.devices, share[:, 1:])
    return Dispatch(
        power, jnp.full(power.shape, jnp.nan), jnp.full(power.shape, ANYONE, jnp.int32), asked
    )


def decode_level(
    raw: Int[Array, " home"] | Int[Array, "home slot"], levels: int, reach: float, params: EnvParams
) -> Dispatch:
    """The same from one of `levels` powers, evenly from full discharge to full charge (MAHTM has 40, without a zero).

    An odd number of levels has the true zero in its middle. With a reach above 1 the outermost ones do the same.
    """
    share = reach * (2.0 * raw.astype(jnp.float32) / (levels - 1) - 1.0)
    return decode_power(share[:, None] if share.ndim == 1 else share, params)


def device_mask(params: EnvParams) -> Bool[Array, "home slot"]:
    """Which slots of a dispatch there is a device behind."""
    homes = params.community.homes
    battery = (homes.battery.capacity_kwh > 0)[:, None]
    if homes.devices is None:
        return battery
    return jnp.concatenate([battery, flexible.steered(homes.devices)], axis=1)


def feasible(
    params: EnvParams, state: EnvState
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """The most each home can sell and buy in the coming step, kWh (MARLEM equations 11a, 11b)."""
    community, homes = params.community, state.community.homes
    load = state.load_kwh + usual_kwh(params, state)
    return devices.feasible(community.homes, homes, load, state.solar_kwh, community.step_hours)


def usual_kwh(params: EnvParams, state: EnvState) -> Float[Array, " home"] | float:
    """What flexible devices draw in the coming step if nobody steers them; 0 without any."""
    series, at = params.community.series.devices, state.start + state.time
    if series is None:
        return 0.0
    now = jax.tree.map(lambda leaf: leaf[jnp.minimum(at, leaf.shape[0] - 1)], series)
    return devices.usual_kwh(
        params.community.homes, state.community.homes, now, params.community.step_hours
    )


def bid_mask(params: EnvParams, state: EnvState) -> BidMask:
    """What a home can meaningfully choose in the coming step."""
    sold, bought = feasible(params, state)
    homes = sold.shape[0]
    side = jnp.stack([sold > 0, bought > 0], axis=1)
    # A home with nothing to trade may do either: it will not matter.
    side = side | ~side.any(1, keepdims=True)
    others = ~jnp.eye(homes, homes + 2, dtype=bool)
    return BidMask(side, others)
