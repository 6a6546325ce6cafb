"""What there is to optimise: meters, prices and batteries of a scenario, in double precision, and what a plan costs."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.devices.battery import BatteryParams
from prosumax.devices.battery_aging import AgeingParams
from prosumax.errors import InputError
from prosumax.optimization.flexible import Flexible, flexible_devices
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.tariff import total
from prosumax.simulation.build import Community
from prosumax.simulation.inputs import Profiles
from prosumax.tariff.capacity import Metering, metering, monthly_peaks
from prosumax.tariff.net_metering import compensate, registers

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """Everything the optimum of a scenario depends on; the mechanism and the policies are no part of it.

    Attributes:
        name: of the scenario, for messages.
        names: of the homes.
        step_hours: length of a step.
        net_kwh: load less solar, flexible devices following their habits [step, home].
        buy: all-in price of a kWh from the grid, the carbon price on its emissions included [step].
        retail: the same without the carbon price [step].
        sell: feed-in price [step].
        local: charges due on a kWh from a neighbour [step].
        month: number of the calendar month of each step, from 0 [step].
        metered: number of the quarter-hour of each step, or of the step itself where that is longer [step].
        capacity_price: money per kW of a month's highest import, VAT included [month].
        capacity_minimum_kw: the least highest import that is charged.
        fees: fixed fees of each home over the period, VAT included.
        net_metered: homes whose exports cancel imports afterwards; plans do not know of it.
        carbon_price: money per kg CO2, in `buy` already.
        battery: the batteries, one slot per home.
        ageing: how they age; None where none does.
        devices: cars and heat pumps; None where there are none.
    """

    name: str
    names: tuple[str, ...]
    step_hours: float
    net_kwh: Float[Array, "step home"]
    buy: Float[Array, " step"]
    retail: Float[Array, " step"]
    sell: Float[Array, " step"]
    local: Float[Array, " step"]
    month: Int[NDArray[np.int64], " step"]
    metered: Int[NDArray[np.int64], " step"]
    capacity_price: Float[Array, " month"]
    capacity_minimum_kw: float
    fees: Float[Array, " home"]
    net_metered: NDArray[np.bool_]
    carbon_price: float
    battery: BatteryParams
    ageing: AgeingParams | None = None
    devices: Flexible | None = None

    @property
    def storing(self) -> NDArray[np.int64]:
        """Numbers of the homes that have a battery."""
        return np.flatnonzero(np.asarray(self.battery.capacity_kwh) > 0)

    @property
    def deciding(self) -> NDArray[np.int64]:
        """Numbers of the homes that have a battery, a car or a heat pump."""
        if self.devices is None:
            return self.storing
        return np.flatnonzero((np.asarray(self.battery.capacity_kwh) > 0) | self.devices.planned)

    def of(self, homes: NDArray[np.int64]) -> "Problem":
        """The same for some of the homes."""
        own: Any = jax.tree.map(lambda leaf: leaf[homes], (self.battery, self.ageing))
        names = tuple(self.names[home] for home in homes)
        devices = None if self.devices is None else self.devices.of(homes)
        net_kwh, fees, net_metered = (
            self.net_kwh[:, homes],
            self.fees[homes],
            self.net_metered[homes],
        )
        mine: dict[str, Any] = {
            "names": names,
            "net_kwh": net_kwh,
            "fees": fees,
            "net_metered": net_metered,
        }
        return replace(self, **mine, battery=own[0], ageing=own[1], devices=devices)

    @property
    def without_devices(self) -> "Problem":
        """The same with cars and heat pumps left to their habits, for planners that know batteries only."""
        return replace(self, devices=None)

    def between(self, first: int, last: int) -> "Problem":
        """The same for the steps from `first` to before `last`; of what is paid by the month, their share."""
        cut = slice(first, last)
        series: dict[str, Any] = {
            name: getattr(self, name)[cut]
            for name in ("net_kwh", "buy", "retail", "sell", "local", "metered")
        }
        months, month, steps = np.unique(self.month[cut], return_inverse=True, return_counts=True)
        series |= {"month": month, "metered": series["metered"] - series["metered"][0]}
        capacity_price = self.capacity_price[months] * steps / np.bincount(self.month)[months]
        fees = self.fees * (last - first) / len(self.net_kwh)
        if self.devices is not None:
            series["devices"], series["net_kwh"] = self.devices.between(
                first, last, self.step_hours
            )
        return replace(self, **series, capacity_price=capacity_price, fees=fees)


def pose(scenario: Scenario, profiles: Profiles, community: Community) -> Problem:
    """The optimisation problem of a scenario.

    Arguments:
        scenario, profiles: as read.
        community: what `assemble` made of them; the batteries are taken from here, so that the optimum knows them with
            the same digits as the simulation.
    """
    prices, tariff, hours = profiles.prices, scenario.tariff, scenario.period.step_hours
    gross, carbon_price = 1 + tariff.vat, scenario.objective.carbon_price_per_kg
    retail = (prices["energy"] + prices["network"] + prices["levies"]) * gross
    carbon = carbon_price * prices["carbon_kg"] if carbon_price else np.zeros_like(retail)
    local = (
        tariff.local_network_share * prices["network"] + tariff.local_levies * prices["levies"]
    ) * gross
    calendar, covered = metering(profiles.local, hours)
    years = len(retail) * hours / 8760
    fees = (tariff.supplier_fee_per_year, tariff.network_fee_per_year, tariff.levies_per_year)
    inverter_kw = np.array([home.net_metering_kw or 0.0 for home in scenario.homes])
    own = (community.homes.battery, community.homes.ageing)
    exact: Any = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), own)
    load_kwh = profiles.load_kwh - profiles.solar_kwh
    devices, net_kwh = flexible_devices(community.homes, community.series.devices, load_kwh, hours)
    return Problem(
        name=scenario.name,
        names=tuple(home.name for home in scenario.homes),
        step_hours=hours,
        net_kwh=net_kwh,
        buy=retail + carbon,
        retail=retail,
        sell=prices["feed_in"],
        local=local,
        month=calendar.month,
        metered=calendar.interval,
        capacity_price=tariff.capacity_per_kw_year * gross * covered / 12,
        capacity_minimum_kw=tariff.capacity_minimum_kw,
        fees=(sum(map(total, fees)) + tariff.prosumer_per_kw_year * inverter_kw) * gross * years,
        net_metered=inverter_kw > 0,
        carbon_price=carbon_price,
        battery=exact[0],
        ageing=exact[1],
        devices=devices,
    )


def check_plannable(problem: Problem) -> None:
    """Raise `InputError` when some home's exports cancel its imports, which no plan takes into account."""
    if problem.net_metered.any():
        name = problem.names[int(np.argmax(problem.net_metered))]
        raise InputError(
            f"{problem.name}: homes.{name}.net_metering_kw",
            "cannot be planned for: its exports cancel imports of other days",
            "Use policy self-consumption or another rule, and --no-optimum.",
        )


