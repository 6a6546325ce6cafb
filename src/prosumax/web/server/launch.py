"""Start the demo, or say what is missing."""

from prosumax.errors import InputError


def serve(host: str, port: int, open_browser: bool = False) -> None:
    """Run the demo until it is interrupted.

    Raises:
        InputError: the extra `web` is not installed, or the port is taken.
    """
    try:
        import nicegui  # noqa: F401
    except ImportError as error:
        raise InputError(
            "prosumax demo", "needs the extra `web`", "Run: pip install 'prosumax[web]'"
        ) from error
    from prosumax.web.server.app import run

    run(host, port, open_browser)
