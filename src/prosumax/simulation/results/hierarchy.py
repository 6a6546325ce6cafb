"""Results by layer of a hierarchy: every symbol of MAHTM's table 1 for a run.

The layers are households, microgrids and the distributor. Energy of a pool belongs to a level by
its origin: level 1 from homes of the same microgrid, level 2 from other microgrids, level 3 from
the grid. A single community has levels 1 and 3.

References:
    The MAHTM, table 1 and equations 1 to 12.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from prosumax.market.mechanism import mechanisms
from prosumax.market.pricing.hierarchy import pool_memberships
from prosumax.numerics import ENERGY_TOLERANCE_KWH, safe_divide
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import market_options
from prosumax.simulation.dynamics import StepRecord
from prosumax.simulation.inputs import Profiles
from prosumax.tariff import retail_price_series
from prosumax.types import LevelFlows

Array = NDArray[np.float64]

XarrayVariable = tuple[tuple[str, ...], ArrayLike, Mapping[str, str]]
"""Dimensions, values and attributes of a variable of an xarray data set."""

_LEVEL_OF_POOL = {"community": 1, "microgrid": 1, "district": 2}


class LayerFlows(NamedTuple):
    """Imports and exports of a layer by level in kWh; zero for levels that a layer does not have.

    Attributes:
        import_1: E^imp1.
        import_2: E^imp2.
        import_3: E^imp3.
        export_1: E^exp1.
        export_2: E^exp2.
        export_3: E^exp3.
    """

    import_1: Float[Array, "step member"]
    import_2: Float[Array, "step member"]
    import_3: Float[Array, "step member"]
    export_1: Float[Array, "step member"]
    export_2: Float[Array, "step member"]
    export_3: Float[Array, "step member"]

    def shortage(self, layer: int) -> Float[Array, "step member"]:
        """Compute E^st, import from the own level and beyond (MAHTM, equations 1, 5, 9)."""
        imports = (self.import_1, self.import_2, self.import_3)
        total: Array = np.sum(imports[layer - 1 :], axis=0)
        return total

    def surplus(self, layer: int) -> Float[Array, "step member"]:
        """Compute E^sp, export to the own level and beyond (MAHTM, equations 2, 6, 10)."""
        exports = (self.export_1, self.export_2, self.export_3)
        total: Array = np.sum(exports[layer - 1 :], axis=0)
        return total

    def net(self, layer: int) -> Float[Array, "step member"]:
        """Compute E^net, positive for a shortage (MAHTM, equations 3, 7, 11)."""
        return self.shortage(layer) - self.surplus(layer)


class HierarchyResult(NamedTuple):
    """Energy, prices and costs of the three layers of a run.

    Money is in the tariff's currency and prices are per kWh. Prices of a level that does not exist
    are NaN.

    Attributes:
        microgrids: Names of the microgrids.
        microgrid_of_home: Index of each home's microgrid.
        household: Imports and exports of the homes.
        microgrid: Sums over the homes of each microgrid.
        distributor: Sums over all homes.
        microgrid_sell_price: r^sh, the price at which a microgrid sells to its homes.
        microgrid_buy_price: r^bh, the price at which a microgrid buys from its homes.
        distributor_sell_price: r^sm, the price at which the distributor sells to microgrids.
        distributor_buy_price: r^bm, the price at which the distributor buys from microgrids.
        grid_sell_price: r^sd, the retail price.
        grid_buy_price: r^bd, the feed-in price.
        emission_factor_kg_per_kwh: Emission factor of level 3 imports.
        household_cost: Cost of each home (MAHTM, equation 4), without carbon and without the
            charges of the tariff on local energy.
        microgrid_cost: Cost of each microgrid (MAHTM, equation 8), likewise.
        distributor_cost: Cost of the distributor (MAHTM, equation 12), likewise.
        energy_flows_kwh: Energy over the period from each microgrid and the grid (last row) to each
            microgrid and the grid (last column).
    """

    microgrids: tuple[str, ...]
    microgrid_of_home: Int[NDArray[np.int64], " home"]
    household: LayerFlows
    microgrid: LayerFlows
    distributor: LayerFlows
    microgrid_sell_price: Float[Array, "step microgrid"]
    microgrid_buy_price: Float[Array, "step microgrid"]
    distributor_sell_price: Float[Array, " step"]
    distributor_buy_price: Float[Array, " step"]
    grid_sell_price: Float[Array, " step"]
    grid_buy_price: Float[Array, " step"]
    emission_factor_kg_per_kwh: Float[Array, " step"]
    household_cost: Float[Array, "step home"]
    microgrid_cost: Float[Array, "step microgrid"]
    distributor_cost: Float[Array, " step"]
    energy_flows_kwh: Float[Array, "source sink"]

    @property
    def emissions_kg(self) -> Float[Array, "step microgrid"]:
        """Emissions of level 3 imports of each microgrid; local energy has none (section 2.3)."""
        return np.asarray(self.microgrid.import_3 * self.emission_factor_kg_per_kwh[:, None])


class _LocalPrices(NamedTuple):
    """Posted prices of levels 1 and 2; NaN where a level does not exist."""

    microgrid_sell_price: Float[Array, "step microgrid"]
    microgrid_buy_price: Float[Array, "step microgrid"]
    distributor_sell_price: Float[Array, " step"]
    distributor_buy_price: Float[Array, " step"]


def make_hierarchy(
    scenario: Scenario, profiles: Profiles, record: StepRecord
) -> HierarchyResult | None:
    """Compute the results by layer of a run.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        record: Results of all steps as NumPy arrays.

    Returns:
        The results by layer; None where the mechanism has no posted prices.
    """
    if record.levels is None:
        return None
    options = market_options(scenario)
    pools = mechanisms.get(scenario.market.mechanism, "market.mechanism").levels
    if pools == ("community",):
        microgrids: tuple[str, ...] = (scenario.name,)
        microgrid_of_home = np.zeros(len(scenario.homes), np.int64)
        members = pool_memberships(("community",), options)[0]
    else:
        microgrids = tuple(options.microgrid_names)
        microgrid_of_home = options.microgrid_index
        members = pool_memberships(("microgrid",), options)[0]
    imported = np.asarray(record.flows.import_kwh, np.float64)
    net_kwh = imported - np.asarray(record.flows.export_kwh, np.float64)
    household, cost_1, cost_2 = _household_flows_and_costs(net_kwh, record.levels, pools)
    prices = profiles.prices
    retail = retail_price_series(prices, scenario.tariff)
    feed_in = prices["feed_in"]
    cost_3 = retail[:, None] * household.import_3 - feed_in[:, None] * household.export_3
    local_prices = _local_prices(record.levels, pools, members)
    return HierarchyResult(
        microgrids=microgrids,
        microgrid_of_home=microgrid_of_home,
        household=household,
        microgrid=LayerFlows(*(flow @ members.T for flow in household)),
        distributor=LayerFlows(*(flow.sum(1, keepdims=True) for flow in household)),
        **local_prices._asdict(),
        grid_sell_price=retail,
        grid_buy_price=feed_in,
        emission_factor_kg_per_kwh=np.nan_to_num(prices["emission_factor_kg_per_kwh"]),
        household_cost=cost_1 + cost_2 + cost_3,  # MAHTM, equation 4
        microgrid_cost=(cost_2 + cost_3) @ members.T,  # MAHTM, equation 8
        distributor_cost=cost_3.sum(1),  # MAHTM, equation 12
        energy_flows_kwh=_energy_flows_kwh(household, members),
    )


def hierarchy_variables(
    hierarchy: HierarchyResult, currency: str
) -> tuple[dict[str, XarrayVariable], dict[str, list[str]]]:
    """Return every symbol of table 1 as variables of an xarray data set.

    Args:
        hierarchy: Results by layer.
        currency: Currency of prices.

    Returns:
        Dimensions, values and attributes of each variable by name, where the attribute `symbol` is
        that of the paper; and the coordinate `microgrid`.
    """
    variables: dict[str, XarrayVariable] = {}
    layers = (
        (1, "household", hierarchy.household, ("time", "home")),
        (2, "microgrid", hierarchy.microgrid, ("time", "microgrid")),
        (3, "distributor", hierarchy.distributor, ("time",)),
    )
    for layer, name, flows, dims in layers:
        for quantity, symbol, values in _layer_quantities(layer, flows):
            attributes = {
                "units": "kWh",
                "symbol": symbol,
                "long_name": f"{name} {quantity.replace('_', ' ')}",
            }
            data = values if len(dims) == 2 else values[:, 0]
            variables[f"{name}_{quantity}_kwh"] = (dims, data.astype(np.float32), attributes)
    prices = (
        ("microgrid_sell_price", "r^sh", ("time", "microgrid")),
        ("microgrid_buy_price", "r^bh", ("time", "microgrid")),
        ("distributor_sell_price", "r^sm", ("time",)),
        ("distributor_buy_price", "r^bm", ("time",)),
        ("grid_sell_price", "r^sd", ("time",)),
        ("grid_buy_price", "r^bd", ("time",)),
    )
    for name, symbol, dims in prices:
        attributes = {"units": f"{currency}/kWh", "symbol": symbol}
        variables[name] = (dims, getattr(hierarchy, name).astype(np.float32), attributes)
    variables["grid_emission"] = (
        ("time",),
        hierarchy.emission_factor_kg_per_kwh.astype(np.float32),
        {"units": "kg/kWh", "symbol": "c", "long_name": "emission factor of level 3 imports"},
    )
    return variables, {"microgrid": list(hierarchy.microgrids)}


def _layer_quantities(layer: int, flows: LayerFlows) -> list[tuple[str, str, Array]]:
    """Return name, symbol and values of the energy quantities of a layer."""
    quantities = [
        ("net", "E^net", flows.net(layer)),
        ("shortage", "E^st", flows.shortage(layer)),
        ("surplus", "E^sp", flows.surplus(layer)),
    ]
    for level in range(layer, 4):
        imported = getattr(flows, f"import_{level}")
        exported = getattr(flows, f"export_{level}")
        quantities.append((f"l{level}_import", f"E^imp{level}", imported))
        quantities.append((f"l{level}_export", f"E^exp{level}", exported))
    return quantities


def _household_flows_and_costs(
    net_kwh: Float[Array, "step home"], levels: LevelFlows, pools: tuple[str, ...]
) -> tuple[LayerFlows, Float[Array, "step home"], Float[Array, "step home"]]:
    """Return the flows of homes by level, and their costs of levels 1 and 2."""
    residual = net_kwh
    zeros = np.zeros_like(residual)
    imports = {1: zeros, 2: zeros}
    exports = {1: zeros, 2: zeros}
    costs = {1: zeros, 2: zeros}
    for position, pool in enumerate(pools):
        level = _LEVEL_OF_POOL[pool]
        imports[level] = np.asarray(levels.import_kwh[:, position], np.float64)
        exports[level] = np.asarray(levels.export_kwh[:, position], np.float64)
        paid = np.asarray(levels.paid[:, position], np.float64)
        costs[level] = paid - np.asarray(levels.earned[:, position], np.float64)
        residual = residual - imports[level] + exports[level]
    grid = np.where(np.abs(residual) > ENERGY_TOLERANCE_KWH, residual, 0.0)
    household = LayerFlows(
        import_1=imports[1],
        import_2=imports[2],
        import_3=np.maximum(grid, 0),
        export_1=exports[1],
        export_2=exports[2],
        export_3=np.maximum(-grid, 0),
    )
    return household, costs[1], costs[2]


def _local_prices(
    levels: LevelFlows, pools: tuple[str, ...], members: Float[Array, "microgrid home"]
) -> _LocalPrices:
    """Return the posted prices of level 1 by microgrid, and of level 2."""
    steps = len(levels.paid)
    posted = levels.prices
    first_home = np.argmax(members > 0, axis=1)  # all homes of a pool have the same price
    has_members = members.sum(1) > 0
    level_1 = np.full((steps, len(members)), np.nan)
    level_2 = np.full(steps, np.nan)
    prices = _LocalPrices(level_1, level_1, level_2, level_2)
    for position, pool in enumerate(pools):
        # Homes buy at the price at which their pool sells, and the other way round.
        sell = np.asarray(posted.buy[:, position], np.float64)
        buy = np.asarray(posted.sell[:, position], np.float64)
        if _LEVEL_OF_POOL[pool] == 1:
            prices = prices._replace(
                microgrid_sell_price=np.where(has_members, sell[:, first_home], np.nan),
                microgrid_buy_price=np.where(has_members, buy[:, first_home], np.nan),
            )
        else:
            prices = prices._replace(
                distributor_sell_price=sell[:, 0], distributor_buy_price=buy[:, 0]
            )
    return prices


def _energy_flows_kwh(
    household: LayerFlows, members: Float[Array, "microgrid home"]
) -> Float[Array, "source sink"]:
    """Sum the energy between microgrids and the grid; buyers share a pool's sellers pro rata."""
    bought = household.import_2 @ members.T
    sold = household.export_2 @ members.T
    seller_share = safe_divide(sold, sold.sum(1, keepdims=True), xp=np)
    flows = np.zeros((len(members) + 1, len(members) + 1))
    flows[:-1, :-1] = seller_share.T @ bought
    flows[:-1, :-1] += np.diag((household.import_1 @ members.T).sum(0))
    flows[-1, :-1] = (household.import_3 @ members.T).sum(0)
    flows[:-1, -1] = (household.export_3 @ members.T).sum(0)
    return flows
