"""Posted prices and hierarchical markets."""
