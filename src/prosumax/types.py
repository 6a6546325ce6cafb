"""Value types passed between rooms: orders, fills, prices, control requests and energy flows.

Arrays have the homes on their last axis, named `home`. A plain call handles one community in one
step; `vmap` and `scan` add batch and time axes in front. Energy is in kWh per step, power in kW,
money in the currency of the tariff.
"""

from typing import NamedTuple

from jaxtyping import Array, Float, Int

NO_PREFERENCE = -1
"""Value of `Orders.partner` without a preferred partner."""

GRID_ONLY = -2
"""Value of `Orders.partner` for trade with the supplier only."""


class Orders(NamedTuple):
    """One open order per home.

    Attributes:
        quantity_kwh: Ordered energy; positive buys, negative sells, zero submits no order.
        price: Limit price per kWh: maximum for a buyer, minimum for a seller.
        partner: Index of the preferred home, `NO_PREFERENCE` or `GRID_ONLY`.
        priority: Reputation in [0, 1]; mechanisms that rank by it serve higher values first.
        arrival: Arrival time as a fraction of the step, for mechanisms with time priority.
    """

    quantity_kwh: Float[Array, " home"]
    price: Float[Array, " home"]
    partner: Int[Array, " home"]
    priority: Float[Array, " home"]
    arrival: Float[Array, " home"]

    @property
    def buy_kwh(self) -> Float[Array, " home"]:
        """Open purchases, >= 0."""
        return self.quantity_kwh.clip(min=0)

    @property
    def sell_kwh(self) -> Float[Array, " home"]:
        """Open sales, >= 0."""
        return (-self.quantity_kwh).clip(min=0)


class Trades(NamedTuple):
    """Bilateral trades in a fixed number of slots; unused slots have zero energy.

    The two prices differ only in mechanisms that keep or add money.

    Attributes:
        buyer: Index of the buying home.
        seller: Index of the selling home.
        kwh: Traded energy, >= 0.
        buyer_price: Price per kWh that the buyer pays.
        seller_price: Price per kWh that the seller receives.
    """

    buyer: Int[Array, " slot"]
    seller: Int[Array, " slot"]
    kwh: Float[Array, " slot"]
    buyer_price: Float[Array, " slot"]
    seller_price: Float[Array, " slot"]


class PoolTrades(NamedTuple):
    """Energy that each home traded through common pools, without a bilateral counterparty.

    Attributes:
        kwh: Energy bought plus energy sold, >= 0.
        value: Half of payment plus revenue for that energy, >= 0.
    """

    kwh: Float[Array, " home"]
    value: Float[Array, " home"]


class Fills(NamedTuple):
    """Energy and money that a market stage traded for each home.

    Attributes:
        bought_kwh: Bought energy, >= 0.
        sold_kwh: Sold energy, >= 0.
        paid: Payment for the bought energy; negative only at negative prices.
        earned: Revenue from the sold energy; negative only at negative prices.
        trades: Bilateral trades behind the fills; None where energy went through a common pool.
        pooled: Part that went through pools, after all stages; None without a pool.
    """

    bought_kwh: Float[Array, " home"]
    sold_kwh: Float[Array, " home"]
    paid: Float[Array, " home"]
    earned: Float[Array, " home"]
    trades: Trades | None = None
    pooled: PoolTrades | None = None


class PostedPrices(NamedTuple):
    """Prices per kWh for local trade, posted before homes act, nearest market level first.

    Attributes:
        buy: Price that a home pays.
        sell: Price that a home receives, at most `buy`.
    """

    buy: Float[Array, "level home"]
    sell: Float[Array, "level home"]


class Prices(NamedTuple):
    """Prices per kWh outside the local market in one step, the alternative to any local trade.

    Attributes:
        retail: All-in price of a kWh from the supplier (energy, network, levies, VAT).
        feed_in: Price that the supplier pays for a kWh exported to the grid.
        local_grid_fee: Network charges, levies and VAT due on a locally bought kWh.
        posted: Prices posted by price agents or rules; None in markets without posted prices.
    """

    retail: Float[Array, " home"]
    feed_in: Float[Array, " home"]
    local_grid_fee: Float[Array, " home"]
    posted: PostedPrices | None = None

    @property
    def reservation_price(self) -> Float[Array, " home"]:
        """Maximum price at which a local purchase does not cost more than the supplier."""
        return self.retail - self.local_grid_fee


