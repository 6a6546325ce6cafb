"""`prosumax demo`: the citizen demo in a browser."""

from typing import Annotated

import typer


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it listens.")] = 8080,
    host: Annotated[
        str, typer.Option(help="127.0.0.1 is this machine only; 0.0.0.0 is everybody.")
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open", help="Open a browser as well.")] = False,
) -> None:
    """Show energy communities in a browser: basics, your home, your community. Needs `prosumax[web]`."""
    from prosumax import web

    web.serve(host, port, open_browser)
