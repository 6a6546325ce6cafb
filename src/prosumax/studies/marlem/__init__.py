"""Case studies 1 to 7 of the MARLEM paper."""
