"""What the server writes into its log."""

import logging

import pytest

pytest.importorskip("nicegui", reason="pip install 'prosumax[web]'")

import uvicorn

from prosumax.web.server.app import is_fault


@pytest.fixture
def server_log():
    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(is_fault)
    uvicorn.Config("nothing:at_all")  # configures logging, as the demo's server does
    yield logger
    logger.removeFilter(is_fault)


def test_a_visitor_who_leaves_early_is_no_fault(server_log):
    def let_through(error):
        record = logging.LogRecord(
            "uvicorn.error", 40, "", 0, "Exception", (), (type(error), error, None)
        )
        return bool(server_log.filter(record))

    assert not let_through(RuntimeError("No response returned."))
    assert let_through(RuntimeError("no room left")) and let_through(
        ValueError("No response returned.")
    )
