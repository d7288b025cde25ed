"""Fixtures that tests of several folders share; their conftest.py names those they use."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.tracking.uris import store_uri
from tests.support.functions import Gate
from tests.support.launches import Place
from tests.support.servers import Server
from tests.support.stores import Store, migrated_store, new_store


@pytest.fixture(scope="module")
def quick_collection() -> Iterator[None]:
    """Freezes loaded objects: trials collect garbage, which takes a second with torch and ray."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Makes a folder with a store for real searches."""
    return Place(tmp_path)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Makes a gate that holds a search, and opens it at the end: a held search keeps cores."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Makes a store with one search, without trials."""
    return new_store(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Starts an MLflow server on an SQLite store."""
    shutil.copy(migrated_store(), tmp_path / "server.db")
    server = Server(store_uri(tmp_path / "server.db"), tmp_path / "artifacts")
    yield server
    server.kill()
