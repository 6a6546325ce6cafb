"""The small values that pass between the rooms: orders, fills, prices, meters.

Every array has the homes on its last axis (`home`); a plain call is one community in one step, `vmap` and `scan` add
the batch and time axes. Energy is in kWh per step, money in the currency of the tariff.
"""

from typing import NamedTuple

from jaxtyping import Array, Float, Int

ANYONE, GRID = -1, -2
"""Values of `Orders.partner` for a home without preference, and for one that wants the supplier only."""


class Orders(NamedTuple):
    """One open order per home.

    Attributes:
        quantity_kwh: what the home wants; positive buys, negative sells, zero stays out.
        price: limit price per kWh: the most a buyer pays, the least a seller takes.
        partner: index of the neighbour it would rather trade with, or `ANYONE`, or `GRID`.
        priority: reputation between 0 and 1; where a rule ranks by it, higher goes first.
        arrival: when the order came in, between 0 and 1 of the step; for rules in which time matters.
    """

    quantity_kwh: Float[Array, " home"]
    price: Float[Array, " home"]
    partner: Int[Array, " home"]
    priority: Float[Array, " home"]
    arrival: Float[Array, " home"]

    @property
    def buy_kwh(self) -> Float[Array, " home"]:
        """Open purchase, >= 0."""
        return self.quantity_kwh.clip(min=0)

    @property
    def sell_kwh(self) -> Float[Array, " home"]:
        """Open sale, >= 0."""
        return (-self.quantity_kwh).clip(min=0)


class Trades(NamedTuple):
    """Who traded with whom: a fixed number of slots, empty ones with zero energy.

    The two prices differ only where a mechanism keeps or adds money.
    """

    buyer: Int[Array, " slot"]
    seller: Int[Array, " slot"]
    kwh: Float[Array, " slot"]
    buyer_price: Float[Array, " slot"]
    seller_price: Float[Array, " slot"]


class Pooled(NamedTuple):
    """What each home moved through common pools: energy, and half of the money for it, both >= 0."""

    kwh: Float[Array, " home"]
    value: Float[Array, " home"]


class Fills(NamedTuple):
    """What a stage traded for each home.

    Attributes:
        bought_kwh, sold_kwh: energy, >= 0.
        paid, earned: money for that energy; >= 0 unless a price is negative.
        trades: the bilateral trades behind it; None where energy went through a common pool.
        pooled: the part that went through pools, after a cascade; None where there is no pool.
    """

    bought_kwh: Float[Array, " home"]
    sold_kwh: Float[Array, " home"]
    paid: Float[Array, " home"]
    earned: Float[Array, " home"]
    trades: Trades | None = None
    pooled: Pooled | None = None


class Prices(NamedTuple):
    """What the outside world offers a home in this step, per kWh; the alternative to every local trade.

    Attributes:
        retail: all-in price of a kWh from the supplier (energy, network, levies, VAT).
        feed_in: what the supplier pays for a kWh sent to the grid.
        local_charges: network, levies and VAT still due on a kWh bought from a neighbour.
    """

    retail: Float[Array, " home"]
    feed_in: Float[Array, " home"]
    local_charges: Float[Array, " home"]

    @property
    def worth_buying(self) -> Float[Array, " home"]:
        """What a kWh from a neighbour saves the buyer: the truthful bid."""
        return self.retail - self.local_charges


class Dispatch(NamedTuple):
    """What every home decides in a step when it steers its battery and trades what is left over.

    Attributes:
        battery_kw: power asked of the battery, positive charges; limited to what it can do.
        price: limit price per kWh of the order that results, whichever side it is on; NaN tells the truth.
        partner: index of the neighbour it would rather trade with, or `ANYONE`, or `GRID`.
    """

    battery_kw: Float[Array, " home"]
    price: Float[Array, " home"]
    partner: Int[Array, " home"]


class Bid(NamedTuple):
    """What every home decides in a step when it names what it trades, and its battery covers the difference.

    Attributes:
        quantity_kwh: what it orders; positive buys, negative sells; limited to what it can deliver or take.
        price: limit price per kWh; NaN tells the truth.
        partner: as in `Dispatch`.
    """

    quantity_kwh: Float[Array, " home"]
    price: Float[Array, " home"]
    partner: Int[Array, " home"]


Action = Dispatch | Bid
"""The two control styles of an environment."""


class Flows(NamedTuple):
    """Energy through one home in one step, kWh at the home's AC bus, all >= 0.

    `load + charge + export + curtailed = solar + discharge + import` holds by construction of the meter;
    `curtailed` is solar energy that the network operator did not let out;
    `stored` is inside the battery, so `stored_after = stored_before + charge - discharge - loss`.
    """

    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    battery_loss_kwh: Float[Array, " home"]
    stored_kwh: Float[Array, " home"]
    import_kwh: Float[Array, " home"]
    export_kwh: Float[Array, " home"]
    curtailed_kwh: Float[Array, " home"]

    @property
    def net_kwh(self) -> Float[Array, " home"]:
        """Positive when the home's meter imports."""
        return self.import_kwh - self.export_kwh
