"""The environment of `environment.py` once more, the way it is usually written: NumPy per home, Python per order.

It shares no code with prosumax but reads the same parameters. `environment.py` checks that both give the same rewards
and observations, and says how much faster the compiled one is.
"""

import math

import jax
import numpy as np

import prosumax
from prosumax.rl.env import CommunityEnv
from prosumax.simulation.inputs import read_profiles

TICK_PRICE, TICK_KWH = 1e-4, 0.01
WEIGHTS = {"economic": 0.5, "grid": 0.2, "resource": 0.1, "trading": 0.1, "stability": 0.1}


class NumpyEnvironment:
    """Bids on a radial feeder under MARLEM's rules; one community."""

    def __init__(self, env: CommunityEnv) -> None:
        params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), env.params)
        self.steps, self.homes, self.scales = env.config.steps, env.num_agents, params.scales
        community = params.community
        self.series, self.battery, self.hours = (
            community.series,
            community.homes.battery,
            float(community.step_hours),
        )
        self.rates, self.tariff = community.network.operator.rates, community.rates
        self.capacity = community.network.capacity_kw * self.hours
        self.loss_per_km, self.zone = float(community.network.loss_per_km), community.network.zone
        self.threshold = float(community.network.operator.threshold)
        self.window_steps = env.config.window

    def wire(self, feeder, home_bus) -> None:
        """Who is whose parent, from the branches of the feeder."""
        ends = list(
            zip(feeder.branches.from_bus.tolist(), feeder.branches.to_bus.tolist(), strict=True)
        )
        near = {}
        for number, (a, b) in enumerate(ends):
            near.setdefault(a, []).append((b, number))
            near.setdefault(b, []).append((a, number))
        self.parent, queue = {feeder.source: (None, None, 0)}, [feeder.source]
        for bus in queue:
            for other, branch in near[bus]:
                if other not in self.parent:
                    self.parent[other] = (bus, branch, self.parent[bus][2] + 1)
                    queue.append(other)
        self.place = [*np.asarray(home_bus).tolist(), feeder.source]
        self.km = feeder.branches.length_km

    def way(self, a: int, b: int) -> list[int]:
        """Branches between two places, walked bus by bus."""
        a, b, found = self.place[a], self.place[b], []
        while a != b:
            if self.parent[a][2] >= self.parent[b][2]:
                found.append(self.parent[a][1])
                a = self.parent[a][0]
            else:
                found.append(self.parent[b][1])
                b = self.parent[b][0]
        return found

    def reset(self) -> np.ndarray:
        self.time = 0
        self.stored = self.battery.initial_soc * self.battery.capacity_kwh
        self.reputation = np.full(self.homes, 0.5)
        self.prices, self.volumes = [], []
        self.profit, self.need, self.unmet = (
            np.zeros(self.homes),
            np.zeros(self.homes),
            np.zeros(self.homes),
        )
        retail, feed_in = self.offers(0)
        names = (
            "turnover",
            "surplus",
            "liquidity",
            "spread",
            "volatility",
            "imbalance",
            "congestion",
            "balance",
        )
        self.kpis = dict.fromkeys(
            (*names, "self_consumption", "flexibility", "bought", "sold"), 0.0
        )
        self.kpis |= {"coordination": 1.0, "price": (retail - self.local_charge(0) + feed_in) / 2}
        return self.observe()

    def offers(self, t: int) -> tuple[float, float]:
        tariff = self.series.tariff
        gross = 1 + float(self.tariff.vat)
        return (tariff.energy[t] + tariff.network[t] + tariff.levies[t]) * gross, tariff.feed_in[t]

    def local_charge(self, t: int) -> float:
        tariff, rates = self.series.tariff, self.tariff
        return (rates.local_network * tariff.network[t] + rates.local_levies * tariff.levies[t]) * (
            1 + rates.vat
        )

    def reach(self) -> tuple[np.ndarray, np.ndarray]:
        """What the batteries can take and give in a step, at the AC side (flat efficiency, full power)."""
        b = self.battery
        one_way = np.sqrt(b.charge_curve[:, 0]), np.sqrt(b.discharge_curve[:, 0])
        room = np.maximum(b.soc_max * b.capacity_kwh - self.stored, 0)
        available = np.maximum(self.stored - b.soc_min * b.capacity_kwh, 0)
        return (
            np.minimum(b.charge_kw * self.hours, room / one_way[0]),
            np.minimum(b.discharge_kw * self.hours, available * one_way[1]),
        )

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t, homes, scales = self.time, self.homes, self.scales
        load, solar = self.series.load_kwh[t], self.series.solar_kwh[t]
        retail, feed_in = self.offers(t)
        worth = retail - self.local_charge(t)
        # Decode and limit.
        price = scales.lowest_price + np.clip(action[:, 0], 0, 1) * (
            scales.price - scales.lowest_price
        )
        wish = np.clip(action[:, 1], 0, 1) * scales.energy_kwh * np.where(action[:, 2] > 0.5, 1, -1)
        slot = np.clip(np.floor(action[:, 3] * (homes + 2)).astype(int), 0, homes + 1)
        partner = [
            -2 if s == homes else -1 if s > homes or s == i else int(s) for i, s in enumerate(slot)
        ]
        need = load - solar
        charge, discharge = self.reach()
        most_sold, most_bought = np.maximum(-need, 0) + discharge, np.maximum(need, 0) + charge
        wish = np.clip(wish, -most_sold, most_bought)
        # The battery covers what the order leaves open.
        request = wish - need
        moved_in, moved_out = np.clip(request, 0, charge), np.clip(-request, 0, discharge)
        b = self.battery
        self.stored = self.stored + moved_in * np.sqrt(b.charge_curve[:, 0])
        self.stored -= moved_out / np.sqrt(b.discharge_curve[:, 0])
        net = need + moved_in - moved_out
        # Partners, then the auction.
        trades, left = [], wish.copy()
        for i in range(homes):
            j = partner[i]
            if j >= 0 and partner[j] == i and wish[i] > 0 > wish[j] and price[i] >= price[j]:
                trades.append((i, j, min(wish[i], -wish[j]), (price[i] + price[j]) / 2))
        for i, j, kwh, _ in trades:
            left[i] -= kwh
            left[j] += kwh
        left[[p == -2 for p in partner]] = 0
        trades += auction(left, price)
        bought, sold, paid, earned = np.zeros((4, homes))
        for i, j, kwh, at in trades:
            bought[i] += kwh
            sold[j] += kwh
            paid[i] += kwh * at
            earned[j] += kwh * at
        # The grid side, flows over paths, fees.
        rest = net - bought + sold
        grid_bought, grid_sold = np.maximum(rest, 0), np.maximum(-rest, 0)
        moves = [(i, j, kwh, kwh * max(at, 0.0), 0) for i, j, kwh, at in trades]
        moves += [
            (
                i,
                homes,
                grid_bought[i] + grid_sold[i],
                grid_bought[i] * retail + grid_sold[i] * feed_in,
                1,
            )
            for i in range(homes)
        ]
        carried = np.zeros(len(self.capacity))
        ways = [self.way(i, j) for i, j, *_ in moves]
        for way, move in zip(ways, moves, strict=True):
            for branch in way:
                carried[branch] += move[2]
        loading = carried / self.capacity
        balance, r, fees = -net.sum(), self.rates, np.zeros(homes)
        for way, (i, j, kwh, value, with_grid) in zip(ways, moves, strict=True):
            if with_grid:
                if abs(balance) > 1e-9:
                    fees[i] += r.imbalance * min(kwh / abs(balance), 1) * value
                continue
            km = sum(self.km[branch] for branch in way)
            full = min(max((loading[branch] for branch in way), default=0.0), 1.0)
            punished = full > self.threshold
            over = max(full - self.threshold, 0.0)
            fee = (r.penalty if punished else 1.0) * r.congestion * over + (
                r.surcharge if punished else 0.0
            )
            fee += r.usage * min(km * self.loss_per_km, 1.0) + min(
                r.voltage * km, r.voltage_threshold
            )
            heat = max((full - r.thermal_threshold) / (1 - r.thermal_threshold), 0.0)
            fee += min(heat, r.thermal_threshold)
            fee += -r.zone if self.zone[i] == self.zone[j] else r.cross_zone
            fees[i] += fee * value / 2
            fees[j] += fee * value / 2
        tariff, rates = self.series.tariff, self.tariff
        bill = grid_bought * tariff.energy[t]
        bill += (grid_bought + rates.local_network * bought) * tariff.network[t]
        bill += (grid_bought + rates.local_levies * bought) * tariff.levies[t]
        bill = bill * (1 + rates.vat) + fees + paid - earned - grid_sold * feed_in
        self.rate(wish, bought + sold, paid + earned)
        unmet = np.maximum(net - np.maximum(wish, 0), 0)
        reward = self.measure(wish, price, net, bought, sold, paid, earned, rest, loading, worth, feed_in,
                              most_sold + most_bought, unmet, need)  # fmt: skip
        self.profit -= bill
        self.need += np.maximum(need, 0)
        self.unmet += unmet
        self.time += 1
        return reward, self.observe()

    def rate(self, wish: np.ndarray, traded: np.ndarray, money: np.ndarray) -> None:
        """Equation 8."""
        mean = money.sum() / traded.sum() if traded.sum() > 0 else 0.0
        short = np.sign(wish.sum())
        for i in range(self.homes):
            if wish[i] == 0:
                continue
            fair = 0.5
            if traded[i] > 0:
                fair = max(0.0, 1 - abs(money[i] / traded[i] - mean) / (abs(mean) or 1.0))
            score = (
                0.4 * traded[i] / abs(wish[i])
                + 0.3 * fair
                + 0.3 * (1 - short * np.sign(wish[i])) / 2
            )
            self.reputation[i] = 0.9 * self.reputation[i] + 0.1 * min(max(score, 0.0), 1.0)

    def measure(self, wish, price, net, bought, sold, paid, earned, rest, loading, worth, feed_in, available, unmet,
                need):  # fmt: skip
        """Key figures of section 3.6, and the reward of equation 2."""
        s, k = self.scales, self.kpis
        span = max(s.price - s.lowest_price, 1e-9)
        if bought.sum() > 0:
            k["price"] = (paid.sum() + earned.sum()) / 2 / bought.sum()
        self.prices = [*self.prices, k["price"]][-self.window_steps :]
        self.volumes = [*self.volumes, bought.sum()][-self.window_steps :]
        buys, sells = wish > 0, wish < 0
        k["turnover"] = (paid.sum() + earned.sum()) / 2
        k["surplus"] = (worth * bought - paid + earned - feed_in * sold).sum()
        k["liquidity"] = bought.sum()
        k["spread"] = (
            price[sells].mean() - price[buys].mean() if buys.any() and sells.any() else 0.0
        )
        k["volatility"] = np.std(self.prices)
        k["imbalance"] = min(abs(wish.sum()) / s.capacity_kwh, 1.0)
        k["congestion"] = np.minimum(loading, 1).mean()
        k["balance"] = -net.sum()
        k["bought"], k["sold"] = np.maximum(rest, 0).sum(), np.maximum(-rest, 0).sum()
        local = bought.sum() + sold.sum()
        moved = local + k["bought"] + k["sold"]
        k["self_consumption"] = local / moved if moved > 0 else 0.0
        k["flexibility"] = min(local / available.sum(), 1.0) if available.sum() > 0 else 0.0
        k["coordination"] = 1 - k["imbalance"]
        mean = np.mean(self.volumes)
        steady = min(max(1 - np.std(self.volumes) / mean, 0.0), 1.0) if mean > 1e-9 else 1.0
        good = k["surplus"] / (span * k["liquidity"]) if k["liquidity"] > 0 else 0.0
        market = [
            min(max(good, 0), 1),
            1 - min(k["volatility"] / span, 1),
            1 - k["imbalance"],
            1 - k["congestion"],
        ]
        cooperation = np.mean([*market, steady, k["self_consumption"], k["flexibility"]])
        short, traded = wish.sum(), bought + sold
        reward = np.zeros(self.homes)
        for i in range(self.homes):
            order, parts = abs(wish[i]), dict.fromkeys(WEIGHTS, 0.0)
            if order > 1e-9:
                gain = worth * bought[i] - paid[i] + earned[i] - feed_in * sold[i]
                parts["economic"] = min(max(gain / (span * order), -1), 1)
                parts["grid"] = min(max(-np.sign(short) * wish[i] / max(abs(short), 1e-9), -1), 1)
                parts["resource"] = min(traded[i] / order, 1)
            parts["trading"] = float(traded[i] > 0)
            parts["stability"] = 1 - min(abs(k["price"] - np.mean(self.prices)) / span, 1)
            base = sum(WEIGHTS[name] * parts[name] for name in WEIGHTS)
            fair = 0.5
            if traded[i] > 0:
                own = (paid[i] + earned[i]) / traded[i]
                fair = 1 - min(abs(own - k["price"]) / max(abs(k["price"]), 1e-9), 1)
            contribution = 0.5 * (1 + parts["grid"]) / 2 + 0.2 * fair + 0.3 * parts["resource"]
            through = abs(rest[i]) + traded[i]
            penalty = abs(rest[i]) / through if through > 1e-6 else 0.0
            penalty += min(unmet[i] / need[i], 1) if need[i] > 1e-9 else 0.0
            reward[i] = base + base * cooperation * contribution - penalty
        return reward

    def observe(self) -> np.ndarray:
        """The 30 columns of observation preset `marlem`."""
        s, k, homes = self.scales, self.kpis, self.homes
        t = min(self.time, len(self.series.hour) - 1)
        ahead = min(self.time + 1, len(self.series.hour) - 1)
        retail, feed_in = self.offers(t)
        angle = 2 * math.pi * self.series.hour[t] / 24
        charge, discharge = self.reach()
        load, solar, capacity = (
            self.series.load_kwh,
            self.series.solar_kwh,
            self.battery.capacity_kwh,
        )
        need = load[t] - solar[t]
        public = [math.sin(angle), math.cos(angle), self.time / self.steps, k["price"] / s.price]
        public += [k[name] / s.capacity_kwh for name in ("liquidity", "bought", "sold")]
        public += [retail / s.price, feed_in / s.price, self.reputation.mean()]
        private = [load[t] / s.energy_kwh, solar[t] / s.energy_kwh, load[ahead] / s.energy_kwh]
        private += [solar[ahead] / s.energy_kwh, self.stored / capacity]
        private += [
            (np.maximum(-need, 0) + discharge) / s.energy_kwh,
            (np.maximum(need, 0) + charge) / s.energy_kwh,
        ]
        private += [self.profit / (s.price * s.energy_kwh * max(self.time, 1)), self.reputation]
        private += [
            np.minimum(
                np.where(self.need > 0, self.unmet / np.where(self.need > 0, self.need, 1), 0), 1
            )
        ]
        shared = [
            k["turnover"] / (s.price * s.capacity_kwh),
            k["surplus"] / (s.price * s.capacity_kwh),
        ]
        shared += [
            k["spread"] / s.price,
            k["volatility"] / s.price,
            k["imbalance"],
            k["congestion"],
        ]
        shared += [
            k["balance"] / s.capacity_kwh,
            k["self_consumption"],
            k["flexibility"],
            k["coordination"],
        ]
        return np.stack(
            [np.broadcast_to(value, homes) for value in (*public, *private, *shared)], axis=1
        )


