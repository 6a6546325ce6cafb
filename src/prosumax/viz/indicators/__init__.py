"""Indicators by local hour and over the whole period, and dashboards of them."""
