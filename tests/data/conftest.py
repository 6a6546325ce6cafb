"""Shared by the tests of meter tables."""

from pathlib import Path

import pytest

from tests.data.meter_tables import Writer


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    def write_text(text: str, name: str = "meters.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write_text
