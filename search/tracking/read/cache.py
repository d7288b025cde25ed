"""A cache of what was read from a store, as parquet files: the next read fetches what is new.

An experiment has two files, its runs (RAW) and what they mean (trials), and one file holds the
marks by which a source knows how far it read. A file that is damaged, or of another version of this
code, is ignored. Files are replaced atomically and updates hold a lock, so two processes may read
at once. The cache may be deleted at any time.
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
from search.tracking.store import PAGE
from search.tracking.uris import database_path

SIGNATURES = pa.schema([RAW.field("run_id"), RAW.field("signature")])

# To be raised whenever the files, or the interpretation of runs, change.
VERSION = 6
MARKS = "marks.json"
# A first read of 100,000 runs over HTTP takes minutes; after this wait it goes on without a lock.
LOCK_SECONDS = 300.0
# What reading a damaged file can raise.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, pa.ArrowException)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Meaning:
    """What the runs of one experiment mean: trials (TRIALS), rows of searches and of left-out runs.

    With `is_living` it depends on whether a process is alive, so it is not cached.
    """

    trials: pa.Table
    searches: list[dict[str, Any]]
    rejected: list[dict[str, str]]
    is_living: bool = False


def folder_for(tracking_uri: str) -> Path:
    """Returns the cache's folder: next to an SQLite file if writable, else in the user's cache."""
    key = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
    database = database_path(tracking_uri)
    if database is not None and os.access(database.parent, os.W_OK):
        return database.parent / "cache" / key
    return Path(platformdirs.user_cache_dir("twentieth")) / key


class Cache:
    """The cache of one store. If its files cannot be used, reading goes on without them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the lock of the cache; goes on without it after `LOCK_SECONDS`."""
        lock = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._folder / "lock", timeout=LOCK_SECONDS)
            lock.acquire()
        except (OSError, Timeout) as error:
            _log.warning("cannot lock the cache of the store, reading without the lock: %s", error)
            lock = None
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def marks(self) -> dict[str, Any]:
        """Returns experiment -> the mark that its source left when it was last read."""
        try:
            kept = json.loads((self._folder / MARKS).read_text())
            return dict(kept["marks"]) if kept["version"] == VERSION else {}
        except UNREADABLE:
            return {}

    def keep_marks(self, marks: Mapping[str, Any]) -> None:
        """Saves marks; to be called after the runs that they stand for were saved."""
        text = json.dumps({"version": VERSION, "marks": {**self.marks(), **marks}})
        self._replace(self._folder / MARKS, lambda path: path.write_text(text))

    def signatures(self, experiment: str) -> dict[str, str]:
        """Returns run id -> signature of the cached runs."""
        table, _ = self._kept(experiment, "runs", SIGNATURES)
        return (
            {row["run_id"]: row["signature"] for row in table.to_pylist()}
            if table is not None
            else {}
        )

    def runs(self, experiment: str) -> pa.Table | None:
        """Returns the cached runs (RAW), or None."""
        return self._kept(experiment, "runs", RAW)[0]

    def keep_runs(self, experiment: str, runs: pa.Table) -> bool:
        """Saves an experiment's runs; returns whether that succeeded."""
        return self._keep(experiment, "runs", runs, {})

    def meaning(self, experiment: str, digest: str) -> Meaning | None:
        """Returns the cached meaning of the runs with this digest, or None."""
        trials, facts = self._kept(experiment, "trials", TRIALS)
        if trials is None or facts.get("digest") != digest:
            return None
        return Meaning(trials, facts["searches"], facts["rejected"])

    def keep_meaning(self, experiment: str, digest: str, meaning: Meaning) -> None:
        """Saves the meaning of the runs with this digest."""
        facts = {
            "digest": digest, "searches": meaning.searches, "rejected": meaning.rejected,
        }  # fmt: skip
        self._keep(experiment, "trials", meaning.trials, facts)

    def _path(self, experiment: str, kind: str) -> Path:
        # A server chooses its ids: none may lead out of the folder.
        name = (
            experiment if experiment.isalnum() else hashlib.sha256(experiment.encode()).hexdigest()
        )
        return self._folder / f"{name[:80]}.{kind}.parquet"

    def _kept(
        self, experiment: str, kind: str, schema: pa.Schema
    ) -> tuple[pa.Table | None, dict[str, Any]]:
        """Reads a file's columns of a schema and its facts; None if it cannot be used."""
        try:
            # A store has thousands of experiments, most of them small: `pq.read_table` takes five
            # times as long for a small file, most of it for threads and for what is not there.
            with pq.ParquetFile(self._path(experiment, kind)) as file:
                is_large = file.metadata.num_rows > PAGE
                table = file.read(columns=schema.names, use_threads=is_large)
            facts: dict[str, Any] = json.loads((table.schema.metadata or {})[b"twentieth"])
            return (table.cast(schema), facts) if facts["version"] == VERSION else (None, {})
        except UNREADABLE:
            return None, {}

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
            _log.warning("cannot write the cache %s: %s", path, error)
            with contextlib.suppress(OSError):
                temporary.unlink()
            return False


def digest_of(experiment: str, signatures: Mapping[str, str]) -> str:
    """Returns a hash of the state of all runs of an experiment; `experiment` is its name."""
    whole = hashlib.sha256(experiment.encode("utf-8", "replace"))
    for run in sorted(signatures):
        whole.update(f"\0{run}\0{signatures[run]}".encode("utf-8", "replace"))
    return whole.hexdigest()
