"""What of the project travels to a cluster: its nodes have the dependencies, not the code.

Ray carries a working directory without what is excluded here, and without what a `.gitignore` or
`.rayignore` in it names.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pathspec

# Of a project, what a search on the cluster does not need: it stays where it is.
LEFT_BEHIND = (
    "results", "tests", "docs", "benchmarks", "build", ".git", ".venv", ".ci", ".github",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
)  # fmt: skip
IGNORE_FILES = (".gitignore", ".rayignore")
# A data set in files is some of them; a folder with more is judged by its first ones.
FILES_LOOKED_AT = 10_000


def excludes() -> list[str]:
    """The same as patterns of a runtime environment: at the top of the project alone."""
    return [f"/{folder}" for folder in LEFT_BEHIND]


def code_for_workers(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The part of a runtime environment that brings our code to the nodes of a cluster one joins.

    Empty inside a submitted job: it brings its own copy of the project, and two do not merge.
    """
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in environment:
        return {}
    return {"working_dir": str(Path(__file__).resolve().parents[2]), "excludes": excludes()}


def what_stays(place: Path, project: Path) -> str:
    """Why a file or folder of the project, or a file in it, would not arrive; empty if all does.

    Args:
        place: Inside the project; need not exist.
        project: The folder that travels.
    """
    parts = place.relative_to(project).parts
    if parts and parts[0] in LEFT_BEHIND:
        return f"{project / parts[0]} stays behind"
    rules: dict[Path, list[tuple[Path, pathspec.PathSpec[Any]]]] = {}
    for file in _files(place):
        for folder in [each for each in file.parents if each.is_relative_to(project)]:
            if folder not in rules:
                rules[folder] = list(_rules_of(folder))
            for source, patterns in rules[folder]:
                if _is_ignored(file.relative_to(folder), patterns):
                    return f"{file} stays behind: {source} names it"
    return ""


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        return iter([place])
    files = (each for each in place.rglob("*") if each.is_file())
    return itertools.islice(files, FILES_LOOKED_AT)


def _rules_of(folder: Path) -> Iterator[tuple[Path, pathspec.PathSpec[Any]]]:
    for name in IGNORE_FILES:
        if (folder / name).is_file():
            lines = (folder / name).read_text(errors="replace").splitlines()
            yield folder / name, pathspec.PathSpec.from_lines("gitignore", lines)


def _is_ignored(file: Path, patterns: pathspec.PathSpec[Any]) -> bool:
    """Itself, or a folder above it: Ray does not look into those."""
    return any(patterns.match_file(str(each)) for each in (file, *file.parents) if each.parts)
