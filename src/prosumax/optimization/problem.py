"""Optimization problem of a scenario: meters, prices and devices, and the cost of a plan.

All arrays are in double precision.
"""

from dataclasses import dataclass, replace

import jax
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.devices.battery import BatteryParams
from prosumax.errors import InputError
from prosumax.optimization.flexible import FlexibleDevices, build_flexible_devices
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.annual import billing_period
from prosumax.tariff.capacity import MeterCalendar, month_membership, monthly_peaks
from prosumax.tariff.net_metering import apply_net_metering, assign_registers
from prosumax.tariff.plan_costs import total_plan_costs
from prosumax.tariff.prices import (
    export_price_series,
    local_grid_fee_series,
    retail_price_series,
    seller_price_series,
)
from prosumax.types import EventSeries

Array = NDArray[np.float64]

# Tolerance of the comparison of prices in double precision.
_PRICE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Problem:
    """Everything that the optimum of a scenario depends on.

    The mechanism and the policies are not part of it.

    Attributes:
        name: Name of the scenario, for messages.
        names: Names of the homes.
        step_hours: Length of a step in hours.
        net_kwh: Load minus PV generation with devices under their default control and idle home
            batteries, before limits of the supply [step, home].
        buy_price: All-in price of a kWh from the grid, including the carbon price on its emissions
            [step].
        retail_price: The same without the carbon price [step].
        sell_price: Feed-in price less the fees on exports [step].
        local_grid_fee: Charges that buyer and seller pay on a kWh that a home sells to another
            instead of to the supplier [step].
        month: Calendar month of each step, counted from 0 [step].
        metering_interval: Quarter-hour of each step, or the step itself if it is longer [step].
        capacity_price: Price per kW of a month's highest import, VAT included [month].
        min_billed_peak_kw: Lowest peak that is billed.
        fixed_fees: Fixed fees of each home over the period, VAT included.
        member_fees: Fees of the community over the period, which a home alone does not pay.
        net_metered: Whether exports of each home cancel its imports afterward, which plans do not
            consider.
        carbon_price: Price per kg CO2, which `buy_price` includes.
        battery: Batteries, one entry per home.
        devices: Devices other than the home battery, and events; None if there are neither.
    """

    name: str
    names: tuple[str, ...]
    step_hours: float
    net_kwh: Float[Array, "step home"]
    buy_price: Float[Array, " step"]
    retail_price: Float[Array, " step"]
    sell_price: Float[Array, " step"]
    local_grid_fee: Float[Array, " step"]
    month: Int[NDArray[np.int64], " step"]
    metering_interval: Int[NDArray[np.int64], " step"]
    capacity_price: Float[Array, " month"]
    min_billed_peak_kw: float
    fixed_fees: Float[Array, " home"]
    member_fees: Float[Array, " home"]
    net_metered: NDArray[np.bool_]
    carbon_price: float
    battery: BatteryParams
    devices: FlexibleDevices | None = None

    @property
    def events(self) -> EventSeries | None:
        """Events of the homes in NumPy; None without any."""
        return None if self.devices is None else self.devices.events

    @property
    def home_capacity_price(self) -> Float[Array, "month home"]:
        """Price per kW of a month's highest import, for the part of it that a home is a member."""
        price = np.tile(self.capacity_price[:, None], len(self.names))
        if self.events is None or self.events.present is None:
            return price
        return price * month_membership(self.month, np.asarray(self.events.present))

    def metered(self, net_kwh: Float[Array, "step home"]) -> Float[Array, "step home"]:
        """Return what the meters show: within the limits of the supply.

        Args:
            net_kwh: Net energy of the homes, positive when importing.
        """
        events = self.events
        if events is None or events.import_kwh is None or events.export_kwh is None:
            return net_kwh
        return np.clip(net_kwh, -np.asarray(events.export_kwh), np.asarray(events.import_kwh))

    @property
    def storage_homes(self) -> NDArray[np.int64]:
        """Positions of the homes that have a battery."""
        return np.flatnonzero(np.asarray(self.battery.capacity_kwh) > 0)

    @property
    def controllable_homes(self) -> NDArray[np.int64]:
        """Positions of the homes that have a battery or another device with a program."""
        if self.devices is None:
            return self.storage_homes
        has_battery = np.asarray(self.battery.capacity_kwh) > 0
        return np.flatnonzero(has_battery | self.devices.is_planned)

    @property
    def has_negative_price(self) -> NDArray[np.bool_]:
        """True in steps with a negative price of buying or selling [step]."""
        return np.asarray((self.buy_price < 0) | (self.sell_price < 0))

    @property
    def sharing_gain(self) -> Float[Array, " step"]:
        """Gain per kWh that one home sells to another instead of to the grid, >= 0 [step]."""
        return np.maximum(self.buy_price - self.sell_price - self.local_grid_fee, 0)

    def select_homes(self, homes: NDArray[np.int64]) -> "Problem":
        """Return the problem of some of the homes.

        Args:
            homes: Positions of the homes.
        """
        battery: BatteryParams = jax.tree.map(lambda leaf: leaf[homes], self.battery)
        return replace(
            self,
            names=tuple(self.names[home] for home in homes),
            net_kwh=self.net_kwh[:, homes],
            fixed_fees=self.fixed_fees[homes],
            member_fees=self.member_fees[homes],
            net_metered=self.net_metered[homes],
            battery=battery,
            devices=None if self.devices is None else self.devices.select_homes(homes),
        )

    @property
    def without_devices(self) -> "Problem":
        """The problem with all devices but the home battery under their default control."""
        return replace(self, devices=None)

    def select_steps(self, first: int, last: int) -> "Problem":
        """Return the problem of some steps, with their share of monthly and fixed fees.

        Args:
            first: First step.
            last: One past the last step.
        """
        steps = slice(first, last)
        months, month, counts = np.unique(
            self.month[steps], return_inverse=True, return_counts=True
        )
        month_steps = np.bincount(self.month)[months]
        interval = self.metering_interval[steps]
        devices = self.devices
        net_kwh = self.net_kwh[steps]
        if devices is not None:
            devices, net_kwh = devices.select_steps(first, last, self.step_hours)
        return replace(
            self,
            net_kwh=net_kwh,
            buy_price=self.buy_price[steps],
            retail_price=self.retail_price[steps],
            sell_price=self.sell_price[steps],
            local_grid_fee=self.local_grid_fee[steps],
            month=month,
            metering_interval=interval - interval[0],
            capacity_price=self.capacity_price[months] * counts / month_steps,
            fixed_fees=self.fixed_fees * (last - first) / len(self.net_kwh),
            member_fees=self.member_fees * (last - first) / len(self.net_kwh),
            devices=devices,
        )


