"""Conventional implementation of the benchmark's environment: NumPy per home, Python per order.

It shares no code with prosumax but reads the same parameters. `environment.py` checks that both
give the same rewards, and reports the ratio of their speeds.
"""

import math
from typing import NamedTuple

import jax
import numpy as np

import prosumax
from prosumax.rl.env import CommunityEnv
from prosumax.simulation.inputs import read_profiles

PRICE_TICK = 1e-4
ENERGY_TICK_KWH = 0.01
# Guards the rounding to whole ticks against representation errors.
TICK_TOLERANCE = 0.01
SMALL = 1e-9
BASE_WEIGHTS = {"economic": 0.5, "grid": 0.2, "resource": 0.1, "trading": 0.1, "stability": 0.1}
NO_PREFERENCE, GRID_ONLY = -1, -2


class Trade(NamedTuple):
    """One bilateral trade."""

    buyer: int
    seller: int
    kwh: float
    price: float


class Market(NamedTuple):
    """Orders and trades of a step, per home."""

    order: np.ndarray
    price: np.ndarray
    bought: np.ndarray
    sold: np.ndarray
    paid: np.ndarray
    earned: np.ndarray
    reservation_price: float
    feed_in: float


class NumpyEnvironment:
    """Bids on a radial feeder under MARLEM's rules, for one community.

    Args:
        env: Environment whose parameters are used.
        feeder: Feeder of the scenario.
        home_bus: Bus of each home.
    """

    def __init__(self, env: CommunityEnv, feeder, home_bus) -> None:
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), env.params)
        community = params.community
        network = community.network
        self.steps = env.config.episode_steps
        self.window_steps = env.config.indicator_window
        self.homes = env.num_agents
        self.scales = params.scales
        self.series = community.series
        self.battery = community.homes.battery
        self.rates = community.rates
        self.hours = float(community.step_hours)
        self.fee_rates = network.operator.fee_rates
        self.threshold = float(network.operator.threshold)
        self.branch_capacity_kwh = network.capacity_kw * self.hours
        self.loss_per_km = float(network.loss_per_km)
        self.zone = network.zone
        self.branch_km = feeder.branches.length_km
        self.bus = [*np.asarray(home_bus).tolist(), feeder.source_bus]
        self.parent = _parents(feeder)
        b = self.battery
        # The benchmark's batteries have constant efficiency curves.
        self.charge_efficiency = np.sqrt(b.charge_efficiency_curve[:, 0])
        self.discharge_efficiency = np.sqrt(b.discharge_efficiency_curve[:, 0])

    def reset(self) -> np.ndarray:
        """Start an episode and return the observations."""
        self.time = 0
        self.stored = self.battery.initial_soc * self.battery.capacity_kwh
        self.reputation = np.full(self.homes, 0.5)
        self.prices = []
        self.volumes = []
        self.profit = np.zeros(self.homes)
        self.deficit = np.zeros(self.homes)
        self.unmet = np.zeros(self.homes)
        retail, feed_in = self.grid_prices(0)
        names = (
            "turnover",
            "gains_from_trade",
            "liquidity",
            "spread",
            "volatility",
            "imbalance",
            "congestion",
            "net_export",
            "self_consumption",
            "flexibility",
            "grid_import",
            "grid_export",
        )
        midpoint = (retail - self.local_grid_fee(0) + feed_in) / 2
        self.indicators = dict.fromkeys(names, 0.0)
        self.indicators |= {"coordination": 1.0, "clearing_price": midpoint}
        return self.observe()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Step with actions [home, 4] and return rewards and observations."""
        t = self.time
        load, solar = self.series.load_kwh[t], self.series.solar_kwh[t]
        retail, feed_in = self.grid_prices(t)
        net_load = load - solar
        charge, discharge = self.battery_limits()
        max_sell = np.maximum(-net_load, 0) + discharge
        max_buy = np.maximum(net_load, 0) + charge
        order, price, partner = self.decode(action)
        order = np.clip(order, -max_sell, max_buy)
        # The battery covers the difference between the order and the net load.
        charged = np.clip(order - net_load, 0, charge)
        discharged = np.clip(net_load - order, 0, discharge)
        self.stored = self.stored + charged * self.charge_efficiency
        self.stored -= discharged / self.discharge_efficiency
        net = net_load + charged - discharged
        trades = self.clear(order, price, partner)
        bought, sold, paid, earned = np.zeros((4, self.homes))
        for trade in trades:
            bought[trade.buyer] += trade.kwh
            sold[trade.seller] += trade.kwh
            paid[trade.buyer] += trade.kwh * trade.price
            earned[trade.seller] += trade.kwh * trade.price
        grid_kwh = net - bought + sold
        loading, fees = self.network(trades, grid_kwh, -net.sum(), retail, feed_in)
        bill = self.bill(grid_kwh, bought) + fees + paid - earned
        bill -= np.maximum(-grid_kwh, 0) * feed_in
        self.update_reputation(order, bought + sold, paid + earned)
        unmet = np.maximum(net - np.maximum(order, 0), 0)
        reservation_price = retail - self.local_grid_fee(t)
        market = Market(order, price, bought, sold, paid, earned, reservation_price, feed_in)
        self.update_indicators(market, net, grid_kwh, loading, max_sell + max_buy)
        reward = self.reward(market, grid_kwh, unmet, net_load)
        self.profit -= bill
        self.deficit += np.maximum(net_load, 0)
        self.unmet += unmet
        self.time += 1
        return reward, self.observe()

    def grid_prices(self, t: int) -> tuple[float, float]:
        """Return the retail and the feed-in price."""
        tariff = self.series.tariff
        retail = tariff.energy[t] + tariff.network[t] + tariff.levies[t]
        return retail * (1 + float(self.rates.vat)), tariff.feed_in[t]

    def local_grid_fee(self, t: int) -> float:
        """Return the charges on a local purchase per kWh."""
        tariff, rates = self.series.tariff, self.rates
        network = rates.local_network_share * tariff.network[t]
        levies = rates.local_levies_share * tariff.levies[t]
        return (network + levies) * (1 + rates.vat)

    def bill(self, grid_kwh: np.ndarray, bought: np.ndarray) -> np.ndarray:
        """Return the charges on energy from the grid and on local purchases."""
        tariff, rates = self.series.tariff, self.rates
        t = self.time
        grid_import = np.maximum(grid_kwh, 0)
        charges = grid_import * tariff.energy[t]
        charges += (grid_import + rates.local_network_share * bought) * tariff.network[t]
        charges += (grid_import + rates.local_levies_share * bought) * tariff.levies[t]
        return charges * (1 + rates.vat)

    def battery_limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the maximum charge and discharge in a step at the AC side, kWh."""
        b = self.battery
        free = np.maximum(b.soc_max * b.capacity_kwh - self.stored, 0)
        usable = np.maximum(self.stored - b.soc_min * b.capacity_kwh, 0)
        charge = np.minimum(b.charge_kw * self.hours, free / self.charge_efficiency)
        discharge = np.minimum(b.discharge_kw * self.hours, usable * self.discharge_efficiency)
        return charge, discharge

    def decode(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Convert actions to orders, prices and partners."""
        scales, homes = self.scales, self.homes
        price_range = scales.max_price - scales.min_price
        price = scales.min_price + np.clip(action[:, 0], 0, 1) * price_range
        side = np.where(action[:, 2] > 0.5, 1, -1)
        order = np.clip(action[:, 1], 0, 1) * scales.max_order_kwh * side
        slots = np.clip(np.floor(action[:, 3] * (homes + 2)).astype(int), 0, homes + 1)
        partner = []
        for home, slot in enumerate(slots):
            if slot == homes:
                partner.append(GRID_ONLY)
            elif slot > homes or slot == home:
                partner.append(NO_PREFERENCE)
            else:
                partner.append(int(slot))
        return order, price, partner

    def clear(self, order: np.ndarray, price: np.ndarray, partner: list[int]) -> list[Trade]:
        """Match mutual partners, then clear the rest in an auction."""
        trades = []
        open_order = order.copy()
        for i in range(self.homes):
            j = partner[i]
            is_mutual = j >= 0 and partner[j] == i
            if is_mutual and order[i] > 0 > order[j] and price[i] >= price[j]:
                trades.append(Trade(i, j, min(order[i], -order[j]), (price[i] + price[j]) / 2))
        for trade in trades:
            open_order[trade.buyer] -= trade.kwh
            open_order[trade.seller] += trade.kwh
        open_order[[own == GRID_ONLY for own in partner]] = 0
        return trades + double_auction(open_order, price)

    def path(self, a: int, b: int) -> list[int]:
        """Return the branches between two homes, or a home and the source."""
        a, b = self.bus[a], self.bus[b]
        branches = []
        while a != b:
            if self.parent[a][2] >= self.parent[b][2]:
                branches.append(self.parent[a][1])
                a = self.parent[a][0]
            else:
                branches.append(self.parent[b][1])
                b = self.parent[b][0]
        return branches

    def network(
        self,
        trades: list[Trade],
        grid_kwh: np.ndarray,
        balance: float,
        retail: float,
        feed_in: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the loading of branches and the operator's fees (MARLEM, equation 4)."""
        rates = self.fee_rates
        local_paths = [self.path(trade.buyer, trade.seller) for trade in trades]
        grid_paths = [self.path(home, self.homes) for home in range(self.homes)]
        flow = np.zeros(len(self.branch_capacity_kwh))
        for path, trade in zip(local_paths, trades, strict=True):
            for branch in path:
                flow[branch] += trade.kwh
        for path, kwh in zip(grid_paths, np.abs(grid_kwh), strict=True):
            for branch in path:
                flow[branch] += kwh
        loading = flow / self.branch_capacity_kwh
        fees = np.zeros(self.homes)
        for path, trade in zip(local_paths, trades, strict=True):
            fee = self.local_fee(path, trade, loading) * trade.kwh * max(trade.price, 0.0)
            fees[trade.buyer] += fee / 2
            fees[trade.seller] += fee / 2
        if abs(balance) > SMALL:
            value = np.maximum(grid_kwh, 0) * retail + np.maximum(-grid_kwh, 0) * feed_in
            for home in range(self.homes):
                share = min(abs(grid_kwh[home]) / abs(balance), 1)
                fees[home] += rates.imbalance * share * value[home]
        return loading, fees

    def local_fee(self, path: list[int], trade: Trade, loading: np.ndarray) -> float:
        """Return the fee on a local trade as a share of its value."""
        rates = self.fee_rates
        km = sum(self.branch_km[branch] for branch in path)
        max_loading = min(max((loading[branch] for branch in path), default=0.0), 1.0)
        is_congested = max_loading > self.threshold
        excess = max(max_loading - self.threshold, 0.0)
        fee = rates.congestion * excess
        if is_congested:
            fee = rates.penalty * fee + rates.surcharge
        fee += rates.usage * min(km * self.loss_per_km, 1.0)
        fee += min(rates.voltage * km, rates.voltage_threshold)
        thermal = max((max_loading - rates.thermal_threshold) / (1 - rates.thermal_threshold), 0.0)
        fee += min(thermal, rates.thermal_threshold)
        is_same_zone = self.zone[trade.buyer] == self.zone[trade.seller]
        return fee + (-rates.zone if is_same_zone else rates.cross_zone)

    def update_reputation(self, order: np.ndarray, traded: np.ndarray, money: np.ndarray) -> None:
        """Update the reputation of each home (MARLEM, equation 8)."""
        mean_price = money.sum() / traded.sum() if traded.sum() > 0 else 0.0
        shortage = np.sign(order.sum())
        for i in range(self.homes):
            if order[i] == 0:
                continue
            fairness = 0.5
            if traded[i] > 0:
                distance = abs(money[i] / traded[i] - mean_price) / (abs(mean_price) or 1.0)
                fairness = max(0.0, 1 - distance)
            balance = (1 - shortage * np.sign(order[i])) / 2
            score = 0.4 * traded[i] / abs(order[i]) + 0.3 * fairness + 0.3 * balance
            self.reputation[i] = 0.9 * self.reputation[i] + 0.1 * min(max(score, 0.0), 1.0)

    def update_indicators(
        self,
        market: Market,
        net: np.ndarray,
        grid_kwh: np.ndarray,
        loading: np.ndarray,
        tradable: np.ndarray,
    ) -> None:
        """Compute the market indicators of the step (MARLEM, section 3.6)."""
        k = self.indicators
        bought, sold = market.bought, market.sold
        money = market.paid.sum() + market.earned.sum()
        if bought.sum() > 0:
            k["clearing_price"] = money / 2 / bought.sum()
        self.prices = [*self.prices, k["clearing_price"]][-self.window_steps :]
        self.volumes = [*self.volumes, bought.sum()][-self.window_steps :]
        buys, sells = market.order > 0, market.order < 0
        buyer_gain = market.reservation_price * bought - market.paid
        seller_gain = market.earned - market.feed_in * sold
        k["turnover"] = money / 2
        k["gains_from_trade"] = (buyer_gain + seller_gain).sum()
        k["liquidity"] = bought.sum()
        k["spread"] = 0.0
        if buys.any() and sells.any():
            k["spread"] = market.price[sells].mean() - market.price[buys].mean()
        k["volatility"] = np.std(self.prices)
        imbalance = abs(market.order.sum()) / self.scales.network_capacity_kwh
        k["imbalance"] = min(imbalance, 1.0)
        k["coordination"] = 1 - k["imbalance"]
        k["congestion"] = np.minimum(loading, 1).mean()
        k["net_export"] = -net.sum()
        k["grid_import"] = np.maximum(grid_kwh, 0).sum()
        k["grid_export"] = np.maximum(-grid_kwh, 0).sum()
        local = bought.sum() + sold.sum()
        traded = local + k["grid_import"] + k["grid_export"]
        k["self_consumption"] = local / traded if traded > 0 else 0.0
        k["flexibility"] = min(local / tradable.sum(), 1.0) if tradable.sum() > 0 else 0.0

    def reward(
        self, market: Market, grid_kwh: np.ndarray, unmet: np.ndarray, net_load: np.ndarray
    ) -> np.ndarray:
        """Return the reward of each home (MARLEM, equation 2)."""
        k = self.indicators
        price_range = max(self.scales.max_price - self.scales.min_price, SMALL)
        cooperation = self.cooperation(price_range)
        shortage = market.order.sum()
        traded = market.bought + market.sold
        reward = np.zeros(self.homes)
        for i in range(self.homes):
            order = abs(market.order[i])
            parts = dict.fromkeys(BASE_WEIGHTS, 0.0)
            if order > SMALL:
                gain = market.reservation_price * market.bought[i] - market.paid[i]
                gain += market.earned[i] - market.feed_in * market.sold[i]
                balance = -np.sign(shortage) * market.order[i] / max(abs(shortage), SMALL)
                parts["economic"] = min(max(gain / (price_range * order), -1), 1)
                parts["grid"] = min(max(balance, -1), 1)
                parts["resource"] = min(traded[i] / order, 1)
            parts["trading"] = float(traded[i] > 0)
            distance = abs(k["clearing_price"] - np.mean(self.prices)) / price_range
            parts["stability"] = 1 - min(distance, 1)
            base = sum(BASE_WEIGHTS[name] * parts[name] for name in BASE_WEIGHTS)
            fairness = 0.5
            if traded[i] > 0:
                own_price = (market.paid[i] + market.earned[i]) / traded[i]
                reference = max(abs(k["clearing_price"]), SMALL)
                fairness = 1 - min(abs(own_price - k["clearing_price"]) / reference, 1)
            contribution = 0.5 * (1 + parts["grid"]) / 2 + 0.2 * fairness
            contribution += 0.3 * parts["resource"]
            moved = abs(grid_kwh[i]) + traded[i]
            penalty = abs(grid_kwh[i]) / moved if moved > 1e-6 else 0.0
            if net_load[i] > SMALL:
                penalty += min(unmet[i] / net_load[i], 1)
            reward[i] = base + base * cooperation * contribution - penalty
        return reward

    def cooperation(self, price_range: float) -> float:
        """Return f_coop, the mean of market indicators scaled so that 1 is best."""
        k = self.indicators
        mean_volume = np.mean(self.volumes)
        convergence = 1.0
        if mean_volume > SMALL:
            convergence = min(max(1 - np.std(self.volumes) / mean_volume, 0.0), 1.0)
        gains = 0.0
        if k["liquidity"] > 0:
            gains = min(max(k["gains_from_trade"] / (price_range * k["liquidity"]), 0), 1)
        parts = [
            gains,
            1 - min(k["volatility"] / price_range, 1),
            1 - k["imbalance"],
            1 - k["congestion"],
            convergence,
            k["self_consumption"],
            k["flexibility"],
        ]
        return float(np.mean(parts))

    def observe(self) -> np.ndarray:
        """Return the 30 columns of the observation preset `marlem`."""
        scales, k = self.scales, self.indicators
        max_price, max_order = scales.max_price, scales.max_order_kwh
        capacity = scales.network_capacity_kwh
        last = len(self.series.hour) - 1
        t = min(self.time, last)
        next_t = min(self.time + 1, last)
        retail, feed_in = self.grid_prices(t)
        angle = 2 * math.pi * self.series.hour[t] / 24
        charge, discharge = self.battery_limits()
        load, solar = self.series.load_kwh, self.series.solar_kwh
        net_load = load[t] - solar[t]
        deficit = np.where(self.deficit > 0, self.deficit, 1)
        unmet = np.minimum(np.where(self.deficit > 0, self.unmet / deficit, 0), 1)
        public = [
            math.sin(angle),
            math.cos(angle),
            self.time / self.steps,
            k["clearing_price"] / max_price,
            k["liquidity"] / capacity,
            k["grid_import"] / capacity,
            k["grid_export"] / capacity,
            retail / max_price,
            feed_in / max_price,
            self.reputation.mean(),
        ]
        private = [
            load[t] / max_order,
            solar[t] / max_order,
            load[next_t] / max_order,
            solar[next_t] / max_order,
            self.stored / self.battery.capacity_kwh,
            (np.maximum(-net_load, 0) + discharge) / max_order,
            (np.maximum(net_load, 0) + charge) / max_order,
            self.profit / (max_price * max_order * max(self.time, 1)),
            self.reputation,
            unmet,
        ]
        shared = [
            k["turnover"] / (max_price * capacity),
            k["gains_from_trade"] / (max_price * capacity),
            k["spread"] / max_price,
            k["volatility"] / max_price,
            k["imbalance"],
            k["congestion"],
            k["net_export"] / capacity,
            k["self_consumption"],
            k["flexibility"],
            k["coordination"],
        ]
        columns = [np.broadcast_to(value, self.homes) for value in (*public, *private, *shared)]
        return np.stack(columns, axis=1)


def double_auction(order: np.ndarray, price: np.ndarray) -> list[Trade]:
    """Match sorted bids and asks in whole ticks, at the midpoint of each pair's prices."""
    open_ticks = [math.floor(abs(kwh) / ENERGY_TICK_KWH + TICK_TOLERANCE) for kwh in order]
    levels = [
        math.floor(limit / PRICE_TICK + TICK_TOLERANCE)
        if kwh > 0
        else math.ceil(limit / PRICE_TICK - TICK_TOLERANCE)
        for kwh, limit in zip(order, price, strict=True)
    ]
    homes = range(len(order))
    buyers = sorted((i for i in homes if order[i] > 0), key=lambda i: (-levels[i], i))
    sellers = sorted((i for i in homes if order[i] <= 0), key=lambda i: (levels[i], i))
    trades = []
    bid = ask = 0
    while bid < len(buyers) and ask < len(sellers):
        i, j = buyers[bid], sellers[ask]
        if levels[i] < levels[j]:
            break
        ticks = min(open_ticks[i], open_ticks[j])
        if ticks:
            midpoint = (levels[i] + levels[j]) / 2 * PRICE_TICK
            trades.append(Trade(i, j, ticks * ENERGY_TICK_KWH, midpoint))
        open_ticks[i] -= ticks
        open_ticks[j] -= ticks
        bid += open_ticks[i] == 0
        ask += open_ticks[j] == 0
    return trades


def make_numpy_environment(env: CommunityEnv, scenario: dict) -> NumpyEnvironment:
    """Build the conventional environment of a scenario.

    Args:
        env: Environment of the scenario.
        scenario: Scenario with its feeder.
    """
    profiles = read_profiles(prosumax.load_scenario(scenario))
    return NumpyEnvironment(env, profiles.feeder, profiles.home_bus)


def _parents(feeder) -> dict[int, tuple[int | None, int | None, int]]:
    """Return parent bus, connecting branch and depth of every bus of a radial feeder."""
    neighbors: dict[int, list[tuple[int, int]]] = {}
    branches = feeder.branches
    ends = zip(branches.from_bus.tolist(), branches.to_bus.tolist(), strict=True)
    for branch, (a, b) in enumerate(ends):
        neighbors.setdefault(a, []).append((b, branch))
        neighbors.setdefault(b, []).append((a, branch))
    parents: dict[int, tuple[int | None, int | None, int]] = {feeder.source_bus: (None, None, 0)}
    queue = [feeder.source_bus]
    for bus in queue:
        for other, branch in neighbors[bus]:
            if other not in parents:
                parents[other] = (bus, branch, parents[bus][2] + 1)
                queue.append(other)
    return parents
