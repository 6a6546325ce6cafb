"""Time series for simulations: file readers, synthetic generators, public data sets and cache.

Everything here runs on the host in float64 with NumPy and pandas; nothing runs in JAX.
"""

from prosumax.data.datasets import DATASETS, fetch_dataset

__all__ = ["DATASETS", "fetch_dataset"]
