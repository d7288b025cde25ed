"""Runs the cells of the adaptation benchmark, each in its own process; finds what is stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.adaptation import cells as comparison
from benchmarks.adaptation import tuned as tuning
from benchmarks.adaptation.report import Found
from benchmarks.adaptation.training import TASKS, Setting, quality
from benchmarks.harness.code_version import tree_hash
from benchmarks.harness.provenance import ROOT, environment
from models.hyperparameters.transformer import METHODS

# NOTE: a worker imports the file of its job alone, not this one: its memory is a result.
LIBRARIES = ("torch", "transformers", "peft")
_DECIDING = ("training.py", "cells.py")

Job = tuple[Any, ...]


def code_version() -> str:
    """Return a hash of the code that trains, and of the libraries' versions."""
    code = tree_hash(ROOT / "models", *(Path(__file__).with_name(name) for name in _DECIDING))
    parts = [code, *(version(name) for name in LIBRARIES)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def run(setting: Setting, jobs: int, tasks: Sequence[str], methods: Sequence[str]) -> None:
    """Train all cells of a task, then test what was chosen of them."""
    setting.store().put(_facts_key(setting), environment())
    for task in tasks:
        cells = comparison.cells(task, methods)
        _in_parallel([(comparison.train, setting, cell) for cell in cells], jobs)
        _in_parallel([(comparison.test, setting, task, method) for method in methods], jobs)


def tuned(setting: Setting, jobs: int) -> None:
    """Search, with the untuned finals in parallel, then train the tuned finals."""
    finals = [(tuning.final, setting, "untuned", tuning.UNTUNED, seed)
              for seed in tuning.FINAL_SEEDS]  # fmt: skip
    trials, *untuned = _in_parallel([(tuning.search, setting), *finals], jobs)
    best = comparison.chosen(trials, quality(tuning.TASK))["configuration"]
    finals = [(tuning.final, setting, "tuned", best, seed) for seed in tuning.FINAL_SEEDS]
    record = {"trials": trials, "untuned": untuned, "tuned": _in_parallel(finals, jobs)}
    setting.store().put(tuning.key(setting), record)


def found(setting: Setting) -> Found:
    """Return what is stored, as far as it was measured with this code."""
    store = setting.store()
    cells = [store.get(cell.key(setting)) for task in TASKS for cell in comparison.cells(task)]
    tests = [store.get(comparison.test_key(setting, task, method))
             for task in TASKS for method in METHODS]  # fmt: skip
    whole = store.get(tuning.key(setting))
    facts = store.get(_facts_key(setting))
    return Found([each for each in cells if each], [each for each in tests if each], whole, facts)


def _facts_key(setting: Setting) -> dict[str, str]:
    """Return the key of a run's environment; the report may be written on another machine."""
    return {"part": "facts", "code": setting.code}


def _in_parallel(work: Sequence[Job], jobs: int) -> list[Any]:
    """Return the result of every job (a function and its arguments), in their order."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before a worker imports numpy
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with ThreadPoolExecutor(jobs) as pool:
        pending: dict[Future[Any], Job] = {pool.submit(_alone, *job): job for job in work}
        try:
            for count, future in enumerate(as_completed(pending), start=1):
                future.result()
                print(f"{count} of {len(work)}: {pending[future][2:]}", flush=True)
        finally:  # a job that fails ends the run
            pool.shutdown(cancel_futures=True)
        return [future.result() for future in pending]


def _alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """Run a job in a process of its own: the memory that it leaves is not the next one's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()
