"""Summary series of a run: community totals per step, and energy traded by pair of homes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray

from prosumax import metrics
from prosumax.devices.base import ordered
from prosumax.devices.home import HomeParams
from prosumax.grid.network import GridRecord
from prosumax.grid.paths import shortest_paths
from prosumax.metrics.network import CONVERGENCE_TOLERANCE_PU
from prosumax.numerics import ENERGY_TOLERANCE_KWH, AnyArray
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import device_params
from prosumax.simulation.dynamics import StepRecord
from prosumax.simulation.inputs import Profiles
from prosumax.tariff import local_grid_fee_series, retail_price_series
from prosumax.types import Fills

Array = NDArray[np.float64]


class TradingPairs(NamedTuple):
    """Energy traded over the period, one entry per pair of homes and direction.

    Attributes:
        buyer: Index of the buying home.
        seller: Index of the selling home.
        kwh: Energy from seller to buyer. Purchases from a pool are shared among its sellers pro
            rata in each step.
        distance_km: Length of the shortest path between the homes; NaN without a network.
    """

    buyer: Int[NDArray[np.int64], " pair"]
    seller: Int[NDArray[np.int64], " pair"]
    kwh: Float[Array, " pair"]
    distance_km: Float[Array, " pair"]


class SummarySeries(NamedTuple):
    """Totals of a community in each step of a run, energy in kWh.

    Network series are NaN without a network, and in steps without a power flow solution.

    Attributes:
        homes: Names of the homes.
        currency: Currency of money.
        step_hours: Length of a step.
        capacity_kwh: Total capacity of stationary storage.
        hour: Local hour of day, 0 to 23.
        load: Load of all homes.
        solar: PV generation of all homes.
        charge: Battery charge of all homes.
        discharge: Battery discharge of all homes.
        stored: Energy stored in all batteries at the end of the step.
        balance: Export less import of all meters (MARLEM, equation 16).
        traded: Energy traded between homes.
        tradable: Smaller of the total deficit and the total surplus of the homes' meters.
        grid_import: Energy bought from the grid.
        grid_export: Energy sold to the grid.
        price: Mean of the prices of buyers and sellers per local kWh; NaN without trade.
        gains: Reservation value of the traded energy to buyers less that to sellers.
        mean_loading: Mean loading of the lines, 1 for the rating.
        max_loading: Highest loading of a line.
        loss: Energy lost in the network.
        network_input: Energy fed into the network by source and homes.
        min_voltage_pu: Lowest voltage; NaN with flow `path`.
        max_voltage_pu: Highest voltage; NaN with flow `path`.
        fees: Fees on trades paid to the network operator, in money; 0 without fees.
        intervention: 1 where the network operator curtailed or penalized, else 0.
        pairs: Energy traded by pair of homes.
    """

    homes: tuple[str, ...]
    currency: str
    step_hours: float
    capacity_kwh: float
    hour: Int[NDArray[np.int64], " step"]
    load: Float[Array, " step"]
    solar: Float[Array, " step"]
    charge: Float[Array, " step"]
    discharge: Float[Array, " step"]
    stored: Float[Array, " step"]
    balance: Float[Array, " step"]
    traded: Float[Array, " step"]
    tradable: Float[Array, " step"]
    grid_import: Float[Array, " step"]
    grid_export: Float[Array, " step"]
    price: Float[Array, " step"]
    gains: Float[Array, " step"]
    mean_loading: Float[Array, " step"]
    max_loading: Float[Array, " step"]
    loss: Float[Array, " step"]
    network_input: Float[Array, " step"]
    min_voltage_pu: Float[Array, " step"]
    max_voltage_pu: Float[Array, " step"]
    fees: Float[Array, " step"]
    intervention: Float[Array, " step"]
    pairs: TradingPairs


def make_summary_series(
    scenario: Scenario, profiles: Profiles, record: StepRecord
) -> SummarySeries:
    """Compute the summary series of a run.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        record: Results of all steps as NumPy arrays.
    """
    flows = record.flows
    local = record.local
    terms = scenario.tariff
    prices = profiles.prices
    bought = np.asarray(local.bought_kwh, np.float64)
    sold = np.asarray(local.sold_kwh, np.float64)
    paid = np.asarray(local.paid, np.float64)
    earned = np.asarray(local.earned, np.float64)
    retail = retail_price_series(prices, terms)
    reservation_price = retail - local_grid_fee_series(prices, terms)
    has_trades = bought.sum(1) + sold.sum(1) > ENERGY_TOLERANCE_KWH
    price = np.full(len(bought), np.nan)
    price[has_trades] = metrics.price_series(
        bought[has_trades], paid[has_trades], sold[has_trades], earned[has_trades]
    )
    grid = np.asarray(flows.import_kwh, np.float64) - flows.export_kwh - bought + sold
    imported = _total(flows.import_kwh)
    exported = _total(flows.export_kwh)
    return SummarySeries(
        homes=tuple(home.name for home in scenario.homes),
        currency=terms.currency,
        step_hours=scenario.period.step_hours,
        capacity_kwh=float(storage_capacity_kwh(HomeParams(device_params(scenario))).sum()),
        hour=np.asarray(profiles.local_index.hour, np.int64),
        load=_total(flows.load_kwh),
        solar=_total(flows.solar_kwh),
        charge=_total(flows.charge_kwh),
        discharge=_total(flows.discharge_kwh),
        stored=_total(flows.stored_kwh),
        balance=exported - imported,
        traded=bought.sum(1),
        tradable=np.minimum(imported, exported),
        grid_import=np.maximum(grid, 0).sum(1),
        grid_export=np.maximum(-grid, 0).sum(1),
        price=price,
        gains=reservation_price * bought.sum(1) - prices["feed_in"] * sold.sum(1),
        **_network_series(profiles, record.grid, scenario.network.flow, len(bought)),
        pairs=_trading_pairs(profiles, local, len(scenario.homes)),
    )


def storage_capacity_kwh(params: HomeParams, shared: bool = True) -> Float[AnyArray, " home"]:
    """Return the nominal capacity of the stationary storage of each home.

    Args:
        params: Parameters of the devices.
        shared: Whether shares in storage of the community count.
    """
    capacities = [
        device.capacity_kwh(params.devices[device.kind])
        for device in ordered(params.devices)
        if shared or not device.shared
    ]
    total: AnyArray = np.asarray(sum(capacities, start=0.0 * params.battery.capacity_kwh))
    return total


def _total(values: ArrayLike) -> Float[Array, " step"]:
    """Sum over homes in double precision."""
    total: Array = np.asarray(values, np.float64).sum(1)
    return total


def _network_series(
    profiles: Profiles, grid: GridRecord | None, flow: str, steps: int
) -> dict[str, Float[Array, " step"]]:
    """Return the network series by name."""
    missing = np.full(steps, np.nan)
    if grid is None or profiles.feeder is None:
        names = ("mean_loading", "max_loading", "loss", "network_input")
        series = dict.fromkeys((*names, "min_voltage_pu", "max_voltage_pu"), missing)
        return series | {"fees": np.zeros(steps), "intervention": np.zeros(steps)}
    is_line = ~profiles.feeder.branches.is_transformer
    line_loading = np.asarray(grid.loading, np.float64)[:, is_line]
    has_lines = line_loading.shape[1] > 0
    has_voltages = flow != "path"
    voltage = np.asarray(grid.voltage_pu, np.float64)
    source = np.asarray(grid.source_kwh, np.float64)
    balance = np.asarray(grid.balance_kwh, np.float64)
    series = {
        "mean_loading": line_loading.mean(1) if has_lines else missing,
        "max_loading": line_loading.max(1) if has_lines else missing,
        "loss": np.asarray(grid.loss_kwh, np.float64),
        "network_input": np.maximum(source, 0) + np.maximum(balance, 0),
        "min_voltage_pu": voltage.min(1) if has_voltages else missing,
        "max_voltage_pu": voltage.max(1) if has_voltages else missing,
    }
    converged = np.asarray(grid.residual_pu) <= CONVERGENCE_TOLERANCE_PU
    series = {name: np.where(converged, values, np.nan) for name, values in series.items()}
    return series | {
        "fees": _total(grid.fees),
        "intervention": np.asarray(grid.intervened, np.float64),
    }


def _trading_pairs(profiles: Profiles, local: Fills, homes: int) -> TradingPairs:
    """Sum the traded energy by pair of homes, bilateral trades and pools alike."""
    pool_bought = np.array(local.bought_kwh, np.float64)
    pool_sold = np.array(local.sold_kwh, np.float64)
    kwh = np.zeros((homes, homes))
    trades = local.trades
    if trades is not None and trades.kwh.shape[1]:
        amount = np.asarray(trades.kwh, np.float64)
        steps = np.arange(len(pool_bought))[:, None]
        buyers = np.asarray(trades.buyer).astype(int)
        sellers = np.asarray(trades.seller).astype(int)
        kwh += metrics.trade_matrix(buyers, sellers, amount, homes)
        np.subtract.at(pool_bought, (steps, buyers), amount)
        np.subtract.at(pool_sold, (steps, sellers), amount)
    kwh += metrics.payment_matrix(
        np.where(pool_bought > ENERGY_TOLERANCE_KWH, pool_bought, 0.0),
        np.where(pool_sold > ENERGY_TOLERANCE_KWH, pool_sold, 0.0),
    )
    buyer, seller = np.nonzero(kwh > ENERGY_TOLERANCE_KWH)
    distance_km = np.full(len(buyer), np.nan)
    if profiles.feeder is not None and len(buyer):
        buses, position = np.unique(profiles.home_bus, return_inverse=True)
        paths = shortest_paths(profiles.feeder, buses)
        distance_km = paths.km[position[buyer], profiles.home_bus[seller]]
    return TradingPairs(buyer, seller, kwh[buyer, seller], distance_km)
