"""Measures the installed size of what `twentieth` needs, and how fast it starts: before and now.

The size is that of all distributions that the core dependencies of pyproject.toml need here,
directly or not, by their extras and environment markers: the files that each one's RECORD lists.
Before are the dependencies at COMMIT, in the environment of now: versions do not differ, and what
is no longer installed is named and counts nothing.

Start is the wall time of a fresh interpreter that imports `search`, or answers `--version` or
`--help`, with the code of COMMIT (a temporary git worktree) and with that of now. Both sides take
turns, after a first start of each that is not counted and writes the byte code. A machine with
other work makes both slower; the ratio of the medians changes less.

Cost: one to two minutes. It prints tables and writes no result.

    python -m benchmarks.internal.footprint 508737f
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import Distribution, distributions
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.harness import tables
from benchmarks.harness.command_line import parser
from benchmarks.harness.provenance import ROOT

LARGEST = 10
BYTES_IN_MB = 1_000_000
STARTS: Mapping[str, tuple[str, ...]] = {
    "import search": ("-c", "import search"),
    "twentieth --version": ("-m", "search", "--version"),
    "twentieth --help": ("-m", "search", "--help"),
}


def needed(
    requirements: Sequence[str], path: Sequence[str] | None = None
) -> dict[str, Distribution | None]:
    """Return all distributions that requirements need, directly or not, by their names.

    Args:
        requirements: As in pyproject.toml; those whose environment marker is false need nothing.
        path: Where distributions are looked for; None: where Python imports from. One that is not
            installed is None.
    """
    found: dict[str, Distribution | None] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(each), "") for each in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        if name not in found:
            search = sys.path if path is None else list(path)
            found[name] = next(iter(distributions(name=name, path=search)), None)
        distribution = found[name]
        for wanted in {"", *requirement.extras}:
            if distribution is not None and (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += [(Requirement(each), wanted) for each in distribution.requires or ()]
    return found


def size(distribution: Distribution) -> int:
    """Return the bytes of the files in a distribution's RECORD that exist."""
    paths = [Path(str(distribution.locate_file(each))) for each in distribution.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def dependencies(text: str) -> list[str]:
    """Return the core dependencies of a pyproject.toml."""
    return list(tomllib.loads(text)["project"]["dependencies"])


def sizes_report(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the sizes of both lists of dependencies as lines of text."""
    sides = needed(before), needed(now)
    sizes = {name: size(each) for side in sides for name, each in side.items() if each is not None}
    totals = [sum(sizes.get(name, 0) for name in side) for side in sides]
    largest = sorted(sides[1].keys() & sizes, key=lambda name: -sizes[name])[:LARGEST]
    rows: list[list[object]] = [
        ["distributions", *(len(side) for side in sides)],
        ["installed (MB)", *(_mb(total) for total in totals)],
    ]
    lines = [*tables.table(["", "before", "now"], rows), ""]
    lines += [f"ratio of sizes: {totals[1] / totals[0]:.3f}", ""]
    lines += [f"The {LARGEST} largest now:", ""]
    lines += tables.table(["distribution", "MB"], [[name, _mb(sizes[name])] for name in largest])
    for word, side, other in (("before", *sides), ("now", *sides[::-1])):
        only = sorted(side.keys() - other.keys(), key=lambda name: -sizes.get(name, 0))
        named = [f"{n} {_mb(sizes[n])} MB" if n in sizes else f"{n} (not here)" for n in only]
        lines += ["", f"Needed {word} only: {', '.join(named) or 'none'}"]
    missing = sorted({name for side in sides for name in side} - sizes.keys())
    return [*lines, f"Not installed here: {', '.join(missing) or 'none'}"]


def start_seconds(
    roots: Mapping[str, Path], arguments: Sequence[str], repetitions: int
) -> dict[str, list[float]]:
    """Return the seconds of a fresh interpreter with each side's code, in turns: A B, B A, ..."""
    found: dict[str, list[float]] = {side: [] for side in roots}
    for repetition in range(repetitions + 1):
        for side in list(roots)[:: 1 if repetition % 2 else -1]:
            began = time.perf_counter()
            _run(roots[side], arguments)
            if repetition:
                found[side].append(time.perf_counter() - began)
    return found


def starts_report(roots: Mapping[str, Path], repetitions: int) -> list[str]:
    """Return the times of all starts as a table, after checking whose code is imported."""
    for root in roots.values():
        origin = Path(_run(root, ("-c", "import search; print(search.__file__)")).strip())
        if not origin.is_relative_to(root):
            raise RuntimeError(
                f"{root} was to be imported, but {origin} was; fix: unset PYTHONPATH"
            )
    rows = []
    for name, arguments in STARTS.items():
        seconds = start_seconds(roots, arguments, repetitions)
        medians = [float(np.median(each)) for each in seconds.values()]
        shown = [tables.median_and_range(each, 3) for each in seconds.values()]
        rows.append([name, *shown, f"{medians[1] / medians[0]:.3f}"])
    return tables.table(["seconds, median (range)", *roots, "ratio"], rows)


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary folder, as a git worktree that is removed again."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "before"
        _git("worktree", "add", "--detach", str(root), commit)
        try:
            yield root
        finally:
            _git("worktree", "remove", "--force", str(root))


def _run(root: Path, arguments: Sequence[str]) -> str:
    """Return what a fresh interpreter prints in a folder whose packages it imports first."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def _mb(count: int) -> str:
    return f"{count / BYTES_IN_MB:,.1f}"


def main() -> None:
    """Print the sizes and the times of both sides."""
    options = parser("internal.footprint", __doc__)
    options.add_argument("commit")
    options.add_argument("--repetitions", type=int, default=10, help="starts of each kind and side")
    given = options.parse_args()
    before = dependencies(_git("show", f"{given.commit}:pyproject.toml"))
    print("\n".join(sizes_report(before, dependencies((ROOT / "pyproject.toml").read_text()))))
    with worktree(given.commit) as root:
        print("\n".join(["", *starts_report({"before": root, "now": ROOT}, given.repetitions)]))


if __name__ == "__main__":
    main()
