"""Bundle: the part of the project that Ray copies to a cluster, whose nodes lack our code.

Ray copies a working directory without the folders that are excluded here, and without the files
that a `.gitignore` or `.rayignore` in it names.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pathspec

# Folders of a project that a search on the cluster does not need.
LEFT_BEHIND = (
    "results", "tests", "docs", "benchmarks", "build", ".git", ".venv", ".ci", ".github",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
)  # fmt: skip
IGNORE_FILES = (".gitignore", ".rayignore")
# In a folder with more files only the first ones are checked.
FILES_CHECKED = 10_000
# A file with patterns, or the folder that it is in, and the patterns.
_Rule = tuple[Path, pathspec.PathSpec[Any]]


def excludes() -> list[str]:
    """Returns `LEFT_BEHIND` as patterns of a runtime environment: top-level folders only."""
    return [f"/{folder}" for folder in LEFT_BEHIND]


def code_for_workers(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Returns the part of a runtime environment that brings our code to a cluster's nodes.

    Empty inside a submitted job, which has its own copy of the project: two do not merge. Empty
    for an installed package too: its folder holds all other packages, and nodes install it as well.
    """
    root = Path(__file__).resolve().parents[2]
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in environment or not (root / "pyproject.toml").exists():
        return {}
    return {"working_dir": str(root), "excludes": excludes()}


def what_stays(place: Path, project: Path) -> str:
    """Returns why a path of the project, or a file in it, is not copied; empty if all is.

    Args:
        place: A path inside the project; need not exist.
        project: The folder that is copied.
    """
    parts = place.relative_to(project).parts
    if parts and parts[0] in LEFT_BEHIND:
        return f"{project / parts[0]} stays behind"
    files = [place]
    if place.is_dir():
        inside = (each for each in place.rglob("*") if each.is_file())
        files = list(itertools.islice(inside, FILES_CHECKED))
    rules_of = functools.cache(_rules_of)
    for file in files:
        for folder in [each for each in file.parents if each.is_relative_to(project)]:
            # Ray does not look into ignored folders, so a folder's pattern ignores its files too.
            inner = file.relative_to(folder)
            paths = [str(each) for each in (inner, *inner.parents) if each.parts]
            for source, patterns in rules_of(folder):
                if any(map(patterns.match_file, paths)):
                    return f"{file} stays behind: {source} names it"
    return ""


def what_travels(project: Path) -> list[Path]:
    """Returns the files of a project that are copied, sorted; reads nothing but ignore files."""
    found: list[Path] = []
    rules: dict[Path, list[_Rule]] = {}
    for name, folders, files in os.walk(project):
        folder = Path(name)
        known = [(folder, patterns) for _, patterns in _rules_of(folder)]
        rules[folder] = ([] if folder == project else rules[folder.parent]) + known
        left = LEFT_BEHIND if folder == project else ()
        folders[:] = [
            each
            for each in folders
            if each not in left and not _is_ignored(folder / each, rules[folder], "/")
        ]
        found += [
            folder / each
            for each in files
            if each not in left and not _is_ignored(folder / each, rules[folder])
        ]
    return sorted(found)


def _is_ignored(path: Path, rules: list[_Rule], end: str = "") -> bool:
    """Whether the patterns of a folder above name a path; `end` is "/" for a folder."""
    return any(
        patterns.match_file(f"{path.relative_to(folder)}{end}") for folder, patterns in rules
    )


def _rules_of(folder: Path) -> list[_Rule]:
    files = [folder / name for name in IGNORE_FILES if (folder / name).is_file()]
    lines = [file.read_text(errors="replace").splitlines() for file in files]
    parsed = [pathspec.PathSpec.from_lines("gitignore", each) for each in lines]
    return list(zip(files, parsed, strict=True))
