"""A browser is driven by an event loop of its own, so these tests hold no other."""

import pytest


@pytest.fixture(autouse=True)
def runner() -> None:
    """Hold no event loop."""
