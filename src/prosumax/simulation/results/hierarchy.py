"""A run level by level: every symbol of MAHTM's table 1, by name, for households, microgrids and the distributor.

A pool's energy is called after the level it comes from: level 1 from homes of the same microgrid, level 2 from other
microgrids, level 3 from the grid. A single community has levels 1 and 3.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prosumax.market.mechanism import mechanisms
from prosumax.market.pricing.hierarchy import pool_memberships
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import market_options
from prosumax.simulation.inputs import Profiles

Values = NDArray[np.float64]

_NUMBER = {"community": 1, "microgrid": 1, "district": 2}
_DUST_KWH = 1e-5  # what single precision leaves in a step


class LayerFlows(NamedTuple):
    """Imports and exports of a layer by level, kWh [step, member]; what a level does not have is zero.

    Attributes:
        import_1, import_2, import_3: E^imp1, E^imp2, E^imp3.
        export_1, export_2, export_3: E^exp1, E^exp2, E^exp3.
    """

    import_1: Values
    import_2: Values
    import_3: Values
    export_1: Values
    export_2: Values
    export_3: Values

    def shortage(self, layer: int) -> Values:
        """E^st of a layer: what it gets from its own level and beyond (equations 1, 5, 9)."""
        parts = (self.import_1, self.import_2, self.import_3)[layer - 1 :]
        return np.sum(parts, axis=0)

    def surplus(self, layer: int) -> Values:
        """E^sp of a layer: what it gives to its own level and beyond (equations 2, 6, 10)."""
        parts = (self.export_1, self.export_2, self.export_3)[layer - 1 :]
        return np.sum(parts, axis=0)

    def net(self, layer: int) -> Values:
        """E^net, positive when short (equations 3, 7, 11)."""
        return self.shortage(layer) - self.surplus(layer)


class HierarchyResult(NamedTuple):
    """A run as its three layers see it; money in the tariff's currency, prices per kWh.

    Attributes:
        microgrids: names.
        of: position of each home's microgrid [home].
        household: imports and exports of homes [step, home].
        microgrid: sums over the homes of each microgrid [step, microgrid].
        distributor: sums over all [step, 1].
        sell_home, buy_home: r^sh and r^bh, at which a microgrid sells to its homes and buys from them
            [step, microgrid]; NaN without level 1.
        sell_microgrid, buy_microgrid: r^sm and r^bm of the distributor [step]; NaN without level 2.
        sell_grid, buy_grid: r^sd and r^bd, retail and feed-in price [step].
        carbon: of a kWh of level 3, kg [step].
        cost_home: equation 4 for each home, carbon left out; the local charges of a tariff are not in it [step, home].
        cost_microgrid, cost_distributor: equations 8 and 12 in the same way [step, microgrid], [step].
        flows: energy over the period from each microgrid, and from the grid (last row), to each microgrid and to the
            grid (last column), kWh.
    """

    microgrids: tuple[str, ...]
    microgrid_of_home: NDArray[np.int64]
    household: LayerFlows
    microgrid: LayerFlows
    distributor: LayerFlows
    microgrid_sell_price: Values
    microgrid_buy_price: Values
    distributor_sell_price: Values
    distributor_buy_price: Values
    grid_sell_price: Values
    grid_buy_price: Values
    emission_factor_kg_per_kwh: Values
    household_cost: Values
    microgrid_cost: Values
    distributor_cost: Values
    energy_flows_kwh: Values

    @property
    def emissions_kg(self) -> Values:
        """Of each microgrid: level 3 imports only, since local energy has no carbon (section 2.3) [step, microgrid]."""
        return np.asarray(self.microgrid.import_3 * self.emission_factor_kg_per_kwh[:, None])


def make_hierarchy(scenario: Scenario, profiles: Profiles, record: Any) -> HierarchyResult | None:
    """The layers of a run; None where no prices are announced.

    Arguments:
        scenario, profiles: what was run.
        record: `env.Record` of its steps, NumPy [step, ..].
    """
    if record.levels is None:
        return None
    options = market_options(scenario)
    kinds = mechanisms.get(scenario.market.mechanism, "market.mechanism").levels
    one = kinds == ("community",)
    names = (scenario.name,) if one else options.microgrid_names
    of = np.zeros(len(scenario.homes), np.int64) if one else options.microgrid_index
    members = pool_memberships(("community",) if one else ("microgrid",), options)[0]
    household, money = _households(record, kinds)
    microgrid = LayerFlows(*(part @ members.T for part in household))
    distributor = LayerFlows(*(part.sum(1, keepdims=True) for part in household))
    prices, gross = profiles.prices, 1 + scenario.tariff.vat
    retail = (prices["energy"] + prices["network"] + prices["levies"]) * gross
    feed_in, carbon = prices["feed_in"], np.nan_to_num(prices["emission_factor_kg_per_kwh"])
    grid = retail[:, None] * household.import_3 - feed_in[:, None] * household.export_3
    own, between = money
    own_prices, between_prices = _prices(record, kinds, members)
    return HierarchyResult(
        tuple(names), of, household, microgrid, distributor, *own_prices, *between_prices, retail, feed_in, carbon,
        household_cost=own + between + grid,
        microgrid_cost=(between + grid) @ members.T,
        distributor_cost=grid.sum(1),
        energy_flows_kwh=_flows(household, members),
    )  # fmt: skip


def _households(record: Any, kinds: tuple[str, ...]) -> tuple[LayerFlows, tuple[Values, Values]]:
    """Imports and exports of homes by level, and what they paid less earned at levels 1 and 2."""
    meter = np.asarray(record.flows.import_kwh, np.float64) - record.flows.export_kwh
    nothing = np.zeros_like(meter)
    bought, sold, paid = (
        {1: nothing, 2: nothing},
        {1: nothing, 2: nothing},
        {1: nothing, 2: nothing},
    )
    for at, kind in enumerate(kinds):
        level, flows = _NUMBER[kind], record.levels
        bought[level] = np.asarray(flows.import_kwh[:, at], np.float64)
        sold[level] = np.asarray(flows.export_kwh[:, at], np.float64)
        paid[level] = np.asarray(flows.paid[:, at], np.float64) - flows.earned[:, at]
        meter = meter - bought[level] + sold[level]
    rest = np.where(np.abs(meter) > _DUST_KWH, meter, 0.0)
    side = LayerFlows(bought[1], bought[2], np.maximum(rest, 0), sold[1], sold[2], np.maximum(-rest, 0))
    return side, (paid[1], paid[2])


def _prices(
    record: Any, kinds: tuple[str, ...], members: Values
) -> tuple[tuple[Values, Values], tuple[Values, Values]]:
    """Announced prices of level 1 by microgrid and of level 2; NaN where there is no such level."""
    steps, announced = len(record.levels.paid), record.levels.prices
    own = [np.full((steps, len(members)), np.nan)] * 2
    between = [np.full(steps, np.nan)] * 2
    first = np.argmax(members > 0, axis=1)  # all homes of a pool have its price
    for at, kind in enumerate(kinds):
        both = [np.asarray(price[:, at], np.float64) for price in announced]
        if _NUMBER[kind] == 1:
            own = [np.where(members.sum(1) > 0, price[:, first], np.nan) for price in both]
        else:
            between = [price[:, 0] for price in both]
    return (own[0], own[1]), (between[0], between[1])


def _flows(household: LayerFlows, members: Values) -> Values:
    """Who gets energy from whom over the period; a pool's energy is split among its sellers in proportion."""
    bought, sold = ((part @ members.T) for part in (household.import_2, household.export_2))
    total = sold.sum(1, keepdims=True)
    share = sold / np.where(total > 0, total, 1.0)
    flows = np.zeros((len(members) + 1, len(members) + 1))
    flows[:-1, :-1] = share.T @ bought
    flows[:-1, :-1] += np.diag((household.import_1 @ members.T).sum(0))
    flows[-1, :-1] = (household.import_3 @ members.T).sum(0)
    flows[:-1, -1] = (household.export_3 @ members.T).sum(0)
    return flows


