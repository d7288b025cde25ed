"""Keeps finished searches as JSON lines, so that a killed benchmark goes on where it was."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CACHE = Path(tempfile.gettempdir()) / "twentieth-benchmarks"


class StoredResults:
    """Results by key; every process appends to a file of its own in the folder.

    A key is a mapping that names all a result depends on, versions and a hash of the code
    included: what was measured with other code is never found.
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
        """The result, or None."""
        return self._known.get(_text(key))

    def put(self, key: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Keeps a result, on disk at once."""
        self._known[_text(key)] = dict(result)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": dict(key), "result": dict(result)}) + "\n")


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(dict(key), sort_keys=True)
