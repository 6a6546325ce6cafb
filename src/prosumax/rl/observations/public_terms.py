"""Public observation terms: information that every participant of the market has.

Each term is divided by a fixed scale (MARLEM section 3.2.2), so that equal numbers mean the same in
every episode.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.rl.observations.context import ObservationContext, observation_terms


@observation_terms.register(
    "hour", "Public: sine and cosine of the hour of the day; between -1 and 1."
)
def hour(context: ObservationContext) -> Float[Array, "home 2"]:
    """Encode the hour of the day on a circle."""
    angle = 2 * jnp.pi * context.inputs.hour / 24.0
    return jnp.broadcast_to(jnp.stack([jnp.sin(angle), jnp.cos(angle)]), (context.num_homes, 2))


@observation_terms.register(
    "hour_of_day", "Public: hour of the day, one-hot encoded in 24 columns; 0 to 1."
)
def hour_of_day(context: ObservationContext) -> Float[Array, "home 24"]:
    """Encode the hour of the day one-hot, as in MAHTM.

    The encoding separates neighboring hours where prices change every hour.
    """
    return jnp.broadcast_to(jax.nn.one_hot(context.inputs.hour, 24), (context.num_homes, 24))


@observation_terms.register("progress", "Public: elapsed share of the episode; 0 to 1.")
def progress(context: ObservationContext) -> Float[Array, ""]:
    """Return the elapsed share of the episode."""
    return context.progress


@observation_terms.register("clearing_price", "Public: last clearing price over the maximum price.")
def clearing_price(context: ObservationContext) -> Float[Array, ""]:
    """Scale the last clearing price.

    Before the first trade it is the midpoint of the grid's prices.
    """
    return context.state.indicators.clearing_price / context.params.scales.max_price


@observation_terms.register(
    "volume", "Public: local trade of all homes in the last step over the network capacity."
)
def volume(context: ObservationContext) -> Float[Array, ""]:
    """Scale the volume traded locally in the last step."""
    return context.state.indicators.liquidity / context.params.scales.network_capacity_kwh


@observation_terms.register(
    "grid_import", "Public: energy bought from the grid in the last step over the network capacity."
)
def grid_import(context: ObservationContext) -> Float[Array, ""]:
    """Scale the energy that all homes bought from the grid in the last step."""
    return context.state.indicators.grid_import_kwh / context.params.scales.network_capacity_kwh


@observation_terms.register(
    "grid_export", "Public: energy sold to the grid in the last step over the network capacity."
)
def grid_export(context: ObservationContext) -> Float[Array, ""]:
    """Scale the energy that all homes sold to the grid in the last step."""
    return context.state.indicators.grid_export_kwh / context.params.scales.network_capacity_kwh


@observation_terms.register(
    "retail", "Public: all-in retail price in the coming step over the maximum price."
)
def retail(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the retail price of the coming step."""
    return context.prices.retail / context.params.scales.max_price


@observation_terms.register(
    "feed_in", "Public: feed-in price in the coming step over the maximum price."
)
def feed_in(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the feed-in price of the coming step, which may be negative."""
    return context.prices.feed_in / context.params.scales.max_price


@observation_terms.register(
    "local_buy",
    "Public: posted price of a kWh from the nearest pool over the maximum price; 0 when unknown.",
)
def local_buy(context: ObservationContext) -> Float[Array, "*home"]:
    """Scale the posted buy price of the nearest market level."""
    posted = context.prices.posted
    if posted is None:
        return jnp.asarray(0.0, jnp.float32)
    return posted.buy[0] / context.params.scales.max_price


@observation_terms.register(
    "local_sell",
    "Public: posted price of a kWh sold to the nearest pool over the maximum price; "
    "0 when unknown.",
)
def local_sell(context: ObservationContext) -> Float[Array, "*home"]:
    """Scale the posted sell price of the nearest market level."""
    posted = context.prices.posted
    if posted is None:
        return jnp.asarray(0.0, jnp.float32)
    return posted.sell[0] / context.params.scales.max_price


@observation_terms.register(
    "district_buy",
    "Public: posted price of a kWh from other microgrids over the maximum price; 0 when unknown.",
)
def district_buy(context: ObservationContext) -> Float[Array, "*home"]:
    """Scale the posted buy price of the farthest local market level."""
    posted = context.prices.posted
    if posted is None:
        return jnp.asarray(0.0, jnp.float32)
    return posted.buy[-1] / context.params.scales.max_price


@observation_terms.register(
    "district_sell",
    "Public: posted price of a kWh sold to other microgrids over the maximum price; "
    "0 when unknown.",
)
def district_sell(context: ObservationContext) -> Float[Array, "*home"]:
    """Scale the posted sell price of the farthest local market level."""
    posted = context.prices.posted
    if posted is None:
        return jnp.asarray(0.0, jnp.float32)
    return posted.sell[-1] / context.params.scales.max_price


@observation_terms.register(
    "emission_factor",
    "Public: emission factor of the grid in the coming step over its maximum; 0 when unknown.",
)
def emission_factor(context: ObservationContext) -> Float[Array, ""]:
    """Scale the emission factor of the coming step."""
    factor = jnp.nan_to_num(context.inputs.tariff.emission_factor_kg_per_kwh)
    return factor / context.params.scales.max_emission_factor


@observation_terms.register("mean_reputation", "Public: mean reputation of all homes; 0 to 1.")
def mean_reputation(context: ObservationContext) -> Float[Array, ""]:
    """Average the reputation over homes, in one column for any number of homes."""
    return context.state.community.reputation.mean()


@observation_terms.register(
    "reputations", "Public: reputation of every home, one column each; 0 to 1."
)
def reputations(context: ObservationContext) -> Float[Array, "home home"]:
    """Return the reputation of every home in N columns, so its size grows with the community."""
    homes = context.num_homes
    return jnp.broadcast_to(context.state.community.reputation, (homes, homes))


@observation_terms.register(
    "outdoor_temperature",
    "Public: outdoor temperature in the coming step, (T + 10 C) / 40 K; 0 when unknown.",
)
def outdoor_temperature(context: ObservationContext) -> Float[Array, "*home"]:
    """Scale the outdoor temperature from about 0 on the coldest day to 1 on the hottest.

    It is known where the inputs of a kind of device have the field `outdoor_c`.
    """
    for inputs in context.inputs.devices.values():
        if hasattr(inputs, "outdoor_c"):
            outdoor_c: Float[Array, "*home"] = inputs.outdoor_c
            return (outdoor_c + 10.0) / 40.0
    return jnp.asarray(0.0, jnp.float32)
