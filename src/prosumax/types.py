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


class Announced(NamedTuple):
    """What price agents announced before homes acted, per local kWh; the nearest level first.

    Attributes:
        buy: what each home pays.
        sell: what each home earns, at most that.
    """

    buy: Float[Array, "level home"]
    sell: Float[Array, "level home"]


class Prices(NamedTuple):
    """What the outside world offers a home in this step, per kWh; the alternative to every local trade.

    Attributes:
        retail: all-in price of a kWh from the supplier (energy, network, levies, VAT).
        feed_in: what the supplier pays for a kWh sent to the grid.
        local_charges: network, levies and VAT still due on a kWh bought from a neighbour.
        announced: by price agents, for local trade; None where there are none.
    """

    retail: Float[Array, " home"]
    feed_in: Float[Array, " home"]
    local_charges: Float[Array, " home"]
    announced: Announced | None = None

    @property
    def reservation_price(self) -> Float[Array, " home"]:
        """What a kWh from a neighbour saves the buyer: the truthful bid."""
        return self.retail - self.local_charges


class LevelFlows(NamedTuple):
    """What homes traded at each local level of a hierarchy in a step; energy in kWh, all >= 0.

    Attributes:
        import_kwh, export_kwh: MAHTM's E^imp and E^exp of level 1 (and 2); what is left is level 3, the grid.
        paid, earned: money for it.
        prices: as announced.
    """

    import_kwh: Float[Array, "level home"]
    export_kwh: Float[Array, "level home"]
    paid: Float[Array, "level home"]
    earned: Float[Array, "level home"]
    prices: Announced


class Requests(NamedTuple):
    """What is asked of the flexible devices in a step; a kind of device that no home has is None.

    Attributes:
        car_kw: AC power at the charger, positive charges; negative gives back where the car allows it.
        heat_kw, water_kw: electric power of the heat pump for the rooms and for the hot water, >= 0.
        start: whether to start each appliance that is waiting; more than 0 does.
    """

    car_kw: Float[Array, " home"] | None = None
    heat_kw: Float[Array, " home"] | None = None
    water_kw: Float[Array, " home"] | None = None
    start: Float[Array, "home appliance"] | None = None


class Dispatch(NamedTuple):
    """What every home decides in a step when it steers its devices and trades what is left over.

    Attributes:
        battery_kw: power asked of the battery, positive charges; limited to what it can do.
        price: limit price per kWh of the order that results, whichever side it is on; NaN tells the truth.
        partner: index of the neighbour it would rather trade with, or `ANYONE`, or `GRID`.
        devices: asked of cars, heat pumps and appliances; None leaves them to their habits.
    """

    battery_kw: Float[Array, " home"]
    price: Float[Array, " home"]
    partner: Int[Array, " home"]
    devices: Requests | None = None


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


class CarFlow(NamedTuple):
    """A car in one step, kWh, all >= 0; `stored` is inside its battery after the step.

    `stored_after = stored_before + charge - discharge - loss - driven`.

    Attributes:
        charge_kwh, discharge_kwh: at the charger's AC side.
        loss_kwh: lost in charger and battery.
        driven_kwh: taken by trips.
        unserved_kwh: of trips that the battery could not give; charged on the road.
        short_kwh: missing to the charge required at departure, in the last step before it.
        stored_kwh: after the step.
    """

    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    loss_kwh: Float[Array, " home"]
    driven_kwh: Float[Array, " home"]
    unserved_kwh: Float[Array, " home"]
    short_kwh: Float[Array, " home"]
    stored_kwh: Float[Array, " home"]


class HeatFlow(NamedTuple):
    """A heat pump, the building and the hot-water tank in one step.

    Energy in kWh; `electricity + ambient = heat + water_heat`, the change of the building's heat is
    `heat + gain - vented - building_loss`, that of the tank's `water_heat - drawn - tank_loss`. The losses are negative
    where the outside is warmer.

    Attributes:
        heat_electricity_kwh, water_electricity_kwh: what the heat pump draws for the rooms and for the water.
        ambient_kwh: taken from the outdoor air.
        heat_kwh, water_heat_kwh: given to the rooms and to the tank.
        gain_kwh: heat from sun, people and appliances.
        vented_kwh: the part of it that is kept or let out, where it would be too warm.
        building_loss_kwh, tank_loss_kwh: to the outside, and to the room where the tank stands.
        drawn_kwh: hot water used.
        unserved_kwh: hot water that was wanted and not warm enough.
        too_cold_kh, too_warm_kh: kelvins outside the comfort band at the end of the step, times its hours.
        indoor_c, tank_c: temperatures after the step.
    """

    heat_electricity_kwh: Float[Array, " home"]
    water_electricity_kwh: Float[Array, " home"]
    ambient_kwh: Float[Array, " home"]
    heat_kwh: Float[Array, " home"]
    water_heat_kwh: Float[Array, " home"]
    gain_kwh: Float[Array, " home"]
    vented_kwh: Float[Array, " home"]
    building_loss_kwh: Float[Array, " home"]
    tank_loss_kwh: Float[Array, " home"]
    drawn_kwh: Float[Array, " home"]
    unserved_kwh: Float[Array, " home"]
    too_cold_kh: Float[Array, " home"]
    too_warm_kh: Float[Array, " home"]
    indoor_c: Float[Array, " home"]
    tank_c: Float[Array, " home"]


class ApplianceFlow(NamedTuple):
    """The deferrable appliances in one step.

    Attributes:
        used_kwh: by each appliance.
        unserved_kwh: of runs that were not started in time and are given up.
        waiting: whether a run waits after the step, 0 or 1.
    """

    used_kwh: Float[Array, "home appliance"]
    unserved_kwh: Float[Array, "home appliance"]
    waiting: Float[Array, "home appliance"]


class DeviceFlows(NamedTuple):
    """The flexible devices of all homes in one step; a kind that no home has is None."""

    car: CarFlow | None = None
    heat: HeatFlow | None = None
    appliances: ApplianceFlow | None = None


class Flows(NamedTuple):
    """Energy through one home in one step, kWh at the home's AC bus, all >= 0.

    `load + charge + export + curtailed = solar + discharge + car's discharge + import` holds by construction of the
    meter; `load` is all that the home uses, its flexible devices included, charging of the car as well;
    `curtailed` is solar energy that the network operator did not let out;
    `stored` is inside the battery, so `stored_after = stored_before + charge - discharge - loss`.
    `devices` is None where no home has any, `worn` (battery capacity lost in the step) and `life_used` (share of the
    battery's life that the step took) where no battery ages.
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
    devices: DeviceFlows | None = None
    worn_kwh: Float[Array, " home"] | None = None
    life_used: Float[Array, " home"] | None = None

    @property
    def net_kwh(self) -> Float[Array, " home"]:
        """Positive when the home's meter imports."""
        return self.import_kwh - self.export_kwh

    @property
    def given_kwh(self) -> Float[Array, " home"]:
        """What battery and car gave to the home."""
        car = None if self.devices is None else self.devices.car
        return self.discharge_kwh if car is None else self.discharge_kwh + car.discharge_kwh
