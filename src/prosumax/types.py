"""Value types passed between rooms: orders, fills, prices, control requests and energy flows.

Arrays have the homes on their last axis, named `home`. A plain call handles one community in one
step; `vmap` and `scan` add batch and time axes in front. Energy is in kWh per step, power in kW,
money in the currency of the tariff.
"""

from typing import NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int

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


DeviceRequests = dict[str, Float[Array, "*step home _"]]
"""Requested power in kW of each slot, by kind of device; positive draws, negative supplies."""


class Dispatch(NamedTuple):
    """Action that controls the devices of each home; the market trades the resulting net load.

    Attributes:
        battery_kw: Requested battery power, limited to the feasible range; positive charges.
        price: Limit price per kWh of the resulting order; NaN bids truthfully.
        partner: Index of the preferred home, `NO_PREFERENCE` or `GRID_ONLY`.
        devices: Requests to the other devices by kind, kW in each slot of the kind
            (`Device.action_slots`); positive draws. A missing kind follows its default control.
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


EVENTS = "events"
"""Key of the events among the exogenous inputs of devices, which is no kind of device."""


class EventSeries(NamedTuple):
    """Events of a community; parts that no event needs are None or absent.

    Attributes:
        availability: 1 where a kind of device works and 0 where it failed, by kind.
        present: Whether a home is a member; None where every home always is.
        import_kwh: Limit of the import at the connection, infinite without one; None where no home
            has a limit.
        export_kwh: Limit of the export, given wherever `import_kwh` is.
    """

    availability: dict[str, Float[Array, "*step home"]]
    present: Bool[Array, "*step home"] | None = None
    import_kwh: Float[Array, "*step home"] | None = None
    export_kwh: Float[Array, "*step home"] | None = None


class DeviceFlow(eqx.Module):
    """Energy of one kind of device of all homes in one step, kWh.

    Subclasses name the terms of their balance as fields, which have other names than the properties
    below, and derive these properties from them. Then
    `stored_after = stored_before + consumption - supply - released` holds for every home.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        reserved = {name for name, value in vars(DeviceFlow).items() if isinstance(value, property)}
        for name in sorted(reserved & set(cls.__annotations__)):
            raise TypeError(f"{cls.__name__}.{name} is a property of DeviceFlow. Rename the field.")

    @property
    def consumption_kwh(self) -> Float[Array, " home"]:
        """Energy drawn at the AC bus of the home, >= 0."""
        raise NotImplementedError

    @property
    def supply_kwh(self) -> Float[Array, " home"]:
        """Energy delivered to the AC bus of the home, >= 0; zero unless overridden."""
        return 0.0 * self.consumption_kwh

    @property
    def released_kwh(self) -> Float[Array, " home"]:
        """Energy that left the device by losses and use, less energy gained from elsewhere.

        The default is a device without storage, which uses what it draws.
        """
        return self.consumption_kwh - self.supply_kwh

    @property
    def total_unserved_kwh(self) -> Float[Array, " home"]:
        """Requested service that was not delivered, >= 0; zero unless overridden."""
        return 0.0 * self.consumption_kwh

    @property
    def penalized_kwh(self) -> Float[Array, " home"]:
        """Unserved energy and missed requirements, which the reward `unserved_energy` counts."""
        return self.total_unserved_kwh

    @property
    def discomfort_kh(self) -> Float[Array, " home"]:
        """Kelvin-hours outside the comfort band, >= 0; zero unless overridden."""
        return 0.0 * self.consumption_kwh


