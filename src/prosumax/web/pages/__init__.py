"""Layout of the three pages."""
