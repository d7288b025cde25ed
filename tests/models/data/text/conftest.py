from collections.abc import Iterator
from pathlib import Path

import datasets  # noqa: F401  (takes over a second: here, so that no test is slow for it)
import pytest
import sklearn.model_selection  # noqa: F401  (as well)

from models.data import tables


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `datasets` builds from the tests' files goes with them."""
    before, tables.CACHE = tables.CACHE, tmp_path_factory.mktemp("cache")
    yield tables.CACHE
    tables.CACHE = before