class LevelFlows(NamedTuple):
    """Trade of each home at each local level of a market hierarchy in one step.

    Attributes:
        import_kwh: Energy bought at the level, >= 0: E^imp of levels 1 and 2 in MAHTM.
        export_kwh: Energy sold at the level, >= 0: E^exp of levels 1 and 2 in MAHTM.
        paid: Payment for the bought energy.
        earned: Revenue from the sold energy.
        prices: Posted prices of the step.
    """

    import_kwh: Float[Array, "level home"]
    export_kwh: Float[Array, "level home"]
    paid: Float[Array, "level home"]
    earned: Float[Array, "level home"]
    prices: PostedPrices


class DeviceRequests(NamedTuple):
    """Requested power of the flexible devices in one step; None for a kind that no home has.

    Attributes:
        ev_kw: AC power at the charger; positive charges, negative discharges where V2G is allowed.
        space_heating_kw: Electric power of the heat pump for space heating, >= 0.
        hot_water_kw: Electric power of the heat pump for hot water, >= 0.
        appliance_start: Start signal of each waiting appliance; values above 0 start it.
    """

    ev_kw: Float[Array, " home"] | None = None
    space_heating_kw: Float[Array, " home"] | None = None
    hot_water_kw: Float[Array, " home"] | None = None
    appliance_start: Float[Array, "home appliance"] | None = None


class Dispatch(NamedTuple):
    """Action that controls the devices of each home; the market trades the resulting net load.

    Attributes:
        battery_kw: Requested battery power, limited to the feasible range; positive charges.
        price: Limit price per kWh of the resulting order; NaN bids truthfully.
        partner: Index of the preferred home, `NO_PREFERENCE` or `GRID_ONLY`.
        devices: Requests to the flexible devices; None applies their default control.
    """

    battery_kw: Float[Array, " home"]
    price: Float[Array, " home"]
    partner: Int[Array, " home"]
    devices: DeviceRequests | None = None


class Bid(NamedTuple):
    """Action that orders energy for each home; the battery covers the difference to the net load.

    Attributes:
        quantity_kwh: Ordered energy, limited to the feasible range; positive buys, negative sells.
        price: Limit price per kWh; NaN bids truthfully.
        partner: Index of the preferred home, `NO_PREFERENCE` or `GRID_ONLY`.
    """

    quantity_kwh: Float[Array, " home"]
    price: Float[Array, " home"]
    partner: Int[Array, " home"]


Action = Dispatch | Bid
"""Actions of all homes in the two action modes of the environment."""


class EVFlow(NamedTuple):
    """Energy of an electric vehicle in one step, kWh, all >= 0.

    `stored_after = stored_before + charge - discharge - loss - driven` holds for every home.

    Attributes:
        charge_kwh: Energy drawn at the AC side of the charger.
        discharge_kwh: Energy returned at the AC side of the charger.
        loss_kwh: Losses in charger and battery.
        driven_kwh: Energy used by trips.
        unserved_kwh: Trip energy that the battery could not provide, charged on the road.
        departure_shortfall_kwh: Energy missing to the required charge in the step before departure.
        stored_kwh: Energy in the battery after the step.
    """

    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    loss_kwh: Float[Array, " home"]
    driven_kwh: Float[Array, " home"]
    unserved_kwh: Float[Array, " home"]
    departure_shortfall_kwh: Float[Array, " home"]
    stored_kwh: Float[Array, " home"]


