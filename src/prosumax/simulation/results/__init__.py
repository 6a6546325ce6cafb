"""Results of a run: KPIs, bills, time series, trades, and their storage.

`summary` computes a `Result`, `store` writes it to disk.
"""
