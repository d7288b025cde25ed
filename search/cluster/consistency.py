"""Check whether the nodes of a cluster agree: versions, code, data set, model and clocks."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from models.catalog import describe_data
from models.networks.base_model import locate_base
from models.networks.own_code import locate_code
from search.cluster.check import Check, failed, failed_if, listed, passed, warned
from search.cluster.nodes import Nodes, Reply, problems
from search.history.plurals import counted
from search.optimize.function_check import check_function
from search.optimize.network_check import check_network
from search.spec import Spec

# What pickles between driver and workers, or changes what a trial's metrics mean.
VERSIONS_OF = ("ray", "optuna", "mlflow", "torch", "numpy")


def installed() -> dict[str, str]:
    """Return, on a node, the versions of "python", of `VERSIONS_OF` and of "our code"."""
    found = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found | {"our code": code_digest()}


def code_digest(root: Path | None = None) -> str:
    """Return 12 hex digits over the Python files of `search` and `models`.

    Args:
        root: The folder that holds both; by default that of the code that runs.
    """
    root = root or Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for package in ("search", "models"):
        for file in sorted((root / package).rglob("*.py")):
            digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def check_versions(nodes: Nodes) -> Iterator[Check]:
    """Check the libraries, and then our code, of every node against this process."""
    replies = nodes.ask(installed)
    if wrong := problems(replies):
        fix = "make that node run Python with the packages of constraints.txt"
        yield failed("versions", wrong, fix)
    else:
        there = {name: reply.value for name, reply in replies.items()}
        yield from compare_versions(installed(), there)


def compare_versions(
    here: Mapping[str, str], nodes: Mapping[str, Mapping[str, str]]
) -> Iterator[Check]:
    """Compare what is installed here with every node; one check of libraries, one of our code."""
    differing: dict[str, list[str]] = {}
    for name, found in nodes.items():
        for part, text in here.items():
            if found.get(part) != text:
                what = f"{part} {found.get(part, 'missing')} and not {text}"
                differing.setdefault(what, []).append(name)
    lines = [f"{what} on {listed(names)}" for what, names in differing.items()]
    code = [line for line in lines if line.startswith("our code")]
    libraries = [line for line in lines if line not in code]
    libraries += [f"{part} is not installed here" for part in here if here[part] == "missing"]
    count = counted(len(nodes), "node")
    agreed = ", ".join(f"{part} {text}" for part, text in here.items() if part != "our code")
    yield failed_if(
        "versions",
        "; ".join(libraries),
        "install the same versions everywhere: pip install -c constraints.txt -e .",
        f"{agreed} on {count}",
    )
    yield failed_if(
        "code",
        "; ".join(code),
        "remove the other copy of the project from that node (pip uninstall twentieth)",
        f"search/ and models/ are {here['our code']} on {count}",
    )


# A large data set is hashed whole: at 200 MB a second, a minute for 12 GB.
DIGEST_SECONDS = 300.0


def digest_of(describe: Callable[..., Any], *arguments: Any) -> str:
    """Return, on a node, the digest of the data set or pretrained model that `describe` finds.

    Raises:
        ValueError: It is missing or damaged.
    """
    return str(describe(*arguments).digest)


def check_data(nodes: Nodes, spec: Spec) -> Iterator[Check]:
    """Check the data set and the pretrained model that the spec names, and warn of the data."""
    task = spec.task
    parts: list[tuple[str, tuple[Any, ...]]] = []
    if task.data:
        parts.append(("data set", (describe_data, task.data, task.data_kind())))
    if task.base:
        parts.append(("base model", (locate_base, task.base)))
    for name, call in parts:
        describe, *arguments = call
        found = describe(*arguments)
        replies = nodes.ask(digest_of, *call, seconds=DIGEST_SECONDS)
        yield digest_check(name, found.digest, replies)
        for warning in getattr(found, "warnings", ()):
            problem, _, fix = warning.partition("; fix: ")
            yield warned(name, problem, fix)


def check_code(spec: Spec) -> Check:
    """Check that the user's own code is found, and that it can be searched."""
    code = locate_code(spec.task.code)
    if spec.task.network:
        check_network(spec)
    elif spec.task.train:
        check_function(spec)
    files = counted(len(code.files), "file")
    return passed("own code", f"{spec.task.code}, source digest {code.digest} over {files}")


def check_trial(spec: Spec) -> Check:
    """Check that a trial can be set up, with all that it needs, on this machine."""
    # It imports Ray. So `launch`, which imports this module, would have Ray read RAY_AUTH_MODE too
    # early, and every command would take two seconds more.
    from search.optimize.trial_check import check_setup

    return passed("a trial", check_setup(spec))


def digest_check(name: str, here: str, replies: Mapping[str, Reply]) -> Check:
    """Check that all nodes returned the digest that this machine has."""
    other = [node for node, reply in replies.items() if reply.value != here]
    problem = f"differs from the driver's ({here}) on {listed(other)}" if other else ""
    if wrong := problems(replies):
        problem = f"cannot be read on {wrong}"
    fix = "put the same files at the same path on every node (on shared storage)"
    return failed_if(name, problem, fix, f"{here} on {counted(len(replies), 'node')}")


# An owner's heartbeat, every 10 s, counts as lapsed after 60 s by the clock of whoever asks: with a
# clock 50 s ahead, another driver takes a living search over. Logs of several nodes are put in
# order by seconds. A machine that keeps time by NTP is off by milliseconds, so 5 s already says
# that it does not.
SKEW_SECONDS = 5.0
# The first answer starts a worker on the node; the quickest of three is a plain round trip.
ROUNDS = 3


def check_clocks(nodes: Nodes) -> Check:
    """Check how far each node's clock is off, beyond what the round trip can explain."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        before = time.time()
        replies = nodes.ask(time.time)
        after = time.time()
        if wrong := problems(replies):
            return failed("clocks", wrong, "make that node answer")
        for name, reply in replies.items():
            measured = (after - before, skew(before, float(reply.value), after))
            best[name] = min(best.get(name, measured), measured)
    return clock_check({name: seconds for name, (_, seconds) in best.items()})


def skew(before: float, there: float, after: float) -> float:
    """Return the least seconds that a clock is ahead (negative: behind); 0 if the trip explains it.

    The node read its clock somewhere between `before` and `after`, by the driver's clock.
    """
    return there - after if there > after else min(0.0, there - before)


def clock_check(seconds: Mapping[str, float]) -> Check:
    """Return the check of the clock that is farthest off; `seconds` is node -> skew."""
    worst = max(seconds, key=lambda name: abs(seconds[name]))
    off = abs(seconds[worst])
    direction = "ahead of" if seconds[worst] > 0 else "behind"
    return failed_if(
        "clocks",
        f"{worst} is {off:.1f} s {direction} the driver" if off > SKEW_SECONDS else "",
        "set it by NTP: timedatectl set-ntp true (or chronyd)",
        f"within {max(0.1, off):.1f} s of the driver's",
    )
