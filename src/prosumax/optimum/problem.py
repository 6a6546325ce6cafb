"""What there is to optimise: meters, prices and batteries of a scenario, in double precision, and what a plan costs."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from prosumax.community import Community
from prosumax.errors import InputError
from prosumax.household.ageing import AgeingParams
from prosumax.household.battery import BatteryParams
from prosumax.inputs import Profiles
from prosumax.optimum.flexible import Flexible, flexible_devices
from prosumax.scenario import Scenario
from prosumax.tariff import capacity_charge, month_hours

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
        sell: feed-in price [step].
        local: charges due on a kWh from a neighbour [step].
        month: number of the calendar month of each step, from 0 [step].
        capacity_price: money per kW of a month's highest import, VAT included [month].
        capacity_minimum_kw: the least highest import that is charged.
        fees: fixed fees of one home over the period, VAT included.
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
    sell: Float[Array, " step"]
    local: Float[Array, " step"]
    month: Int[NDArray[np.int64], " step"]
    capacity_price: Float[Array, " month"]
    capacity_minimum_kw: float
    fees: float
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
        return replace(
            self, names=names, net_kwh=self.net_kwh[:, homes], battery=own[0], ageing=own[1], devices=devices
        )

    @property
    def without_devices(self) -> "Problem":
        """The same with cars and heat pumps left to their habits, for planners that know batteries only."""
        return replace(self, devices=None)

    def between(self, first: int, last: int) -> "Problem":
        """The same for the steps from `first` to before `last`."""
        cut = slice(first, last)
        series = {name: getattr(self, name)[cut] for name in ("net_kwh", "buy", "sell", "local", "month")}
        return replace(self, **series)


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
    local = (tariff.local_network * prices["network"] + tariff.local_levies * prices["levies"]) * gross
    months, month = month_hours(profiles.local, hours)
    years = len(retail) * hours / 8760
    exact: Any = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), (community.homes.battery, community.homes.ageing)
    )
    devices, net_kwh = flexible_devices(
        community.homes, community.series.devices, profiles.load_kwh - profiles.solar_kwh, hours
    )
    return Problem(
        name=scenario.name,
        names=tuple(home.name for home in scenario.homes),
        step_hours=hours,
        net_kwh=net_kwh,
        buy=retail + carbon,
        sell=prices["feed_in"],
        local=local,
        month=month,
        capacity_price=tariff.capacity_per_kw_year * gross * months / 8760,
        capacity_minimum_kw=tariff.capacity_minimum_kw,
        fees=(tariff.supplier_fee_per_year + tariff.network_fee_per_year) * gross * years,
        carbon_price=carbon_price,
        battery=exact[0],
        ageing=exact[1],
        devices=devices,
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
    return problem.buy @ bought - problem.sell @ sold + capacity_fees(problem, bought) + problem.fees


def cost_together(problem: Problem, net_kwh: Float[Array, "step home"]) -> float:
    """What all homes pay together when surplus goes to whoever needs it, at the local charges, before the grid."""
    bought, sold = np.maximum(net_kwh, 0), np.maximum(-net_kwh, 0)
    shared = np.minimum(bought.sum(1), sold.sum(1))
    gain = np.maximum(problem.buy - problem.sell - problem.local, 0)
    return float(cost_alone(problem, net_kwh).sum() - gain @ shared)


def capacity_fees(problem: Problem, bought_kwh: Float[Array, "step home"]) -> Float[Array, " home"]:
    """What each home pays for its highest imports, VAT included; `bought_kwh` is its meter's import [step, home]."""
    peaks = capacity_charge(
        bought_kwh, problem.month, problem.step_hours, problem.capacity_price, problem.capacity_minimum_kw
    )
    return peaks.sum(0)
