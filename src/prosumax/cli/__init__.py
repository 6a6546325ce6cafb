"""Command line of prosumax."""

from prosumax.cli.commands import app, main

__all__ = ["app", "main"]
