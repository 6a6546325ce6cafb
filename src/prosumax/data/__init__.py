"""Data: readers of files, generators of synthetic series, data sets and their cache; NumPy and pandas only."""
