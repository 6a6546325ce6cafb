"""Studies of the MAHTM paper: its table 2, and the value of the layers of its hierarchy."""
