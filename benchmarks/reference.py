"""Writes a benchmark's result where it is kept: results/reference/, with what it depends on."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "results" / "reference"
VERSIONS_OF = ("ray", "optuna", "mlflow", "torch", "numpy")
# The package's folders that decide a result; others may be edited meanwhile.
DECIDING = ("search", "models", "benchmarks")

_RESAMPLES = 10_000


def write(
    name: str,
    command: str,
    body: Sequence[str],
    raw: Any,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Writes `<name>.md` and `<name>.json`, prints the former; returns its path.

    `facts` are those of an earlier run whose raw data are only shown anew; None: of this one.
    """
    REFERENCE.mkdir(parents=True, exist_ok=True)
    facts = facts or environment()
    text = "\n".join([*body, "", "## Where this is from", "", *_origin(command, facts), ""])
    path = REFERENCE / f"{name}.md"
    path.write_text(text)
    record = {"command": command, "environment": facts, **raw}
    (REFERENCE / f"{name}.json").write_text(_compact(json.dumps(record, indent=1)) + "\n")
    print(text)
    return path


def environment() -> dict[str, str]:
    """What a result depends on besides its command."""
    return {
        "commit": _commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONS_OF},
    }


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A Markdown table; numbers as given."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]


def interval(
    values: ArrayLike, statistic: Callable[..., Any] = np.median, seed: int = 0
) -> tuple[float, float, float]:
    """A statistic of a sample and its 95 % bootstrap interval (percentile, 10,000 resamples).

    `statistic` takes an array and `axis`. With few values the interval is too narrow: percentile
    intervals of a median of ten cover about 0.9.
    """
    sample = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(seed)
    drawn = sample[generator.integers(0, len(sample), (_RESAMPLES, len(sample)))]
    low, high = np.percentile(statistic(drawn, axis=1), [2.5, 97.5])
    return float(statistic(sample, axis=0)), float(low), float(high)


def said(estimate: tuple[float, float, float], digits: int = 3) -> str:
    """An estimate and its interval in words: `0.812 [0.801, 0.823]`."""
    middle, low, high = (f"{value:.{digits}f}" for value in estimate)
    return f"{middle} [{low}, {high}]"


def spread(values: NDArray[np.float64], digits: int) -> str:
    """A median with the least and the greatest."""
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def stored(name: str) -> dict[str, Any]:
    """The raw data that `write` kept."""
    record: dict[str, Any] = json.loads((REFERENCE / f"{name}.json").read_text())
    return record


def _compact(text: str) -> str:
    """JSON with every list of numbers on one line."""
    numbers = re.compile(r"\[\s+[-+.eE0-9,\s]+\]")
    return numbers.sub(lambda found: " ".join(found.group().split()), text)


def _origin(command: str, facts: Mapping[str, str]) -> list[str]:
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", *VERSIONS_OF))
    return [
        f"- command: `{command}`",
        f"- commit: {facts['commit']}; date: {facts['date']}",
        f"- machine: {facts['machine']}; others used it at the same time",
        f"- versions: {versions}",
    ]


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", *DECIDING],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{commit} with uncommitted changes" if changed else commit
