"""Scenario schema: pydantic models, one section of a scenario per module.

`Scenario` in `community` is the root. Units are part of field names or given in field docstrings.
"""
