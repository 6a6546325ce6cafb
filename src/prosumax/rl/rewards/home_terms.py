"""What agents are paid: named terms, weighted per home; the reward is their sum.

A term is one function of `Paid`; add one with `rewards.register(name, summary)`. The four `marlem_*` terms add up to
equation 2 of the MARLEM paper, with its factors bounded to their stated ranges: the released code lets turnover into
the cooperation factor, which then counts in thousands, and takes logarithms of the whole.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.registry import Registry
from prosumax.rl.market_indicators import Kpis, Window
from prosumax.rl.types import EnvParams
from prosumax.simulation.step import Outcome


class Paid(NamedTuple):
    """What terms are computed from: one step that is over.

    Attributes:
        params: of the environment.
        outcome: of the step.
        kpis: of the step.
        window: of prices and volumes, this step included.
        saved_before: by each home against the grid alone, up to the step; None where nobody announces prices.
    """

    params: EnvParams
    outcome: Outcome
    kpis: Kpis
    window: Window
    saved_before: Float[Array, " home"] | None = None


Term = Callable[[Paid], Float[Array, " home"]]

rewards: Registry[Term] = Registry("reward")


@rewards.register(
    "profit", "Money earned minus paid in all trades of the step, fees on them included."
)
def profit(paid: Paid) -> Float[Array, " home"]:
    """MARLEM equation 10, with what the tariff and the network operator charge; fixed fees left out."""
    bill, rates = paid.outcome.record.bill, paid.params.community.rates
    fixed = (rates.supplier_fee + rates.network_fee) * (1.0 + rates.vat)
    return jnp.asarray(fixed - bill.total)


@rewards.register("cost", "The negative of the home's bill.")
def cost(paid: Paid) -> Float[Array, " home"]:
    """In the tariff's currency."""
    return jnp.asarray(-paid.outcome.record.bill.total)


@rewards.register(
    "community_cost", "The negative of the mean bill of all homes, the same for each."
)
def community_cost(paid: Paid) -> Float[Array, " home"]:
    """A common goal."""
    return jnp.broadcast_to(cost(paid).mean(), paid.outcome.record.bill.energy.shape)


@rewards.register(
    "self_consumption", "Share of the home's sun that it or neighbours use; 0 to 1, 0 in the dark."
)
def self_consumption(paid: Paid) -> Float[Array, " home"]:
    """As the key figure of that name, in one step."""
    flows, local = paid.outcome.record.flows, paid.outcome.record.local
    lost = flows.export_kwh - local.sold_kwh + flows.curtailed_kwh
    solar = flows.solar_kwh
    return jnp.where(
        solar > 0, jnp.clip(1.0 - lost / jnp.where(solar > 0, solar, 1.0), 0.0, 1.0), 0.0
    )


@rewards.register(
    "carbon", "The negative of the emissions of what the home bought from the grid, kg CO2."
)
def carbon(paid: Paid) -> Float[Array, " home"]:
    """Zero where the carbon intensity is unknown."""
    record = paid.outcome.record
    rest = record.flows.net_kwh - record.local.bought_kwh + record.local.sold_kwh
    return -jnp.maximum(rest, 0.0) * paid.outcome.carbon_kg


@rewards.register("peak", "The negative of the community's import in kW, divided by its homes.")
def peak(paid: Paid) -> Float[Array, " home"]:
    """Weight it to shave the community's peak; the square is left to the weights of time."""
    flows = paid.outcome.record.flows
    kw = jnp.maximum(flows.net_kwh.sum(), 0.0) / paid.params.community.step_hours
    return jnp.broadcast_to(-kw / flows.net_kwh.shape[0], flows.net_kwh.shape)


@rewards.register("unmet", "The negative of needs that were neither ordered nor covered, kWh.")
def unmet(paid: Paid) -> Float[Array, " home"]:
    """Zero in style dispatch, where every need is ordered."""
    return -paid.outcome.unmet_kwh


@rewards.register("limited", "The negative of what the home asked for and could not do, kWh.")
def limited(paid: Paid) -> Float[Array, " home"]:
    """Teaches an agent its own limits."""
    return -paid.outcome.limited_kwh


