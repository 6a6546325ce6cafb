"""Key figures of a run, from what happened at every meter. They work on NumPy and JAX arrays alike.

Reports use double precision NumPy, so that bills add up to the cent; inside jit the same functions take JAX arrays.
"""

from prosumax.metrics.citylearn import citylearn_kpis
from prosumax.metrics.energy import community_kpis, home_kpis

__all__ = ["citylearn_kpis", "community_kpis", "home_kpis"]
