"""Private observation terms: information about a home's own meter, battery and trades."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.numerics import safe_divide
from prosumax.rl.actions import tradable_kwh
from prosumax.rl.observations.context import ObservationContext, observation_terms
from prosumax.simulation.dynamics import present_homes
from prosumax.types import EVENTS, EventSeries


@observation_terms.register("load", "Private: own load in the coming step over the maximum order.")
def load(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the load of the coming step, including its noise, since homes read their own meter."""
    return context.state.load_kwh / context.params.scales.max_order_kwh


@observation_terms.register(
    "solar", "Private: own PV generation in the coming step over the maximum order."
)
def solar(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the PV generation of the coming step, including its noise."""
    return context.state.solar_kwh / context.params.scales.max_order_kwh


@observation_terms.register(
    "load_forecast", "Private: forecast of own load in the steps after that, one column each."
)
def load_forecast(context: ObservationContext) -> Float[Array, "home step"]:
    """Scale the perfect, persistence or noisy forecast of the load."""
    return context.forecast.load_kwh.T / context.params.scales.max_order_kwh


@observation_terms.register(
    "solar_forecast",
    "Private: forecast of own PV generation in the steps after that, one column each.",
)
def solar_forecast(context: ObservationContext) -> Float[Array, "home step"]:
    """Scale the perfect, persistence or noisy forecast of the PV generation."""
    return context.forecast.solar_kwh.T / context.params.scales.max_order_kwh


@observation_terms.register(
    "soc", "Private: state of charge of the own battery; 0 to 1, 0 without one."
)
def soc(context: ObservationContext) -> Float[Array, " home"]:
    """Divide the stored energy by the nominal capacity."""
    capacity = context.params.community.homes.battery.capacity_kwh
    stored = context.state.community.homes.battery.stored_kwh
    return safe_divide(stored, capacity)


@observation_terms.register(
    "battery_capacity",
    "Private: capacity of the own battery over the maximum order; 0 without one.",
)
def battery_capacity(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the battery capacity, for policies shared by homes with different batteries."""
    battery = context.params.community.homes.battery
    return battery.capacity_kwh / context.params.scales.max_order_kwh


@observation_terms.register(
    "max_sell", "Private: maximum feasible sale in the coming step over the maximum order."
)
def max_sell(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the maximum feasible sale (MARLEM, equation 11a)."""
    maximum, _ = tradable_kwh(context.params, context.state)
    return maximum / context.params.scales.max_order_kwh


@observation_terms.register(
    "max_buy", "Private: maximum feasible purchase in the coming step over the maximum order."
)
def max_buy(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the maximum feasible purchase (MARLEM, equation 11b)."""
    _, maximum = tradable_kwh(context.params, context.state)
    return maximum / context.params.scales.max_order_kwh


@observation_terms.register(
    "profit",
    "Private: mean profit per step so far over the maximum price times the maximum order.",
)
def profit(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the profit so far (MARLEM, equation 10), per step to bound it over the episode."""
    scale = context.params.scales.max_price * context.params.scales.max_order_kwh
    return context.state.profit / (scale * jnp.maximum(context.state.time, 1))


@observation_terms.register("reputation", "Private: own reputation; 0 to 1.")
def reputation(context: ObservationContext) -> Float[Array, " home"]:
    """Return the reputation of each home (MARLEM, equation 8)."""
    return context.state.community.reputation


@observation_terms.register(
    "net_load",
    "Private: own net load at the meter in the last step over the maximum order; positive imports.",
)
def net_load(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the net load of the last step, which is zero before the first step."""
    return context.state.net_kwh / context.params.scales.max_order_kwh


@observation_terms.register(
    "net_bought",
    "Private: local purchases minus local sales in the last step over the maximum order.",
)
def net_bought(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the local trade of the last step, which is zero before the first step."""
    return context.state.net_bought_kwh / context.params.scales.max_order_kwh


@observation_terms.register(
    "unmet_demand",
    "Private: share of the own deficit so far that was neither ordered nor covered; 0 to 1.",
)
def unmet_demand(context: ObservationContext) -> Float[Array, " home"]:
    """Divide the unmet demand by the deficit so far.

    MARLEM calls this demand deferred; here the supplier delivers it.
    """
    share = safe_divide(context.state.unmet_kwh, context.state.deficit_kwh)
    return jnp.minimum(share, 1.0)


@observation_terms.register(
    "present", "Private: 1 while the home is a member, 0 before it joins and after it left."
)
def present(context: ObservationContext) -> Float[Array, " home"]:
    """Return the membership of each home in the coming step."""
    members = present_homes(context.inputs)
    return jnp.ones(context.num_homes) if members is None else members.astype(jnp.float32)


@observation_terms.register(
    "import_limit",
    "Private: limit of the import in the coming step over the maximum order, at most 1; 0 to 1.",
)
def import_limit(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the limit of the supply; 1 without one."""
    events: EventSeries | None = context.inputs.devices.get(EVENTS)
    if events is None or events.import_kwh is None:
        return jnp.ones(context.num_homes)
    return jnp.minimum(events.import_kwh / context.params.scales.max_order_kwh, 1.0)