class HeatPumpFlow(NamedTuple):
    """Energy of a heat pump, the building and the hot-water tank in one step, kWh.

    The balances are `electricity + ambient heat = space heat + tank heat`; for the building, the
    change of stored heat is `space heat + heat gain - vented - building loss`; for the tank it is
    `tank heat - hot water - tank loss`. Losses are negative where the surroundings are warmer.

    Attributes:
        space_heating_electricity_kwh: Electricity of the heat pump for space heating.
        hot_water_electricity_kwh: Electricity of the heat pump for hot water.
        ambient_heat_kwh: Heat extracted from the outdoor air.
        space_heat_kwh: Heat delivered to the rooms.
        tank_heat_kwh: Heat delivered to the tank.
        heat_gain_kwh: Solar and internal heat gains.
        vented_kwh: Part of the gains that is shaded or vented to prevent overheating.
        building_loss_kwh: Heat loss of the building to the outside.
        tank_loss_kwh: Heat loss of the tank to its room.
        hot_water_kwh: Heat drawn as hot water.
        unserved_kwh: Hot-water demand that was not warm enough.
        underheating_kh: Kelvin-hours below the comfort band at the end of the step.
        overheating_kh: Kelvin-hours above the comfort band at the end of the step.
        indoor_c: Indoor temperature after the step, degrees Celsius.
        tank_c: Tank temperature after the step, degrees Celsius.
    """

    space_heating_electricity_kwh: Float[Array, " home"]
    hot_water_electricity_kwh: Float[Array, " home"]
    ambient_heat_kwh: Float[Array, " home"]
    space_heat_kwh: Float[Array, " home"]
    tank_heat_kwh: Float[Array, " home"]
    heat_gain_kwh: Float[Array, " home"]
    vented_kwh: Float[Array, " home"]
    building_loss_kwh: Float[Array, " home"]
    tank_loss_kwh: Float[Array, " home"]
    hot_water_kwh: Float[Array, " home"]
    unserved_kwh: Float[Array, " home"]
    underheating_kh: Float[Array, " home"]
    overheating_kh: Float[Array, " home"]
    indoor_c: Float[Array, " home"]
    tank_c: Float[Array, " home"]


class ApplianceFlow(NamedTuple):
    """Energy and state of the deferrable appliances in one step.

    Attributes:
        consumption_kwh: Electricity of each appliance.
        unserved_kwh: Energy of runs that missed their deadline and are dropped.
        waiting: 1 where a run waits after the step, else 0.
    """

    consumption_kwh: Float[Array, "home appliance"]
    unserved_kwh: Float[Array, "home appliance"]
    waiting: Float[Array, "home appliance"]


class DeviceFlows(NamedTuple):
    """Flows of the flexible devices of all homes in one step; None for a kind that no home has."""

    ev: EVFlow | None = None
    heat_pump: HeatPumpFlow | None = None
    appliances: ApplianceFlow | None = None


class Flows(NamedTuple):
    """Energy at the AC bus of each home in one step, kWh, all >= 0.

    `load + charge + export + curtailed = solar + discharge + EV discharge + import` holds by
    construction of the meter.

    Attributes:
        load_kwh: Consumption of the home, including flexible devices and EV charging.
        solar_kwh: PV generation before curtailment.
        charge_kwh: Battery charge at the AC side.
        discharge_kwh: Battery discharge at the AC side.
        battery_loss_kwh: Battery losses, so that
            `stored_after = stored_before + charge - discharge - loss`.
        stored_kwh: Energy in the battery after the step.
        import_kwh: Energy imported at the meter.
        export_kwh: Energy exported at the meter.
        curtailed_kwh: PV generation curtailed by the network operator.
        devices: Flows of the flexible devices; None where no home has any.
        capacity_loss_kwh: Battery capacity lost in the step; None without battery aging.
        battery_life_used: Share of the battery life used in the step; None without battery aging.
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
    capacity_loss_kwh: Float[Array, " home"] | None = None
    battery_life_used: Float[Array, " home"] | None = None

    @property
    def net_kwh(self) -> Float[Array, " home"]:
        """Net load at the meter; positive imports."""
        return self.import_kwh - self.export_kwh

    @property
    def storage_discharge_kwh(self) -> Float[Array, " home"]:
        """Energy that battery and EV deliver to the home."""
        ev = None if self.devices is None else self.devices.ev
        return self.discharge_kwh if ev is None else self.discharge_kwh + ev.discharge_kwh

    def grid_kwh(self, local: Fills) -> Float[Array, " home"]:
        """Compute the net energy traded with the grid beyond local trade; positive buys.

        A home may sell locally and cover its own load from the grid in the same step.

        Args:
            local: Local trade of each home.
        """
        return self.net_kwh - local.bought_kwh + local.sold_kwh
