"""Merit-order dispatch of power plants, and the resulting price and emission factor."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.errors import InputError

Array = NDArray[np.float64]

EMISSION_FACTORS_KG_PER_KWH = {
    "coal": 0.820,
    "gas": 0.490,
    "biomass": 0.230,
    "solar": 0.048,
    "geothermal": 0.038,
    "hydro": 0.024,
    "nuclear": 0.012,
    "wind_offshore": 0.012,
    "wind": 0.011,
}
"""Median life-cycle emissions by technology, kg CO2-equivalent per kWh.

Gas is combined cycle, solar is utility scale, wind is onshore. Source: IPCC AR5 working group III
(2014), annex III, table A.III.2.
"""

Pricing = Literal["marginal", "average", "sum"]


def merit_order_dispatch(
    available: Float[Array, "plant step"],
    cost: Float[Array, " plant"],
    demand: Float[Array, " step"],
) -> Float[Array, "plant step"]:
    """Dispatch plants in the order of their cost.

    Args:
        available: Available power of each plant in each step, in any unit.
        cost: Cost per kWh; of two plants with the same cost, the one listed first runs first.
        demand: Demand in the same unit; demand above the total is not met.

    Returns:
        The output of each plant.
    """
    order = np.argsort(cost, kind="stable")
    cumulative = np.cumsum(available[order], axis=0)
    cheaper = np.vstack([np.zeros_like(demand), cumulative[:-1]])
    output = np.empty_like(available)
    output[order] = np.clip(demand - cheaper, 0.0, available[order])
    return output


def price_and_emission_factor(
    output: Float[Array, "plant step"],
    cost: Float[Array, " plant"],
    emission_factor_kg_per_kwh: Float[Array, " plant"],
    pricing: Pricing,
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Compute the price and the emission factor of the grid in each step.

    Args:
        output: Output of each plant, from `merit_order_dispatch`.
        cost: Cost of each plant per kWh.
        emission_factor_kg_per_kwh: Emission factor of each plant, kg CO2 per kWh.
        pricing: `marginal` uses the cost of the most expensive running plant and the average
            emission factor; `average` uses the average of both; `sum` multiplies output and cost
            without dividing by the total output, as MAHTM does (its price is the bill of a grid of
            size 1).

    Returns:
        The price per kWh, and the emission factor in kg CO2 per kWh.
    """
    total = output.sum(0)
    share = output if pricing == "sum" else output / np.where(total > 0, total, 1.0)
    price = cost @ share
    emission_factor = emission_factor_kg_per_kwh @ share
    if pricing == "marginal":
        price = np.where(output > 0, cost[:, None], -np.inf).max(0)
        price = np.where(np.isfinite(price), price, cost.min())
    return price, emission_factor


class Plant(TypedDict):
    """All power plants of one technology.

    Attributes:
        technology: Technology, a key of `EMISSION_FACTORS_KG_PER_KWH`.
        capacity: Capacity in the unit of the demand.
        cost_per_kwh: Marginal cost.
        availability: Available fraction of the capacity: a number, or values per step, repeated.
        emission_factor_kg_per_kwh: Emission factor; None for that of the technology.
    """

    technology: str
    capacity: float
    cost_per_kwh: float
    availability: float | Sequence[float]
    emission_factor_kg_per_kwh: float | None


def merit_order_prices(
    plants: Sequence[Plant],
    demand: float | Sequence[float],
    pricing: Pricing,
    steps: int,
    where: str,
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Compute the price and the emission factor of the grid over a period.

    Args:
        plants: Power plants.
        demand: Demand: a number, or values per step that are repeated.
        pricing: Price formation, see `price_and_emission_factor`.
        steps: Number of steps of the period.
        where: Scenario field of the demand, for messages.

    Returns:
        The price per kWh, and the emission factor in kg CO2 per kWh.

    Raises:
        InputError: The demand exceeds the available power.
    """
    demand_by_step = np.resize(np.asarray(demand, np.float64), steps)
    available = np.stack(
        [plant["capacity"] * np.resize(plant["availability"], steps) for plant in plants]
    )
    is_short = demand_by_step > available.sum(0) * (1 + 1e-9)
    if is_short.any():
        step = int(np.argmax(is_short))
        raise InputError(
            where,
            f"the demand in step {step} is {demand_by_step[step]:g}, above the available "
            f"{available[:, step].sum():g}",
            "Add capacity or lower the demand.",
        )
    cost = np.array([plant["cost_per_kwh"] for plant in plants], np.float64)
    emission_factor = np.array([_emission_factor(plant) for plant in plants], np.float64)
    output = merit_order_dispatch(available, cost, demand_by_step)
    return price_and_emission_factor(output, cost, emission_factor, pricing)


def _emission_factor(plant: Plant) -> float:
    if plant["emission_factor_kg_per_kwh"] is None:
        return EMISSION_FACTORS_KG_PER_KWH[plant["technology"]]
    return float(plant["emission_factor_kg_per_kwh"])
