"""What runs the grid: power plants by merit order, and the price and carbon intensity that follow."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

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
"""Median life-cycle emissions by technology, kg CO2-equivalent per kWh; gas is combined cycle, solar is utility scale,
wind is onshore. Source: IPCC AR5 working group III (2014), annex III, table A.III.2."""

Pricing = Literal["marginal", "average", "sum"]


def merit_order_dispatch(
    available: Float[Array, "plant step"],
    cost: Float[Array, " plant"],
    demand: Float[Array, " step"],
) -> Float[Array, "plant step"]:
    """Output of each plant when the cheapest run first; the last ones stand still, or demand is not met in full.

    Arguments:
        available: what each plant can give in each step, any unit of power.
        cost: per kWh. Of two that cost the same the one listed first runs first.
        demand: in the same unit.
    """
    order = np.argsort(cost, kind="stable")
    stacked = np.cumsum(available[order], axis=0)
    below = np.vstack([np.zeros_like(demand), stacked[:-1]])
    output = np.empty_like(available)
    output[order] = np.clip(demand - below, 0.0, available[order])
    return output


def price_and_emission_factor(
    output: Float[Array, "plant step"],
    cost: Float[Array, " plant"],
    emission_factor_kg_per_kwh: Float[Array, " plant"],
    pricing: Pricing,
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Price and carbon intensity of a kWh in each step.

    Arguments:
        output: of each plant, from `merit_order`.
        cost, carbon_kg: per kWh of each plant.
        pricing: `marginal` charges the cost of the dearest plant that runs and the average carbon of all; `average`
            charges the average of both; `sum` multiplies output and cost without dividing by the total, as MAHTM does
            (its price is the bill of a grid whose size is 1).
    """
    total = output.sum(0)
    share = output if pricing == "sum" else output / np.where(total > 0, total, 1.0)
    price, carbon = cost @ share, emission_factor_kg_per_kwh @ share
    if pricing == "marginal":
        price = np.where(output > 0, cost[:, None], -np.inf).max(0)
        price = np.where(np.isfinite(price), price, cost.min())
    return price, carbon


def merit_order_prices(
    plants: Sequence[Mapping[str, Any]],
    demand: float | Sequence[float],
    pricing: Pricing,
    steps: int,
    where: str,
) -> tuple[Float[Array, " step"], Float[Array, " step"]]:
    """Price and carbon intensity of a grid over a period.

    Arguments:
        plants: each with `technology`, `capacity`, `cost_per_kwh`, `availability` (a number, or some per step that are
            repeated) and `emission_factor_kg_per_kwh` (the technology's median when None).
        demand: a number, or some per step, repeated.
        pricing: see `price_and_carbon`.
        steps: of the period.
        where: the field of the demand, for messages.

    Raises:
        InputError: demand exceeds what the plants can give.
    """
    needed = np.resize(np.asarray(demand, np.float64), steps)
    available = np.stack(
        [plant["capacity"] * np.resize(plant["availability"], steps) for plant in plants]
    )
    short = needed > available.sum(0) * (1 + 1e-9)
    if short.any():
        step = int(np.argmax(short))
        what = f"is {needed[step]:g} in step {step}, when the plants can give {available[:, step].sum():g}"
        raise InputError(where, what, "Add capacity or lower the demand.")
    cost = np.array([plant["cost_per_kwh"] for plant in plants], np.float64)
    factors = [
        EMISSION_FACTORS_KG_PER_KWH[plant["technology"]]
        if plant["emission_factor_kg_per_kwh"] is None
        else plant["emission_factor_kg_per_kwh"]
        for plant in plants
    ]
    return price_and_emission_factor(
        merit_order_dispatch(available, cost, needed), cost, np.array(factors, np.float64), pricing
    )
