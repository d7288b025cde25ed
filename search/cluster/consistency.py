"""Whether the nodes of a cluster agree: versions and code, data set and model, clocks."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from models.catalog import data_kind, describe_data
from models.networks.base_model import locate_base
from search.cluster.check import Check, failed, listed, passed
from search.cluster.nodes import Nodes, Reply, problems
from search.spec import Spec

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
        fix = "make that node run Python with the packages of constraints.txt"
        yield failed("versions", wrong, fix)
        return
    yield from compare_versions(
        installed(), {name: dict(each.value) for name, each in replies.items()}
    )


def compare_versions(
    here: Mapping[str, str], nodes: Mapping[str, Mapping[str, str]]
) -> Iterator[Check]:
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
    fix = "install the same versions everywhere: pip install -c constraints.txt -e ."
    if libraries or missing:
        parts = [f"{what} on {listed(names)}" for what, names in libraries.items()]
        parts += [f"{part} is not installed here" for part in missing]
        yield failed("versions", "; ".join(parts), fix)
    else:
        said = ", ".join(f"{part} {text}" for part, text in here.items() if part != "our code")
        yield passed("versions", f"{said} on {_count(nodes)}")
    if code:
        parts = [f"{what} on {listed(names)}" for what, names in code.items()]
        fix = "remove the other copy of the project from that node (pip uninstall twentieth)"
        yield failed("code", "; ".join(parts), fix)
    else:
        yield passed("code", f"search/ and models/ are {here['our code']} on {_count(nodes)}")


def _count(nodes: Mapping[str, object]) -> str:
    return "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"


# A large data set is hashed whole: at 200 MB a second, a minute for 12 GB.
DIGEST_SECONDS = 300.0


def data_digest(settings: dict[str, Any], kind: str) -> str:
    """Runs on a node: the digest of a task's data set.

    Raises:
        ValueError: It is missing or damaged.
    """
    return describe_data(settings, kind).digest


def base_digest(base: str) -> str:
    """Runs on a node: the digest of a pretrained model.

    Raises:
        ValueError: It is missing or damaged.
    """
    return locate_base(base).digest


def check_data(nodes: Nodes, spec: Spec) -> Iterator[Check]:
    """One check of the data set and one of the pretrained model, of those the spec names."""
    task = spec.task
    if task.data:
        kind = "images" if task.is_function else data_kind(task.model)
        here = data_digest(task.data, kind)
        yield judge_data(
            "data set", here, nodes.ask(data_digest, task.data, kind, seconds=DIGEST_SECONDS)
        )
    if task.base:
        here = base_digest(task.base)
        yield judge_data(
            "base model", here, nodes.ask(base_digest, task.base, seconds=DIGEST_SECONDS)
        )


def judge_data(name: str, here: str, replies: Mapping[str, Reply]) -> Check:
    """Whether all nodes gave the digest that it has here."""
    fix = "put it at the same path on every node (on shared storage), the same files"
    if wrong := problems(replies):
        return failed(name, f"cannot be read on {wrong}", fix)
    other = [node for node, reply in replies.items() if reply.value != here]
    if other:
        return failed(name, f"differs from the driver's ({here}) on {listed(other)}", fix)
    count = "1 node" if len(replies) == 1 else f"{len(replies)} nodes"
    return passed(name, f"{here} on {count}")


# An owner's heartbeat, every 10 s, counts as lapsed after 60 s by the clock of whoever asks: one
# that is 50 s ahead takes a living search over. Logs of several nodes are put in order by seconds.
# A machine that keeps time by NTP is off by milliseconds, so 5 s already says that it does not.
SKEW_SECONDS = 5.0
# The first answer starts a worker on the node; the quickest of three is a plain round trip.
ROUNDS = 3


def check_clocks(nodes: Nodes) -> Iterator[Check]:
    """How far each node's clock is off, after what the way there and back can explain."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        before = time.time()
        replies = nodes.ask(time.time)
        after = time.time()
        if wrong := problems(replies):
            yield failed("clocks", wrong, "make that node answer")
            return
        for name, reply in replies.items():
            measured = (after - before, skew(before, float(reply.value), after))
            best[name] = min(best.get(name, measured), measured)
    yield judge_clocks({name: seconds for name, (_, seconds) in best.items()})


def skew(before: float, there: float, after: float) -> float:
    """Seconds that a clock is ahead (negative: behind), at least; 0 if the way explains it.

    The node looked at its clock somewhere between `before` and `after`, by the driver's clock.
    """
    return there - after if there > after else min(0.0, there - before)


def judge_clocks(seconds: dict[str, float]) -> Check:
    """The check for the clock that is farthest off."""
    worst = max(seconds, key=lambda name: abs(seconds[name]))
    off = seconds[worst]
    if abs(off) > SKEW_SECONDS:
        direction = "ahead of" if off > 0 else "behind"
        found = f"{worst} is {abs(off):.1f} s {direction} the driver"
        return failed("clocks", found, "set it by NTP: timedatectl set-ntp true (or chronyd)")
    return passed("clocks", f"within {max(0.1, abs(off)):.1f} s of the driver's")
