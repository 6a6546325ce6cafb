"""Studies of the MARLEM paper."""