@rewards.register(
    "unserved",
    "The negative of what devices failed to deliver, kWh: trips, departures, hot water, runs.",
)
def unserved(paid: Paid) -> Float[Array, " home"]:
    """Charge missing at a departure counts as well as trips that the car could not drive on its own."""
    devices = paid.outcome.record.flows.devices
    missing = jnp.zeros_like(paid.outcome.unmet_kwh)
    if devices is None:
        return missing
    if devices.car is not None:
        missing += devices.car.unserved_kwh + devices.car.short_kwh
    if devices.heat is not None:
        missing += devices.heat.unserved_kwh
    return -(
        missing if devices.appliances is None else missing + devices.appliances.unserved_kwh.sum(-1)
    )


@rewards.register(
    "comfort", "The negative of the kelvin-hours that rooms are outside their comfort band."
)
def comfort(paid: Paid) -> Float[Array, " home"]:
    """Zero without a heat pump."""
    devices = paid.outcome.record.flows.devices
    if devices is None or devices.heat is None:
        return jnp.zeros_like(paid.outcome.unmet_kwh)
    return -(devices.heat.too_cold_kh + devices.heat.too_warm_kh)


@rewards.register(
    "battery_wear", "The negative of what the home's battery lost in worth by cycles and time."
)
def battery_wear(paid: Paid) -> Float[Array, " home"]:
    """In the tariff's currency; zero for a battery without `ageing`."""
    used, ageing = paid.outcome.record.flows.life_used, paid.params.community.homes.ageing
    if used is None or ageing is None:
        return jnp.zeros_like(paid.outcome.unmet_kwh)
    return -used * ageing.price


@rewards.register("wear", "The negative of the energy through the home's battery, kWh.")
def wear(paid: Paid) -> Float[Array, " home"]:
    """Weight it with the cost per kWh of throughput."""
    flows = paid.outcome.record.flows
    return -(flows.charge_kwh + flows.discharge_kwh)


_BASE_WEIGHTS = {"economic": 5.0, "grid": 2.0, "resource": 1.0, "trading": 1.0, "stability": 1.0}
_PENALTY = 1.0  # of trading everything with the grid, and of an unmet need


def base_parts(paid: Paid) -> dict[str, Float[Array, " home"]]:
    """The five components of R_base (section 3.2.4), each between -1 and 1; the paper gives no equations.

    * economic: what local trade earned or saved against the grid's prices, over the span of prices times the order.
    * grid: 1 when the home alone makes good the community's imbalance, -1 when it makes it; 0 without an order.
    * resource: share of the order that neighbours filled.
    * trading: whether it traded with a neighbour.
    * stability: 1 minus the distance of the price from its mean over the window, over the span of prices.
    """
    record, orders, prices = paid.outcome.record, paid.outcome.orders, paid.outcome.prices
    local, size = record.local, jnp.abs(orders.quantity_kwh)
    has_order, order = size > 1e-9, jnp.maximum(size, 1e-9)
    span = jnp.maximum(paid.params.scales.price - paid.params.scales.lowest_price, 1e-9)
    gain = (
        prices.reservation_price * local.bought_kwh
        - local.paid
        + local.earned
        - prices.feed_in * local.sold_kwh
    )
    traded = local.bought_kwh + local.sold_kwh
    shortage = orders.quantity_kwh.sum()
    makes_good = -jnp.sign(shortage) * orders.quantity_kwh / jnp.maximum(jnp.abs(shortage), 1e-9)
    known = ~jnp.isnan(paid.window.price)
    mean = jnp.where(known, paid.window.price, 0.0).sum() / jnp.maximum(known.sum(), 1)
    steady = 1.0 - jnp.minimum(jnp.abs(paid.kpis.price - mean) / span, 1.0)
    return {
        "economic": jnp.where(has_order, jnp.clip(gain / (span * order), -1.0, 1.0), 0.0),
        "grid": jnp.where(has_order, jnp.clip(makes_good, -1.0, 1.0), 0.0),
        "resource": jnp.where(has_order, jnp.minimum(traded / order, 1.0), 0.0),
        "trading": (traded > 0).astype(size.dtype),
        "stability": jnp.broadcast_to(steady, size.shape),
    }


