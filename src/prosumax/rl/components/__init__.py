"""Building blocks that learning algorithms share."""
