"""Background jobs: the queue, its worker processes, and the tasks they execute."""
