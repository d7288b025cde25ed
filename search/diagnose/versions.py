"""Whether every node runs the same Python, the same libraries and the same code of ours."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from search.diagnose.check import Check, failed, listed, passed
from search.diagnose.nodes import Nodes, problems

# What pickles between driver and workers, or changes what a trial's figures mean.
VERSIONS_OF = ("ray", "optuna", "mlflow", "torch", "numpy")


def installed() -> dict[str, str]:
    """Runs on a node: "python", each library of `VERSIONS_OF` and "our code" to version."""
    found = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found | {"our code": code_digest()}


def code_digest(root: Path | None = None) -> str:
    """Of the Python files of `search` and `models` under `root`, by default those that run."""
    root = root or Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for package in ("search", "models"):
        for file in sorted((root / package).rglob("*.py")):
            digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def check_versions(nodes: Nodes) -> Iterator[Check]:
    """One check of the libraries and one of our code, against this process."""
    replies = nodes.ask(installed)
    if wrong := problems(replies):
        mend = "make that node run Python with the packages of constraints.txt"
        yield failed("versions", wrong, mend)
        return
    yield from compare(installed(), {name: dict(each.value) for name, each in replies.items()})


def compare(here: Mapping[str, str], nodes: Mapping[str, Mapping[str, str]]) -> Iterator[Check]:
    """Compares what is installed here with every node."""
    where: dict[str, list[str]] = {}
    for name, found in nodes.items():
        for part, text in here.items():
            if found.get(part) != text:
                what = f"{part} {found.get(part, 'missing')} and not {text}"
                where.setdefault(what, []).append(name)
    code = {what: names for what, names in where.items() if what.startswith("our code")}
    libraries = {what: names for what, names in where.items() if what not in code}
    missing = [part for part, text in here.items() if text == "missing"]
    mend = "install the same versions everywhere: pip install -c constraints.txt -e ."
    if libraries or missing:
        parts = [f"{what} on {listed(names)}" for what, names in libraries.items()]
        parts += [f"{part} is not installed here" for part in missing]
        yield failed("versions", "; ".join(parts), mend)
    else:
        said = ", ".join(f"{part} {text}" for part, text in here.items() if part != "our code")
        yield passed("versions", f"{said} on {_count(nodes)}")
    if code:
        parts = [f"{what} on {listed(names)}" for what, names in code.items()]
        mend = "remove the other copy of the project from that node (pip uninstall twentieth)"
        yield failed("code", "; ".join(parts), mend)
    else:
        yield passed("code", f"search/ and models/ are {here['our code']} on {_count(nodes)}")


def _count(nodes: Mapping[str, object]) -> str:
    return "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
