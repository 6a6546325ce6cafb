"""Log of the server."""

import logging

import pytest

pytest.importorskip("nicegui", reason="pip install 'prosumax[web]'")

import uvicorn

from prosumax.web.server.app import is_server_error


@pytest.fixture
def server_log():
    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(is_server_error)
    uvicorn.Config("nothing:at_all")  # Configures logging, as the demo's server does.
    yield logger
    logger.removeFilter(is_server_error)


def test_early_disconnect_of_a_visitor_is_not_logged_as_an_error(server_log):
    def is_logged(error):
        exc_info = (type(error), error, None)
        record = logging.LogRecord("uvicorn.error", 40, "", 0, "Exception", (), exc_info)
        return bool(server_log.filter(record))

    assert not is_logged(RuntimeError("No response returned."))
    assert is_logged(RuntimeError("no room left")) and is_logged(
        ValueError("No response returned.")
    )
