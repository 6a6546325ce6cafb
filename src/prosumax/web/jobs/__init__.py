"""Background jobs: queue, worker processes and what they run."""
