"""KPIs of a run, computed from the flows at every meter, and their catalog.

The functions take NumPy and JAX arrays alike. Reports use double-precision NumPy, so that bills add
up to the cent; compiled code passes JAX arrays to the same functions.
"""

from prosumax.metrics.catalog import KPI
from prosumax.metrics.citylearn import citylearn_kpis
from prosumax.metrics.energy import community_kpis, home_kpis
from prosumax.metrics.fairness import (
    distance_to_reference,
    fairness_kpis,
    lorenz_curve,
    price_of_fairness,
)
from prosumax.metrics.market import (
    herfindahl_index,
    market_kpis,
    payment_matrix,
    price_series,
    trade_matrix,
)
from prosumax.metrics.network import network_kpis
from prosumax.metrics.records import CityLearnKPIs, CommunityKPIs, HouseholdKPIs, NetworkKPIs

__all__ = [
    "KPI",
    "CityLearnKPIs",
    "CommunityKPIs",
    "HouseholdKPIs",
    "NetworkKPIs",
    "citylearn_kpis",
    "community_kpis",
    "distance_to_reference",
    "fairness_kpis",
    "herfindahl_index",
    "home_kpis",
    "lorenz_curve",
    "market_kpis",
    "network_kpis",
    "payment_matrix",
    "price_of_fairness",
    "price_series",
    "trade_matrix",
]
