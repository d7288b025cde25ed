"""What tests that step trials by hand may ask for."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def quick_collection() -> Iterator[None]:
    """Every trial collects garbage; among all that torch and ray have loaded it takes a second."""
    gc.freeze()
    yield
    gc.unfreeze()
