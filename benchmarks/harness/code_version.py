"""Hashes of our code, for the keys of what a benchmark keeps between runs.

A stored cell is found again only by the code that measured it. Comments, docstrings and layout do
not count. A file that does not exist is an error, so a hash cannot silently cover nothing after
files have moved. Versions of libraries are for the caller to add.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks.harness.provenance import ROOT

# What our sampler imports but no proposal depends on: reading stores, specs and models.
_NOT_THE_SAMPLER = ("search.tracking", "search.spec", "models")


@functools.cache
def models_version() -> str:
    """Return the hash of all of models/: data, networks, training, attacks."""
    return tree_hash(ROOT / "models")


@functools.cache
def sampler_version() -> str:
    """Return the hash of all code of ours that a proposal depends on.

    It covers search/apply/ and whatever that imports of search/, at any depth.
    """
    return imported_hash(modules_of(ROOT / "search" / "apply"), without=_NOT_THE_SAMPLER)


def tree_hash(*places: Path) -> str:
    """Return a hash of Python files, and of all Python files below folders.

    Raises:
        FileNotFoundError: A place does not exist, or is a folder without a Python file.
    """
    files = []
    for place in places:
        found = [place] if place.is_file() else sorted(place.rglob("*.py"))
        if not found:
            raise FileNotFoundError(
                f"{place}: no Python file there, but a cache is keyed by it; "
                "fix: name where the code is now"
            )
        files += found
    parts = [f"{path.relative_to(ROOT)} {file_hash(path)}" for path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def imported_hash(modules: Iterable[str], without: tuple[str, ...] = ()) -> str:
    """Return a hash of modules and of what they import of the same top-level packages.

    Args:
        modules: Dotted names, such as "search.apply.sampler".
        without: Beginnings of dotted names whose code does not matter.

    Raises:
        FileNotFoundError: There is no file for one of `modules`.
    """
    pending = list(modules)
    for name in pending:
        if not _file_of(name).is_file():
            raise FileNotFoundError(f"{name}: no such module; fix: name where the code is now")
    packages = {name.split(".")[0] for name in pending}
    seen: dict[str, str] = {}
    while pending:
        name = pending.pop()
        path = _file_of(name)
        # `from package.module import name` looks like a module `package.module.name`, too.
        if name in seen or name.startswith(without) or not path.is_file():
            continue
        seen[name] = file_hash(path)
        pending += [each for each in _imports(path) if each.split(".")[0] in packages]
    return hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()[:12]


def modules_of(folder: Path) -> list[str]:
    """Return the dotted names of all Python files below a folder of the project."""
    files = sorted(folder.rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]


def file_hash(path: Path) -> str:
    """Return a hash of a file's code; comments, docstrings and layout do not count."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant):
                body[0].value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12]


def _file_of(module: str) -> Path:
    place = ROOT.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found
