"""Data sources of prices and emission factors."""
