"""Key figures of a run, from what happened at every meter. They work on NumPy and JAX arrays alike.

Reports use double precision NumPy, so that bills add up to the cent; inside jit the same functions take JAX arrays.
"""

from prosumax.metrics.citylearn import citylearn_kpis
from prosumax.metrics.devices import device_kpis, wear_kpis
from prosumax.metrics.energy import community_kpis, home_kpis
from prosumax.metrics.fairness import distance_to_reference, fairness_kpis, lorenz_curve, price_of_fairness
from prosumax.metrics.market import market_kpis, payment_matrix, price_series, trade_matrix
from prosumax.metrics.network import network_kpis

__all__ = [
    "citylearn_kpis",
    "community_kpis",
    "device_kpis",
    "distance_to_reference",
    "fairness_kpis",
    "home_kpis",
    "lorenz_curve",
    "market_kpis",
    "network_kpis",
    "payment_matrix",
    "price_of_fairness",
    "price_series",
    "trade_matrix",
    "wear_kpis",
]
