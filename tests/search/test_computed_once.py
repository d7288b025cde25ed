"""A launch computes everything once and passes it to its driver; so does a report."""

from __future__ import annotations

import pickle
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.apply import task_models
from search.optimize.plan import Plan
from search.optimize.tuner import Tuning
from search.pipeline import new_plan, prepare
from search.report.report import publish_report
from search.review import reconcile
from search.spec import Spec, spec_from_yaml
from search.tracking.read import history
from search.tracking.store import open_client
from search.tracking.write.journal import Journal
from search.tracking.write.journal_sender import Writer
from tests.support.launches import hills
from tests.support.stores import migrated_store

EARLIER = 5
TRIALS = 12


def spec_of(task: str) -> Spec:
    named = {"name": task, "train": "python:tests.support.functions:two_hills"}
    return spec_from_yaml(yaml.safe_dump(hills(name=task, task=named)))


def run_without_ray(plan: Plan, uri: str) -> None:
    """Writes what the driver would have written of a search."""
    journal = Journal(plan.storage)
    for number in range(TRIALS):
        x = -2 + 5 * number / TRIALS
        values = [-(x**2), -((x - 1) ** 2)]
        journal.append("start", number=number, configuration={"x": x}, origin={},
                       checkpoints="/nowhere")  # fmt: skip
        metrics = dict(zip(("left", "right"), values, strict=True))
        journal.append("epoch", number=number, epoch=4, metrics=metrics)
        journal.append("end", number=number, state="complete", epoch=4, values=values, reason="")
    journal.append("summary", tags={"twentieth.state": "complete"}, status="FINISHED")
    journal.close()
    Writer(
        open_client(uri), plan.storage, search=plan.search, experiment=plan.experiment,
        summary_run=plan.summary_run, generation=1,
    ).drain()  # fmt: skip


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A store with five finished searches: four of other tasks, one of the task `mine`."""
    (tmp_path / "mlflow.db").write_bytes(migrated_store().read_bytes())
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    for task in ("one", "two", "three", "four", "mine"):
        plan = new_plan(prepare(spec_of(task), store, say=_silent), store, tmp_path / "s", None)
        run_without_ray(plan, store)
    return store


@pytest.fixture
def calls(uri: str, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of the expensive things is done from now on."""
    counts: Counter[str] = Counter()

    def counted(module: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(module, name)

        def calling(*given: Any, **options: Any) -> Any:
            counts[name] += 1
            return real(*given, **options)

        monkeypatch.setattr(module, name, calling)

    counted(history, "_meanings")
    counted(sys.modules[reconcile.__module__], "objective_values")
    counted(task_models, "_modelled")
    return counts


def _silent(text: str) -> None:
    """Says nothing."""


@pytest.mark.slow
def test_a_launch_reads_reconciles_and_models_once_and_so_does_its_report(
    uri: str, calls: Counter[str], tmp_path: Path
) -> None:
    plan = new_plan(prepare(spec_of("mine"), uri, say=_silent), uri, tmp_path / "s", None)
    handed_over = pickle.loads(pickle.dumps(plan))
    tuning = Tuning(
        handed_over, [], Journal(plan.storage), 1, threading.Event(), lambda: False
    )  # fmt: skip
    proposed = tuning.searcher.suggest("first")
    assert isinstance(proposed, dict)
    other_tasks = EARLIER - 1
    assert calls == {
        "_meanings": 1,  # readings of the store
        "objective_values": EARLIER * TRIALS,  # each trial is reconciled once
        "_modelled": other_tasks,
    }
    run_without_ray(plan, uri)
    calls.clear()
    publish_report(plan.search, uri, tmp_path / "reports")
    assert calls == {"_meanings": 1, "objective_values": EARLIER * TRIALS}
