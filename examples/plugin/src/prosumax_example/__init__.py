"""Example plugin of prosumax: a mechanism, a device and a policy, each in one module.

Entry points in `pyproject.toml` name the modules. prosumax imports them when it first looks up a
component of their kind.
"""

PROSUMAX_PLUGIN_API = 1
"""Version of the plugin interface of prosumax that this package was written for."""
