"""What was read from a store, kept as parquet files: the next reading fetches what is new.

Two files an experiment, its runs as they are (RAW) and the trials that they mean, and one file with
the marks by which a source knows how far it read. A file that is damaged, or of another version of
this code, is as good as none. Files are replaced as a whole and updates hold a lock, so two
processes may read at once. The store stays the only memory: the folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from search.history.table import TRIALS
from search.tracking.runs import RAW
from search.tracking.store import database_path

# Counted up whenever what is kept, or what runs are taken to mean, changes.
VERSION = 2
MARKS = "marks.json"
# A first reading of 100,000 runs over HTTP takes minutes; who waits longer reads without a cache.
LOCK_SECONDS = 300.0
# What reading a damaged file can raise.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Meaning:
    """What the runs of one experiment are: trials (TRIALS), searches and left-out runs as rows.

    `is_living`: it depends on whether a process lives, so it is never kept.
    """

    trials: pa.Table
    searches: list[dict[str, Any]]
    rejected: list[dict[str, str]]
    is_living: bool = False


def folder_for(tracking_uri: str) -> Path:
    """Where a store's cache lies: beside an SQLite file if it can, else in the user's cache."""
    key = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
    database = database_path(tracking_uri)
    if database is not None and os.access(database.parent, os.W_OK):
        return database.parent / "cache" / key
    return Path(platformdirs.user_cache_dir("twentieth")) / key


class Cache:
    """The cache of one store. Whatever goes wrong with its files, reading goes on without them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time; none waits for ever."""
        lock = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._folder / "lock", timeout=LOCK_SECONDS)
            lock.acquire()
        except (OSError, Timeout) as error:
            _log.warning("reading the store without the lock of its cache: %s", error)
            lock = None
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def marks(self) -> dict[str, Any]:
        """For each experiment what its source wanted to remember when it was last read."""
        try:
            kept = json.loads((self._folder / MARKS).read_text())
            return dict(kept["marks"]) if kept["version"] == VERSION else {}
        except UNREADABLE:
            return {}

    def keep_marks(self, marks: Mapping[str, Any]) -> None:
        """Keeps marks. To be called after the runs that they stand for were kept."""
        text = json.dumps({"version": VERSION, "marks": {**self.marks(), **marks}})
        self._replace(self._folder / MARKS, lambda path: path.write_text(text))

    def signatures(self, experiment: str) -> dict[str, str]:
        """Run id -> signature of the runs kept."""
        try:
            path = self._path(experiment, "runs")
            table = pq.read_table(path, columns=["run_id", "signature"])
            _facts(table)
            ids, signatures = (table.column(name).to_pylist() for name in ("run_id", "signature"))
            return dict(zip(ids, signatures, strict=True))
        except UNREADABLE:
            return {}

    def runs(self, experiment: str) -> pa.Table | None:
        """The runs kept (RAW), or None."""
        try:
            table = pq.read_table(self._path(experiment, "runs"))
            _facts(table)
            return table.cast(RAW)
        except UNREADABLE:
            return None

    def keep_runs(self, experiment: str, runs: pa.Table) -> bool:
        """Keeps an experiment's runs; says whether that went well."""
        return self._keep(experiment, "runs", runs, {})

    def meaning(self, experiment: str, digest: str) -> Meaning | None:
        """What the runs with this digest mean, or None if that is not known."""
        try:
            table = pq.read_table(self._path(experiment, "trials"))
            facts = _facts(table)
            if facts["digest"] != digest:
                return None
            return Meaning(table.cast(TRIALS), list(facts["searches"]), list(facts["rejected"]))
        except UNREADABLE:
            return None

    def keep_meaning(self, experiment: str, digest: str, meaning: Meaning) -> None:
        """Keeps what the runs with this digest mean."""
        facts = {
            "digest": digest, "searches": meaning.searches, "rejected": meaning.rejected,
        }  # fmt: skip
        self._keep(experiment, "trials", meaning.trials, facts)

    def _path(self, experiment: str, kind: str) -> Path:
        # A server chooses its ids: one must not lead out of the folder.
        name = (
            experiment if experiment.isalnum() else hashlib.sha256(experiment.encode()).hexdigest()
        )
        return self._folder / f"{name[:80]}.{kind}.parquet"

    def _keep(self, experiment: str, kind: str, table: pa.Table, facts: dict[str, Any]) -> bool:
        metadata = {"twentieth": json.dumps({"version": VERSION, **facts})}
        whole = table.replace_schema_metadata(metadata)
        return self._replace(self._path(experiment, kind), lambda path: pq.write_table(whole, path))

    def _replace(self, path: Path, write: Callable[[Path], object]) -> bool:
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            write(temporary)
            temporary.replace(path)
            return True
        except OSError as error:
            _log.warning("what was read cannot be kept in %s: %s", path, error)
            with contextlib.suppress(OSError):
                temporary.unlink()
            return False


def digest_of(experiment: str, signatures: Mapping[str, str]) -> str:
    """One text for the state of all runs of an experiment; `experiment` is its name."""
    whole = hashlib.sha256(experiment.encode("utf-8", "replace"))
    for run in sorted(signatures):
        whole.update(f"\0{run}\0{signatures[run]}".encode("utf-8", "replace"))
    return whole.hexdigest()


def _facts(table: pa.Table) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((table.schema.metadata or {})[b"twentieth"])
    if facts["version"] != VERSION:
        raise ValueError(f"kept by version {facts['version']}, this is {VERSION}")
    return facts