def hierarchy_variables(levels: HierarchyResult, currency: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every symbol of table 1 as series for a data set, by name, and coordinates.

    Returns:
        Name -> (dimensions, values, attributes with the paper's symbol), and the coordinate `microgrid`.
    """
    series: dict[str, Any] = {}
    layers = (
        (1, "household", levels.household, "home"),
        (2, "microgrid", levels.microgrid, "microgrid"),
    )
    for layer, name, side, dimension in (*layers, (3, "distributor", levels.distributor, "")):
        found = {
            "net": side.net(layer),
            "shortage": side.shortage(layer),
            "surplus": side.surplus(layer),
        }
        symbols = {"net": "E^net", "shortage": "E^st", "surplus": "E^sp"}
        for level in range(layer, 4):
            found |= {
                f"l{level}_import": getattr(side, f"import_{level}"),
                f"l{level}_export": getattr(side, f"export_{level}"),
            }
            symbols |= {f"l{level}_import": f"E^imp{level}", f"l{level}_export": f"E^exp{level}"}
        for what, values in found.items():
            dims = ("time", dimension) if dimension else ("time",)
            kept = values if dimension else values[:, 0]
            about = {
                "units": "kWh",
                "symbol": symbols[what],
                "long_name": f"{name} {what.replace('_', ' ')}",
            }
            series[f"{name}_{what}_kwh"] = (dims, kept.astype(np.float32), about)
    per_microgrid, whole = ("time", "microgrid"), ("time",)
    for name, values, dims, symbol in (
        ("microgrid_sell_price", levels.microgrid_sell_price, per_microgrid, "r^sh"),
        ("microgrid_buy_price", levels.microgrid_buy_price, per_microgrid, "r^bh"),
        ("distributor_sell_price", levels.distributor_sell_price, whole, "r^sm"),
        ("distributor_buy_price", levels.distributor_buy_price, whole, "r^bm"),
        ("grid_sell_price", levels.grid_sell_price, whole, "r^sd"),
        ("grid_buy_price", levels.grid_buy_price, whole, "r^bd"),
    ):
        series[name] = (
            dims,
            values.astype(np.float32),
            {"units": f"{currency}/kWh", "symbol": symbol},
        )
    about = {"units": "kg/kWh", "symbol": "c", "long_name": "emission of level 3 imports"}
    series["grid_emission"] = (whole, levels.emission_factor_kg_per_kwh.astype(np.float32), about)
    return series, {"microgrid": list(levels.microgrids)}
