"""Scenario schema: pydantic models, one section per module."""
