"""Results of a run: KPIs, bills, ledger, time series and files."""
