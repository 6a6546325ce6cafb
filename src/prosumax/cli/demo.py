"""`prosumax demo`: the citizen demo in a browser."""

from typing import Annotated

import typer


def start_demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 8080,
    host: Annotated[
        str,
        typer.Option(help="Address of the server; 0.0.0.0 makes it reachable from other machines."),
    ] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open", help="Open a browser.")] = False,
) -> None:
    """Serve the citizen demo; requires the extra `web`."""
    from prosumax.web.server.launch import serve

    serve(host, port, open_browser)
