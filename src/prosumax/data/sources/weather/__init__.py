"""Data sources of the weather."""
