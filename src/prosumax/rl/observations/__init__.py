"""Observation terms by name: public, private, of devices, and shared market indicators.

Add a term with `observation_terms.register(name, summary)` on a function of `ObservationContext`.
"""

# Importing a module registers its terms. This order is the one in which they are listed to users;
# the registry imports further modules by itself.
# isort: off
from prosumax.rl.observations.context import (
    DeviceTerm,
    ObservationContext,
    ObservationTerm,
    observation_terms,
    observe,
)
from prosumax.rl.observations import public_terms
from prosumax.rl.observations import home_terms
from prosumax.rl.observations import market_terms
from prosumax.rl.observations import mahtm

# isort: on
from prosumax.rl.observations.presets import (
    OBSERVATION_BOUNDS,
    OBSERVATION_PRESETS,
    observation_bounds,
    observation_columns,
    preset_terms,
    term_bounds,
)

__all__ = [
    "OBSERVATION_BOUNDS",
    "OBSERVATION_PRESETS",
    "DeviceTerm",
    "ObservationContext",
    "ObservationTerm",
    "home_terms",
    "mahtm",
    "market_terms",
    "observation_bounds",
    "observation_columns",
    "observation_terms",
    "observe",
    "preset_terms",
    "public_terms",
    "term_bounds",
]
