"""Writes a benchmark's result to results/reference/, together with what it depends on.

A result states its command, seeds, commit, date, machine and versions, in the Markdown file for
people and in the JSON file for programs. Not for intervals (statistics.py) nor tables (tables.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference"
VERSIONS_OF = ("ray", "optuna", "mlflow", "torch", "numpy", "transformers", "peft")
# A result is marked if one of these has uncommitted changes; other folders decide no result.
DECIDING = ("search", "models", "benchmarks")


def write(
    name: str,
    body: Sequence[str],
    raw: Mapping[str, Any],
    *,
    command: str,
    seeds: str,
    facts: Mapping[str, str] | None = None,
) -> Path:
    """Write `<name>.md` and `<name>.json`, print the former, and return its path.

    Args:
        name: Of the files, without a suffix.
        body: Lines of the Markdown file, the section on provenance excluded.
        raw: What the JSON file keeps in addition; its keys must not be "command", "seeds" or
            "environment".
        command: What has to be typed to measure this again.
        seeds: Which seeds were used, for what.
        facts: `environment()` of an earlier run whose raw data are shown again; None: of this run.
            Its "note", if there is one, says what is no longer true of today's code.
    """
    REFERENCE.mkdir(parents=True, exist_ok=True)
    facts = facts or environment()
    origin = _origin(command, seeds, facts)
    text = "\n".join([*body, "", "## Provenance", "", *origin, ""])
    path = REFERENCE / f"{name}.md"
    path.write_text(text)
    record = {"command": command, "seeds": seeds, "environment": facts, **raw}
    (REFERENCE / f"{name}.json").write_text(_compact(json.dumps(record, indent=1)) + "\n")
    print(text)
    return path


def environment() -> dict[str, str]:
    """Return what a result depends on in addition to its command and its seeds."""
    return {
        "commit": _commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **_versions(),
    }


def _versions() -> dict[str, str]:
    """Return the versions of what is installed; a GPU's machine may lack Ray, Optuna and MLflow."""
    found = {}
    for name in VERSIONS_OF:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def stored(name: str) -> dict[str, Any]:
    """Return what `write` kept as JSON.

    Raises:
        FileNotFoundError: There is no such result yet.
    """
    record: dict[str, Any] = json.loads((REFERENCE / f"{name}.json").read_text())
    return record


def _compact(text: str) -> str:
    """Put every list of numbers in a JSON text on one line."""
    numbers = re.compile(r"\[\s+[-+.eE0-9,\s]+\]")
    return numbers.sub(lambda found: " ".join(found.group().split()), text)


def _origin(command: str, seeds: str, facts: Mapping[str, str]) -> list[str]:
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", *VERSIONS_OF)
                         if name in facts)  # fmt: skip
    return [
        f"- command: `{command}`",
        f"- seeds: {seeds}",
        f"- commit: {facts['commit']}; date: {facts['date']}",
        *([f"- note: {facts['note']}"] if "note" in facts else []),
        f"- machine: {facts['machine']}; shared with other work",
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