def build_problem(scenario: Scenario, profiles: Profiles, community: Community) -> Problem:
    """Build the optimization problem of a scenario.

    Args:
        scenario: The scenario.
        profiles: Its input series.
        community: Its arrays. The devices are taken from here, so that the optimum has the same
            digits as the simulation.
    """
    prices = profiles.prices
    tariff = scenario.tariff
    hours = scenario.period.step_hours
    carbon_price = scenario.objective.carbon_price_per_kg
    retail = retail_price_series(prices, tariff)
    carbon_cost = np.zeros_like(retail)
    if carbon_price:
        carbon_cost = carbon_price * prices["emission_factor_kg_per_kwh"]
    period = billing_period(scenario, profiles)
    costs = total_plan_costs(period)
    battery: BatteryParams = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), community.homes.battery
    )
    base_kwh = profiles.load_kwh - profiles.solar_kwh
    devices, net_kwh = build_flexible_devices(
        community.homes, community.series.devices, base_kwh, hours
    )
    return Problem(
        name=scenario.name,
        names=tuple(home.name for home in scenario.homes),
        step_hours=hours,
        net_kwh=net_kwh,
        buy_price=retail + carbon_cost,
        retail_price=retail,
        sell_price=export_price_series(prices),
        local_grid_fee=(
            local_grid_fee_series(prices, tariff)
            + seller_price_series(prices)
            - export_price_series(prices)
        ),
        month=period.calendar.month,
        metering_interval=period.calendar.interval,
        capacity_price=costs.peak_price,
        min_billed_peak_kw=costs.min_peak_kw,
        fixed_fees=costs.fixed_fee,
        member_fees=costs.member_fee,
        net_metered=period.net_metering_kw > 0,
        carbon_price=carbon_price,
        battery=battery,
        devices=devices,
    )


