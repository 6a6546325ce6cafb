"""Decoding of learners' actions to the decisions of homes, and masks of meaningful actions."""

from collections.abc import Iterable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from prosumax.devices import home
from prosumax.devices.base import AnyDevice, devices, ordered
from prosumax.devices.home import BATTERY, HomeParams
from prosumax.numerics import safe_divide
from prosumax.rl.spaces import Box, Discrete, Product
from prosumax.rl.types import EnvParams, EnvState
from prosumax.simulation.community import inputs_at
from prosumax.types import GRID_ONLY, NO_PREFERENCE, Bid, Dispatch

SELL = 0
"""Side of an order to sell."""

BUY = 1
"""Side of an order to buy."""


class RawBid(NamedTuple):
    """Normalized bids with discrete sides and partners.

    Attributes:
        price: Price between the bounds of bids, in [0, 1].
        quantity: Share of the maximum order, in [0, 1]; the infeasible part is cut.
        side: `SELL` or `BUY`.
        partner: Index of the preferred home (its own index means no preference), N for the grid
            only, N + 1 for no preference, where N is the number of homes.
    """

    price: Float[Array, " home"]
    quantity: Float[Array, " home"]
    side: Int[Array, " home"]
    partner: Int[Array, " home"]


class JointAction(NamedTuple):
    """Actions of the homes, and prices that the price agents post for the next step.

    Attributes:
        homes: Actions of the homes in the action mode of the environment.
        price_shares: Buy and sell price as shares of the price band, in [0, 1], as in
            `market.PricingState`; negative values apply the posted-price rule.
    """

    homes: PyTree
    price_shares: Float[Array, "agent 2"]


class BidMask(NamedTuple):
    """Masks of meaningful discrete parts of bids; True is allowed.

    Attributes:
        side: Sides on which the home has energy to trade.
        partner: Partners other than the home itself.
    """

    side: Bool[Array, "home 2"]
    partner: Bool[Array, "home choice"]


def raw_bid_space(num_homes: int) -> Product:
    """Build the space of one home's `RawBid`.

    Args:
        num_homes: Number of homes in the community.
    """
    share = Box.with_bounds(0.0, 1.0, ())
    # Spaces in place of the arrays.
    return Product(RawBid(share, share, Discrete(2), Discrete(num_homes + 2)))  # type: ignore[arg-type]


def decode_bid(raw: Float[Array, "home 4"] | RawBid, params: EnvParams) -> Bid:
    """Convert normalized bids to energy and money.

    Args:
        raw: Normalized bids, or one box per home with price, quantity, side (above one half buys)
            and partner (N + 2 equal intervals), each in [0, 1].
        params: Parameters with the bounds of prices and quantities.

    References:
        MARLEM, equation 1; section 3.2.3 for clipping to the bounds of the market.
    """
    if not isinstance(raw, RawBid):
        homes = raw.shape[0]
        slot = jnp.floor(raw[:, 3] * (homes + 2)).astype(jnp.int32)
        side = (raw[:, 2] > 0.5).astype(jnp.int32)
        raw = RawBid(raw[:, 0], raw[:, 1], side, jnp.clip(slot, 0, homes + 1))
    homes = raw.price.shape[0]
    scales = params.scales
    own = jnp.arange(homes, dtype=raw.partner.dtype)
    preferred = jnp.where(raw.partner > homes, NO_PREFERENCE, raw.partner)
    partner = jnp.where(raw.partner == homes, GRID_ONLY, preferred)
    quantity = jnp.clip(raw.quantity, 0.0, 1.0) * scales.max_order_kwh
    price_range = scales.max_price - scales.min_price
    return Bid(
        quantity_kwh=jnp.where(raw.side == BUY, quantity, -quantity),
        price=scales.min_price + jnp.clip(raw.price, 0.0, 1.0) * price_range,
        partner=jnp.where(partner == own, NO_PREFERENCE, partner).astype(jnp.int32),
    )


def slot_devices(kinds: Iterable[str]) -> tuple[AnyDevice, ...]:
    """Return the devices in the order of their action slots: the home battery, then the others.

    Args:
        kinds: Kinds of devices in the community.
    """
    others = ordered(dict.fromkeys(kind for kind in kinds if kind != BATTERY))
    return (devices.get(BATTERY, "devices"), *others)


def slot_counts(homes: HomeParams) -> dict[str, int]:
    """Return the number of action slots of each kind of device.

    Args:
        homes: Parameters of the devices.
    """
    limits = {kind: device.slot_limits_kw(homes.devices[kind]) for kind, device in _slots(homes)}
    return {kind: draw_kw.shape[-1] for kind, (draw_kw, _) in limits.items()}


