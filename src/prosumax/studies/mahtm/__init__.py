"""Studies of the MAHTM paper."""
