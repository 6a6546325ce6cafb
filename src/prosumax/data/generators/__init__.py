"""Generators of synthetic series: loads, PV generation, prices and days of the papers."""
