"""Synthetic time series: household load, PV generation, prices, and profiles of published papers.

Calendar years, months or days are sampled whole from a seed and their date, so a time stamp has the
same value whatever the simulated period around it.
"""
