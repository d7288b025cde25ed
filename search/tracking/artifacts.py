"""Texts that lie among a run's artifacts: the tables of a finished trial.

For reading them back, for the report. The writer puts them there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking import names

if TYPE_CHECKING:
    from mlflow import MlflowClient

# A table has a line a class; what is longer is no table of ours.
LONGEST_TABLE = 200_000


def read_tables(client: MlflowClient, run_id: str) -> dict[str, str]:
    """File name -> text of a trial's tables, by name; empty where it has none or they are gone."""
    from mlflow.exceptions import MlflowException

    tables: dict[str, str] = {}
    try:
        listed = [each.path for each in client.list_artifacts(run_id, names.TABLES)]
        with tempfile.TemporaryDirectory() as folder:
            for path in sorted(listed):
                file = Path(client.download_artifacts(run_id, path, folder))
                if file.is_file() and file.stat().st_size <= LONGEST_TABLE:
                    tables[file.name] = file.read_text(encoding="utf-8", errors="replace")
    except (MlflowException, OSError):
        return {}
    return tables
