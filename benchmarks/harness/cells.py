"""Cells of a benchmark: each measured once, kept as a JSON line, and found again after a kill."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

CACHE = Path(tempfile.gettempdir()) / "twentieth-benchmarks"


class StoredResults:
    """Results by key; every process appends to a file of its own in the folder.

    A key is a mapping that names all a result depends on, the hash of the code (code_version.py)
    and versions included: what was measured with other code is never found.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{name}-{os.getpid()}.jsonl"
        self._known: dict[str, dict[str, Any]] = {}
        for path in sorted(folder.glob(f"{name}-*.jsonl")):
            for line in path.read_text().splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # cut by a kill
                self._known[_text(record["key"])] = record["result"]

    def get(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result, or None."""
        return self._known.get(_text(key))

    def once(self, key: Mapping[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the result, measured and kept unless it is known."""
        known = self.get(key)
        if known is None:
            known = measure()
            self.put(key, known)
        return known

    def put(self, key: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Keep a result, on disk at once."""
        self._known[_text(key)] = dict(result)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": dict(key), "result": dict(result)}) + "\n")


def in_parallel(
    work: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], processes: int
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each job (the arguments of `work`) with its result, in the order in which they end.

    A job that fails ends the run at once.
    """
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(work, *job): job for job in jobs}
        try:
            for future in as_completed(pending):
                yield pending[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(dict(key), sort_keys=True)
