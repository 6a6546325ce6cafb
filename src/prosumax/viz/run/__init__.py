"""Charts of one run: bills, energy by source, and power over time."""
