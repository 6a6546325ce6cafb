"""Settlement after the period: redistribution of savings."""
