"""What all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("MEDALLION_REAL_DATA")
    if not folder:
        pytest.skip("MEDALLION_REAL_DATA names no folder of real data (tests/README.md)")
    return Path(folder)