def check_bounded(problem: Problem) -> None:
    """For programs without binaries, in which one could earn by buying and selling at once (a meter nets them).

    Raises:
        InputError: selling to the grid pays more than buying from it costs, so that the cheapest plan is unbounded.
    """
    wrong = problem.sell > problem.buy + 1e-12
    if wrong.any():
        step = int(np.argmax(wrong))
        raise InputError(
            f"{problem.name}: tariff.feed_in",
            f"is {problem.sell[step]:g} in step {step}, where a kWh from the grid costs {problem.buy[step]:g} "
            f"({int(wrong.sum())} such steps): the plan is unbounded",
            "Use policy optimal, which takes such steps into account, or lower the feed-in price.",
        )


def cost_alone(problem: Problem, net_kwh: Float[Array, "step home"]) -> Float[Array, " home"]:
    """What each home pays without exchange for these meters (positive imports): energy, carbon, capacity, fees."""
    bought, sold = np.maximum(net_kwh, 0), np.maximum(-net_kwh, 0)
    paid: Array = (
        problem.buy @ bought - problem.sell @ sold + capacity_fees(problem, bought) + problem.fees
    )
    if problem.net_metered.any():
        register = registers(problem.retail, problem.sell)
        first = np.unique(register, return_index=True)[1]
        cancelled = compensate(
            bought, sold, register, problem.sell, problem.net_metered.astype(float)
        )
        paid = paid - problem.retail[first] @ cancelled.bought_kwh + cancelled.sold
    return paid


def cost_together(problem: Problem, net_kwh: Float[Array, "step home"]) -> float:
    """What all homes pay together when surplus goes to whoever needs it, at the local charges, before the grid."""
    bought, sold = np.maximum(net_kwh, 0), np.maximum(-net_kwh, 0)
    shared = np.minimum(bought.sum(1), sold.sum(1))
    gain = np.maximum(problem.buy - problem.sell - problem.local, 0)
    return float(cost_alone(problem, net_kwh).sum() - gain @ shared)


def capacity_fees(problem: Problem, bought_kwh: Float[Array, "step home"]) -> Float[Array, " home"]:
    """What each home pays for its highest imports, VAT included; `bought_kwh` is its meter's import [step, home]."""
    calendar = Metering(problem.month, problem.metered)
    peaks = monthly_peaks(bought_kwh, calendar, problem.step_hours, problem.capacity_minimum_kw)
    fees: Array = problem.capacity_price @ peaks
    return fees
