"""What every test may count on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# An example that fails in CI must fail the same way at home; a busy machine is no failure.
settings.register_profile("medimg", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=50)
settings.load_profile("medimg")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def example_dicoms() -> Path:
    """The phantom study of the repository."""
    return ROOT / "example_dicoms"
