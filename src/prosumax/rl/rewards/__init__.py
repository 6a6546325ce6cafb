"""Reward terms by name."""
