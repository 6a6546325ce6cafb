"""Allocation keys and energy pools."""