def check_plannable(problem: Problem) -> None:
    """Check that no home has a net meter, which plans do not consider.

    Args:
        problem: The problem.

    Raises:
        InputError: If exports of a home cancel its imports.
    """
    if problem.net_metered.any():
        name = problem.names[int(np.argmax(problem.net_metered))]
        raise InputError(
            f"{problem.name}: homes.{name}.net_metering_kw",
            "net metering cannot be planned: exports cancel imports of other days",
            "Use policy self-consumption or another rule, and --no-optimum.",
        )


def check_bounded(problem: Problem) -> None:
    """Check that a program without binaries is bounded.

    Such a program could earn by buying and selling at once, which a meter nets.

    Args:
        problem: The problem.

    Raises:
        InputError: If selling to the grid pays more than buying from it costs.
    """
    is_wrong = problem.sell_price > problem.buy_price + _PRICE_TOLERANCE
    if is_wrong.any():
        step = int(np.argmax(is_wrong))
        raise InputError(
            f"{problem.name}: tariff.feed_in",
            f"the price is {problem.sell_price[step]:g} in step {step}, where a kWh from the"
            " grid costs "
            f"{problem.buy_price[step]:g} ({int(is_wrong.sum())} such steps): the plan is"
            " unbounded",
            "Use policy optimal, which supports such steps, or lower the feed-in price.",
        )


def individual_cost(problem: Problem, net_kwh: Float[Array, "step home"]) -> Float[Array, " home"]:
    """Compute the cost of each home without exchange: energy, carbon, capacity and fixed fees.

    Args:
        problem: The problem.
        net_kwh: Net energy of the homes, positive when importing, before limits of the supply.
    """
    net_kwh = problem.metered(net_kwh)
    imported = np.maximum(net_kwh, 0)
    exported = np.maximum(-net_kwh, 0)
    cost: Array = (
        problem.buy_price @ imported
        - problem.sell_price @ exported
        + capacity_charges(problem, imported)
        + problem.fixed_fees
    )
    if problem.net_metered.any():
        register = assign_registers(problem.retail_price, problem.sell_price)
        first = np.unique(register, return_index=True)[1]
        netting = apply_net_metering(
            imported, exported, register, problem.sell_price, problem.net_metered.astype(float)
        )
        refund = problem.retail_price[first] @ netting.netted_kwh
        cost = cost - refund + netting.lost_feed_in
    return cost


def community_cost(problem: Problem, net_kwh: Float[Array, "step home"]) -> float:
    """Compute the cost of all homes when surplus covers deficits before it is sold to the grid.

    Args:
        problem: The problem.
        net_kwh: Net energy of the homes, positive when importing, before limits of the supply.
    """
    net_kwh = problem.metered(net_kwh)
    imported = np.maximum(net_kwh, 0)
    exported = np.maximum(-net_kwh, 0)
    shared = np.minimum(imported.sum(1), exported.sum(1))
    cost = individual_cost(problem, net_kwh).sum() + problem.member_fees.sum()
    return float(cost - problem.sharing_gain @ shared)


def capacity_charges(
    problem: Problem, import_kwh: Float[Array, "step home"]
) -> Float[Array, " home"]:
    """Compute the capacity charge of each home for its monthly peaks, VAT included.

    Args:
        problem: The problem.
        import_kwh: Imports of the homes.
    """
    calendar = MeterCalendar(problem.month, problem.metering_interval)
    peaks = monthly_peaks(import_kwh, calendar, problem.step_hours, problem.min_billed_peak_kw)
    charges: Array = (problem.home_capacity_price * peaks).sum(0)
    return charges
