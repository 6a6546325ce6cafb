"""Start of the demo server."""

from prosumax.errors import InputError


def serve(host: str, port: int, open_browser: bool = False) -> None:
    """Run the demo until it is interrupted.

    Args:
        host: Address on which the server listens.
        port: Port on which the server listens.
        open_browser: Whether to open the first page in a browser.

    Raises:
        InputError: The extra `web` is not installed.
    """
    try:
        import nicegui  # noqa: F401
    except ImportError as error:
        raise InputError(
            "prosumax demo", "the extra `web` is not installed", "Run: pip install 'prosumax[web]'"
        ) from error
    from prosumax.web.server.app import run_server

    run_server(host, port, open_browser)
