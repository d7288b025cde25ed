"""Where a search of this machine is kept by default: a store and a folder, those of the project."""

from __future__ import annotations

import os
from pathlib import Path

from search.tracking.uris import store_uri

_ROOT = Path(__file__).resolve().parents[2]
PROJECT = _ROOT if (_ROOT / "pyproject.toml").exists() else Path.cwd()
RESULTS = PROJECT / "results"


def default_uri() -> str:
    """Returns the MLflow store or server that MLFLOW_TRACKING_URI names, or that of the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or store_uri(RESULTS / "mlflow.db")