def auction(wish: np.ndarray, price: np.ndarray) -> list[tuple[int, int, float, float]]:
    """Sorted double auction in whole ticks at the middle of each pair's prices."""
    ticks = [int(math.floor(abs(kwh) / TICK_KWH + 0.01)) for kwh in wish]
    level = [
        math.floor(p / TICK_PRICE + 0.01) if kwh > 0 else math.ceil(p / TICK_PRICE - 0.01)
        for kwh, p in zip(wish, price, strict=True)
    ]
    homes = range(len(wish))
    buyers = sorted((i for i in homes if wish[i] > 0), key=lambda i: (-level[i], i))
    sellers = sorted((i for i in homes if wish[i] <= 0), key=lambda i: (level[i], i))
    found, left, b, s = [], ticks[:], 0, 0
    while b < len(buyers) and s < len(sellers):
        i, j = buyers[b], sellers[s]
        if level[i] < level[j]:
            break
        amount = min(left[i], left[j])
        if amount:
            found.append((i, j, amount * TICK_KWH, (level[i] + level[j]) / 2 * TICK_PRICE))
        left[i] -= amount
        left[j] -= amount
        b, s = b + (left[i] == 0), s + (left[j] == 0)
    return found


def twin(env: CommunityEnv, scenario: dict) -> NumpyEnvironment:
    """The same community."""
    inputs = read_profiles(prosumax.load_scenario(scenario))
    own = NumpyEnvironment(env)
    own.wire(inputs.feeder, inputs.home_bus)
    return own
