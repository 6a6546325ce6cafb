"""Charts of a comparison of mechanisms: savings, fairness and prices."""