def decode_power(raw: Float[Array, "home slot"], params: EnvParams) -> Dispatch:
    """Convert normalized powers to a dispatch with truthful prices.

    Args:
        raw: Share of the power of each slot of `slot_devices`, between -1 (the largest supply) and
            1 (the largest draw).
        params: Parameters with the device limits.
    """
    homes = params.community.homes
    shares = jnp.clip(raw, -1.0, 1.0)
    requests = {}
    first = 0
    for kind, device in _slots(homes):
        draw_kw, supply_kw = device.slot_limits_kw(homes.devices[kind])
        share = shares[:, first : first + draw_kw.shape[-1]]
        requests[kind] = share * jnp.where(share >= 0, draw_kw, supply_kw)
        first += draw_kw.shape[-1]
    power = requests.pop(BATTERY)[:, 0]
    return Dispatch(
        battery_kw=power,
        price=jnp.full(power.shape, jnp.nan),
        partner=jnp.full(power.shape, NO_PREFERENCE, jnp.int32),
        devices=requests,
    )


def encode_power(dispatch: Dispatch, params: EnvParams) -> Float[Array, "home slot"]:
    """Convert requested powers to shares of the power of each slot, the inverse of `decode_power`.

    Args:
        dispatch: Dispatch with a request to each kind of device in the community.
        params: Parameters with the device limits.
    """
    homes = params.community.homes
    requests = {**(dispatch.devices or {}), BATTERY: dispatch.battery_kw[:, None]}
    shares = []
    for kind, device in _slots(homes):
        draw_kw, supply_kw = device.slot_limits_kw(homes.devices[kind])
        limit_kw = jnp.where(requests[kind] >= 0, draw_kw, supply_kw)
        shares.append(safe_divide(requests[kind], limit_kw))
    return jnp.clip(jnp.concatenate(shares, axis=1), -1.0, 1.0)


def decode_power_level(
    raw: Int[Array, " home"] | Int[Array, "home slot"],
    power_levels: int,
    max_power_fraction: float,
    params: EnvParams,
) -> Dispatch:
    """Convert indices of discrete power levels to a dispatch with truthful prices.

    Levels are evenly spaced from full discharge to full charge; an odd number includes zero. With
    a maximum fraction above 1 the outermost levels are limited to the same power. MAHTM has 40
    levels and therefore no zero.

    Args:
        raw: Index of the power level of each home, or of each slot.
        power_levels: Number of levels.
        max_power_fraction: Outermost level as a fraction of the device power.
        params: Parameters with the device limits.
    """
    share = max_power_fraction * (2.0 * raw.astype(jnp.float32) / (power_levels - 1) - 1.0)
    return decode_power(share[:, None] if share.ndim == 1 else share, params)


def device_mask(params: EnvParams) -> Bool[Array, "home slot"]:
    """Return which slots of a dispatch control a device of the home."""
    homes = params.community.homes
    limits = [device.slot_limits_kw(homes.devices[kind]) for kind, device in _slots(homes)]
    masks = [(draw_kw > 0) | (supply_kw > 0) for draw_kw, supply_kw in limits]
    return jnp.concatenate(masks, axis=1)


def tradable_kwh(
    params: EnvParams, state: EnvState
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute the maximum sale and purchase of each home in the coming step, kWh.

    References:
        MARLEM, equations 11a and 11b.
    """
    community = params.community
    inputs = inputs_at(community.series, state.start_step + state.time)
    load = state.load_kwh + default_devices_kwh(params, state)
    return home.tradable_kwh(
        community.homes,
        state.community.homes,
        load,
        state.solar_kwh,
        community.step_hours,
        inputs.devices,
    )


def default_devices_kwh(params: EnvParams, state: EnvState) -> Float[Array, " home"] | float:
    """Compute the net energy of all devices but the battery under their default control."""
    community = params.community
    inputs = inputs_at(community.series, state.start_step + state.time)
    net_load = state.load_kwh - state.solar_kwh
    return home.default_devices_kwh(
        community.homes, state.community.homes, inputs.devices, net_load, community.step_hours
    )


def bid_mask(params: EnvParams, state: EnvState) -> BidMask:
    """Compute the masks of meaningful sides and partners in the coming step."""
    max_sell, max_buy = tradable_kwh(params, state)
    homes = max_sell.shape[0]
    side = jnp.stack([max_sell > 0, max_buy > 0], axis=1)
    # A home with nothing to trade may choose either side, since its order has zero energy.
    side = side | ~side.any(1, keepdims=True)
    others = ~jnp.eye(homes, homes + 2, dtype=bool)
    return BidMask(side, others)


def _slots(homes: HomeParams) -> list[tuple[str, AnyDevice]]:
    """Return kind and device in the order of the action slots."""
    return [(device.kind, device) for device in slot_devices(homes.devices)]
