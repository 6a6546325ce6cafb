"""Data sources of scenarios: one file each with its fields and its reader.

Files in `prosumax.data.readers` and generators in `prosumax.data.generators` do the work. Sources
that only give prices are in `prices`, and those of the weather in `weather`.
"""
