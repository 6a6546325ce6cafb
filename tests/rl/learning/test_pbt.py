"""Population-based training: who copies whom, what changes, and that it helps."""