class StorageFlow(DeviceFlow):
    """Energy of a stationary storage in one step, kWh, all >= 0.

    Meters, KPIs and charts count it as storage instead of as load.
    `stored_after = stored_before + charge - discharge - loss` holds for every home.

    Attributes:
        charge_kwh: Charged energy at the AC side.
        discharge_kwh: Discharged energy at the AC side.
        loss_kwh: Losses.
        stored_kwh: Stored energy after the step.
        capacity_loss_kwh: Capacity lost in the step; None without aging.
        life_used: Share of the life used in the step; None without aging.
    """

    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    loss_kwh: Float[Array, " home"]
    stored_kwh: Float[Array, " home"]
    capacity_loss_kwh: Float[Array, " home"] | None = None
    life_used: Float[Array, " home"] | None = None

    @property
    def consumption_kwh(self) -> Float[Array, " home"]:
        """Charged energy at the AC side."""
        return self.charge_kwh

    @property
    def supply_kwh(self) -> Float[Array, " home"]:
        """Discharged energy at the AC side."""
        return self.discharge_kwh

    @property
    def released_kwh(self) -> Float[Array, " home"]:
        """Losses."""
        return self.loss_kwh


class Flows(NamedTuple):
    """Energy at the AC bus of each home in one step, kWh, all >= 0.

    `load + charge + export + curtailed = solar + discharge + device supply + import` holds by
    construction of the meter.

    Attributes:
        load_kwh: Consumption of the home that was served, including all devices that are not
            storage.
        solar_kwh: PV generation before curtailment.
        import_kwh: Energy imported at the meter.
        export_kwh: Energy exported at the meter.
        curtailed_kwh: PV generation curtailed by the network operator.
        devices: Flows of each kind of device that any home has, by kind.
        shed_kwh: Load that a limit of the supply did not permit; None without limits.
    """

    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    import_kwh: Float[Array, " home"]
    export_kwh: Float[Array, " home"]
    curtailed_kwh: Float[Array, " home"]
    devices: dict[str, DeviceFlow]
    shed_kwh: Float[Array, " home"] | None = None

    @property
    def storage(self) -> list[StorageFlow]:
        """Flows of the stationary storage."""
        return [flow for flow in self.devices.values() if isinstance(flow, StorageFlow)]

    @property
    def charge_kwh(self) -> Float[Array, " home"]:
        """Energy charged to stationary storage, at the AC side."""
        return self._sum([flow.charge_kwh for flow in self.storage])

    @property
    def discharge_kwh(self) -> Float[Array, " home"]:
        """Energy discharged from stationary storage, at the AC side."""
        return self._sum([flow.discharge_kwh for flow in self.storage])

    @property
    def storage_loss_kwh(self) -> Float[Array, " home"]:
        """Losses of stationary storage.

        `stored_after = stored_before + charge - discharge - loss` holds for every home.
        """
        return self._sum([flow.loss_kwh for flow in self.storage])

    @property
    def stored_kwh(self) -> Float[Array, " home"]:
        """Energy in stationary storage after the step."""
        return self._sum([flow.stored_kwh for flow in self.storage])

    @property
    def device_supply_kwh(self) -> Float[Array, " home"]:
        """Energy that devices other than stationary storage deliver, such as EVs with V2G."""
        others = [flow for flow in self.devices.values() if not isinstance(flow, StorageFlow)]
        return self._sum([flow.supply_kwh for flow in others])

    @property
    def net_kwh(self) -> Float[Array, " home"]:
        """Net load at the meter; positive imports."""
        return self.import_kwh - self.export_kwh

    @property
    def storage_discharge_kwh(self) -> Float[Array, " home"]:
        """Energy that stationary storage and other devices deliver to the home."""
        return self.discharge_kwh + self.device_supply_kwh

    def grid_kwh(self, local: Fills) -> Float[Array, " home"]:
        """Compute the net energy traded with the grid beyond local trade; positive buys.

        A home may sell locally and cover its own load from the grid in the same step.

        Args:
            local: Local trade of each home.
        """
        return self.net_kwh - local.bought_kwh + local.sold_kwh

    def _sum(self, parts: list[Float[Array, " home"]]) -> Float[Array, " home"]:
        """Add the parts; zero without any."""
        total = parts[0] if parts else 0.0 * self.import_kwh
        for part in parts[1:]:
            total = total + part
        return total
