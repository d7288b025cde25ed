"""What of the project travels to a cluster: its nodes have the dependencies, not the code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# Of a project, what a search on the cluster does not need: it stays where it is.
LEFT_BEHIND = (
    "results", "tests", "docs", "benchmarks", "build", ".git", ".venv", ".ci", ".github",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
)  # fmt: skip


def excludes() -> list[str]:
    """The same as patterns of a runtime environment: at the top of the project alone."""
    return [f"/{folder}" for folder in LEFT_BEHIND]


def code_for_workers() -> dict[str, Any]:
    """The part of a runtime environment that brings our code to the nodes of a cluster one joins.

    Empty inside a submitted job: it brings its own copy of the project, and two do not merge.
    """
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return {}
    return {"working_dir": str(Path(__file__).resolve().parents[1]), "excludes": excludes()}
