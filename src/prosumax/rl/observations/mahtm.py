"""Observation terms of the MAHTM studies.

The paper's agents observe the hour, their state of charge and the type of their house. That hides
the difference between two houses of one type, so a shared policy cannot serve both; the presets add
price, emission factor, load, PV generation and installed sizes.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from prosumax.numerics import SMALL
from prosumax.rl.observations.context import ObservationContext, observation_terms


@observation_terms.register(
    "solar_peak", "Private: maximum own PV generation of the period over the maximum order."
)
def solar_peak(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the peak PV generation, an estimate of the installed size for one-episode periods."""
    return context.params.community.series.solar_kwh.max(0) / context.params.scales.max_order_kwh


@observation_terms.register(
    "load_peak", "Private: maximum own load of the period over the maximum order."
)
def load_peak(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the peak load of the period."""
    return context.params.community.series.load_kwh.max(0) / context.params.scales.max_order_kwh


@observation_terms.register(
    "own_surplus", "Private: PV generation minus load in the coming step over the battery capacity."
)
def own_surplus(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the battery energy that balances the meter; 0 without a battery."""
    capacity = context.params.community.homes.battery.capacity_kwh
    surplus = context.state.solar_kwh - context.state.load_kwh
    ratio = jnp.clip(surplus / jnp.maximum(capacity, SMALL), -1.0, 1.0)
    return jnp.where(capacity > 0, ratio, 0.0)


@observation_terms.register(
    "solar_size", "Private: maximum own PV generation of the period over the battery capacity."
)
def solar_size(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the peak PV generation so that it does not depend on the size of the house."""
    return _over_capacity(context, context.params.community.series.solar_kwh.max(0))


@observation_terms.register(
    "load_size", "Private: maximum own load of the period over the battery capacity."
)
def load_size(context: ObservationContext) -> Float[Array, " home"]:
    """Scale the peak load so that it does not depend on the size of the house."""
    return _over_capacity(context, context.params.community.series.load_kwh.max(0))


def _over_capacity(
    context: ObservationContext, peak_kwh: Float[Array, " home"]
) -> Float[Array, " home"]:
    capacity = context.params.community.homes.battery.capacity_kwh
    ratio = jnp.clip(peak_kwh / jnp.maximum(capacity, SMALL), 0.0, 2.0)
    return jnp.where(capacity > 0, ratio, 0.0)


def _house_type(context: ObservationContext) -> Int[Array, " home"]:
    """Classify each house by the shape of its load: 0 family, 1 business, 2 teenagers.

    The load of teenagers peaks at midnight, that of the published code's business at 22 h.
    """
    load = context.params.community.series.load_kwh
    low = load.min(0)
    shape = (load - low) / jnp.maximum(load.max(0) - low, SMALL)
    return jnp.where(shape[0] > 0.5, 2, jnp.where(shape[22] > 0.5, 1, 0))


for _number, _name in enumerate(("family", "business", "teenagers")):

    @observation_terms.register(
        f"mahtm_{_name}", f"Private: 1 for a MAHTM house of type {_name}, else 0."
    )
    def _is_type(context: ObservationContext, number: int = _number) -> Float[Array, " home"]:
        return (_house_type(context) == number).astype(jnp.float32)
