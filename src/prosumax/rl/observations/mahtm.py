"""MAHTM's learners, like for like: its houses, forty powers, and what its agents see or may be allowed to see.

The paper's agents see the hour, their state of charge and the kind of their house. That hides what two houses of a kind
differ in, so one policy cannot serve both; the presets' agents see price, carbon, load, sun and what is installed too.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.rl.observations.home_terms import Seen, observations


@observations.register("solar_peak", "Private: most sun of the own roof in a step of the period.")
def solar_peak(seen: Seen) -> Float[Array, "..."]:
    """What is installed, as far as the period shows it; for periods of one episode."""
    return seen.params.community.series.solar_kwh.max(0) / seen.params.scales.energy_kwh


@observations.register("load_peak", "Private: most own use in a step of the period.")
def load_peak(seen: Seen) -> Float[Array, "..."]:
    """As `solar_peak`."""
    return seen.params.community.series.load_kwh.max(0) / seen.params.scales.energy_kwh


@observations.register(
    "own_surplus", "Private: sun less own use in this step over the battery's capacity."
)
def own_surplus(seen: Seen) -> Float[Array, "..."]:
    """What the battery is asked for if nothing is to cross the meter; 0 without a battery."""
    capacity = seen.params.community.homes.battery.capacity_kwh
    net = seen.state.solar_kwh - seen.state.load_kwh
    return jnp.where(capacity > 0, jnp.clip(net / jnp.maximum(capacity, 1e-9), -1.0, 1.0), 0.0)


def _size(seen: Seen, peak: Array) -> Array:
    capacity = seen.params.community.homes.battery.capacity_kwh
    return jnp.where(capacity > 0, jnp.clip(peak / jnp.maximum(capacity, 1e-9), 0.0, 2.0), 0.0)


@observations.register(
    "solar_size", "Private: most sun of the own roof in a step over the battery's capacity."
)
def solar_size(seen: Seen) -> Float[Array, "..."]:
    """As `solar_peak`, so that a house and one of twice its size look the same."""
    return _size(seen, seen.params.community.series.solar_kwh.max(0))


@observations.register("load_size", "Private: most own use in a step over the battery's capacity.")
def load_size(seen: Seen) -> Float[Array, "..."]:
    """As `solar_size`."""
    return _size(seen, seen.params.community.series.load_kwh.max(0))


def _kind(seen: Seen) -> Array:
    """0 family, 1 business, 2 teenagers, read off the day's shape.

    Teenagers use most at midnight, and the business of the published code at 22 h.
    """
    load = seen.params.community.series.load_kwh
    low, high = load.min(0), load.max(0)
    shape = (load - low) / jnp.maximum(high - low, 1e-9)
    return jnp.where(shape[0] > 0.5, 2, jnp.where(shape[22] > 0.5, 1, 0))


for _number, _name in enumerate(("family", "business", "teenagers")):

    @observations.register(
        f"mahtm_{_name}", f"Private: whether this is a MAHTM house of kind {_name}; 0 or 1."
    )
    def _is_kind(seen: Seen, number: int = _number) -> Float[Array, "..."]:
        return (_kind(seen) == number).astype(jnp.float32)


BARE = ["hour_of_day", "soc", "mahtm_family", "mahtm_business", "mahtm_teenagers"]
"""What the paper's agents see: 28 numbers."""

RELATIVE = ["hour_of_day", "soc", "own_surplus", "solar_size", "load_size", *BARE[2:]]
"""What makes a house and one of twice its size look the same, as they should: all is linear."""

PAPER: dict[str, Any] = {
    "worth": "to_go",
    "discount": 1.0,
    "learning_rate": 0.00245,
    "critic_learning_rate": 0.001,
    "entropy": 0.0,
    "most": 1e9,
    "hidden": [128],
    "activation": "relu",
    "standardise": False,
    "scale_values": False,
}
"""Table 3 of the paper, A2C."""
