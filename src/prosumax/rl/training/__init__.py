"""Training of a scenario: setup, loop, evaluation, stored policies."""