def cooperation(paid: Paid) -> Float[Array, ""]:
    """f_coop: mean of the market's figures, each so that 1 is good; between 0 and 1."""
    kpis, scales = paid.kpis, paid.params.scales
    span = jnp.maximum(scales.price - scales.lowest_price, 1e-9)
    traded = jnp.where(kpis.liquidity > 0, kpis.liquidity, 1.0)
    parts = [
        jnp.clip(kpis.surplus / (span * traded), 0.0, 1.0) * (kpis.liquidity > 0),
        1.0 - jnp.minimum(kpis.volatility / span, 1.0),
        1.0 - kpis.imbalance,
        1.0 - kpis.congestion,
        kpis.convergence,
        kpis.self_consumption,
        kpis.flexibility,
    ]
    return jnp.stack(parts).mean()


def contribution(paid: Paid) -> Float[Array, " home"]:
    """f_contrib: half how it helps the balance, 0.2 how near its price is to the market's, 0.3 how local it trades.

    Between 0 and 1. The three and their weights are those of the released code; the paper names none.
    """
    record, orders = paid.outcome.record, paid.outcome.orders
    local, size = record.local, jnp.abs(orders.quantity_kwh)
    traded = local.bought_kwh + local.sold_kwh
    own = (local.paid + local.earned) / jnp.where(traded > 0, traded, 1.0)
    market = jnp.maximum(jnp.abs(paid.kpis.price), 1e-9)
    fair = jnp.where(
        traded > 0, 1.0 - jnp.minimum(jnp.abs(own - paid.kpis.price) / market, 1.0), 0.5
    )
    helps = (1.0 + base_parts(paid)["grid"]) / 2
    share = jnp.minimum(traded / jnp.maximum(size, 1e-9), 1.0) * (size > 1e-9)
    return 0.5 * helps + 0.2 * fair + 0.3 * share


@rewards.register(
    "marlem_base",
    "MARLEM equation 2: R_base, five components between -1 and 1, weighted to at most 1.",
)
def marlem_base(paid: Paid) -> Float[Array, " home"]:
    """Half of the weight is on the economic component ("predominantly"); the paper gives no numbers."""
    parts, total = base_parts(paid), sum(_BASE_WEIGHTS.values())
    weighted = [weight / total * parts[name] for name, weight in _BASE_WEIGHTS.items()]
    return jnp.stack(weighted).sum(0)


@rewards.register("marlem_cooperation", "MARLEM equation 2: R_base times f_coop times f_contrib.")
def marlem_cooperation(paid: Paid) -> Float[Array, " home"]:
    """Both factors between 0 and 1, so that cooperation at most doubles the base."""
    return marlem_base(paid) * cooperation(paid) * contribution(paid)


@rewards.register(
    "marlem_grid_penalty",
    "MARLEM equation 2: the negative share of the home's energy from the grid side.",
)
def marlem_grid_penalty(paid: Paid) -> Float[Array, " home"]:
    """Linear in the share, as the paper says; between -1 and 0."""
    flows, local = paid.outcome.record.flows, paid.outcome.record.local
    with_grid = jnp.abs(flows.net_kwh - local.bought_kwh + local.sold_kwh)
    moved = with_grid + local.bought_kwh + local.sold_kwh
    return -_PENALTY * jnp.where(moved > 1e-6, with_grid / jnp.maximum(moved, 1e-6), 0.0)


@rewards.register(
    "marlem_unmet_penalty",
    "MARLEM equation 2: the negative share of the home's need that was not met.",
)
def marlem_unmet_penalty(paid: Paid) -> Float[Array, " home"]:
    """Linear in the share; between -1 and 0."""
    need = jnp.maximum(
        paid.outcome.record.flows.load_kwh - paid.outcome.record.flows.solar_kwh, 0.0
    )
    share = jnp.minimum(paid.outcome.unmet_kwh / jnp.maximum(need, 1e-9), 1.0)
    return -_PENALTY * jnp.where(need > 1e-9, share, 0.0)


MARLEM = ("marlem_base", "marlem_cooperation", "marlem_grid_penalty", "marlem_unmet_penalty")
"""The terms of equation 2; with weight 1 each, their sum is R_i."""
