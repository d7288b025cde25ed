"""The suite's tests that are marked `gpu` and need no Ray, by pytest in a process of its own.

They use more than `make gpu` needs (pytest, data of scikit-learn); where it is missing, the part
says so.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

from benchmarks.gpu.part import Findings, NotRun, Setting, Table
from benchmarks.harness.provenance import ROOT

# Those of models/ alone: the tests of search/ start Ray.
FOLDER = "tests/models"
# What the suite's own files import, in addition to what the tests need.
_NEEDED = ("pytest", "hypothesis", "sklearn", "pyarrow")
_MARK = re.compile(r"^@pytest\.mark\.gpu$", re.MULTILINE)
_OUTCOME = re.compile(r"^(PASSED|FAILED|SKIPPED|ERROR) (.*)$", re.MULTILINE)


def files() -> list[str]:
    """Return the test files below `FOLDER` with a test marked gpu, from the project's root."""
    found = sorted((ROOT / FOLDER).rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in found if _MARK.search(file.read_text())]


def run(setting: Setting) -> Findings:
    """Run the tests, each of which needs a CUDA device."""
    if setting.device != "cuda":
        raise NotRun("these tests need a CUDA device")
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise NotRun(f"not installed: {', '.join(missing)}")
    command = [
        sys.executable, "-m", "pytest", "-q", "-rA", "-m", "gpu", "-p", "no:cacheprovider",
        "-p", "benchmarks.gpu.absent_packages", *files(),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=max(1.0, setting.left),
    )  # fmt: skip
    rows = outcomes(done.stdout)
    if not rows:
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-500:]}")
    skipped = [(test, "skipped by itself") for test, outcome in rows if outcome == "skipped"]
    passes = not any(outcome in ("failed", "error") for _, outcome in rows)
    return Findings(
        [Table("Tests", ["test", "outcome"], rows)], skipped, [("no test fails", passes)],
        {"output": done.stdout[-4000:]},
    )  # fmt: skip


def outcomes(said: str) -> list[list[str]]:
    """Return [test, outcome in lower case] of pytest's summary (`-rA`)."""
    return [[test.partition(" - ")[0], outcome.lower()] for outcome, test in _OUTCOME.findall(said)]
