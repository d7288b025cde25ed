"""Settings for every test: machines that run them are shared and slow at times."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from search.optimize.garbage import collect_rarely

# Before the libraries and 9,000 tests are there, through which it would look: 4 of 14.5 s.
collect_rarely()

# A deadline or a slow draw says something about the machine, not about the property.
settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("shared machine")

# The store that whoever runs the tests works with; ours would read and write it.
os.environ.pop("MLFLOW_TRACKING_URI", None)
# Workers of pytest-xdist have 80; the commands then wrap what they print, as on a terminal.
os.environ.pop("COLUMNS", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files that launch searches first: they take longest, so none is left for the end."""

    def is_quick(item: pytest.Item) -> bool:
        names = vars(getattr(item, "module", None) or object)
        return not {"Place", "PATIENCE_SECONDS", "two_nodes", "head_that_takes_jobs"} & names.keys()

    items.sort(key=is_quick)


def _levels_of_loggers() -> dict[str, int]:
    named = logging.Logger.manager.loggerDict
    ours = ("search", "models", "optuna")
    return {
        name: logger.level
        for name, logger in named.items()
        if isinstance(logger, logging.Logger) and name.split(".")[0] in ours
    }


@pytest.fixture(autouse=True)
def _environment_as_found() -> Iterator[None]:
    """Ends with its test what the test, or MLflow and Ray in it, changed for the whole process.

    These are environment variables and the levels of our loggers: `main()` silences warnings, and
    another test may wait for them.
    """
    before, levels = dict(os.environ), _levels_of_loggers()
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)
    for name in _levels_of_loggers():
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


@pytest.fixture(scope="session", autouse=True)
def _temporary_folder_of_a_worker() -> Iterator[None]:
    """A folder for temporary files of each of pytest-xdist's workers.

    Searches lease the machine's cores by files in it, so searches of two workers do not wait for
    each other: most of what they do in tests is waiting. Short, for Ray's sockets lie in it.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        yield
        return
    folder = Path(f"/tmp/{worker}-{os.getpid()}")
    folder.mkdir()
    before, tempfile.tempdir = os.environ.get("TMPDIR"), str(folder)
    os.environ["TMPDIR"] = str(folder)
    yield
    tempfile.tempdir = before
    os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
    shutil.rmtree(folder, ignore_errors=True)
