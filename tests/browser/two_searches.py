"""A store with two searches of one task, written by the real tracking code without training.

Each search has four trials: two complete ones (one per optimizer, so that each lacks the other's
learning rate), one stopped by the scheduler, one failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.objectives import Objective
from search.report.interactive import page
from search.spec import Spec, load_spec
from search.tracking.store import create_store, ensure_experiment
from search.tracking.summary import create_summary, publish_files
from search.tracking.write.journal import Journal
from search.tracking.write.journal_sender import Writer
from search.tracking.write.mlflow_views import write_views

SPEC = Path(__file__).resolve().parents[2] / "search" / "specs" / "digits.yaml"
SEARCHES = ("digits-0102-0900-aaaa", "digits-0102-0901-bbbb")
CLEAN, ROBUST = "accuracy.clean", "accuracy.pgd10_linf_0.1"
# What stands for an objective until a trial's last epoch.
AT_EPOCHS = {CLEAN: "selection.accuracy.clean", ROBUST: "selection.accuracy.pgd3_linf_0.1"}
STOPPED, FAILED = 2, 3
LOG_SCALED = frozenset({"sgd.learning_rate", "adamw.learning_rate"})

PAGE = page(SEARCHES[0], [], "../plotly.min.js")


@dataclass(frozen=True)
class TwoSearches:
    """The ids of the experiment and runs that were written."""

    experiment: str
    summaries: dict[str, str]  # search -> run id
    trials: dict[tuple[str, int], str]  # (search, number) -> run id


def configuration(index: int, number: int) -> dict[str, Any]:
    """Returns the configuration of trial `number` of search `index`; every value occurs once."""
    optimizer = "sgd" if number % 2 == 0 else "adamw"
    rate = (0.02 if optimizer == "sgd" else 0.002) * (1 + number + index / 10)
    return {"optimizer": optimizer, f"{optimizer}.learning_rate": round(rate, 6), "width": 16,
            "normalisation": "batch", "dropout": (10 * index + number) / 100,
            "adversarial_training": "none"}  # fmt: skip


def objective_values(index: int, number: int) -> list[float]:
    """Returns clean and robust accuracy of a complete trial; every value occurs once."""
    return [0.901 + 0.01 * number + 0.002 * index, 0.501 + 0.1 * number + 0.02 * index]


def run_name(search: str, number: int) -> str:
    """Returns the name of a trial's run."""
    said = {STOPPED: "stopped (epoch 1) ", FAILED: "failed (epoch 1) "}.get(number, "")
    return f"{number:03d} {said}{search}"


def stopped_values(index: int) -> list[float]:
    """Returns what stands for clean and robust accuracy of the stopped trial at its one epoch."""
    return [0.711 + 0.002 * index, 0.555 + 0.002 * index]


def totals(index: int) -> dict[str, float]:
    """Returns numbers of search `index` as a whole; every value occurs once."""
    return {f"best.{ROBUST}": 0.601 + 0.02 * index, "hypervolume": 0.7301 + 0.1 * index}


def verdict(search: str) -> str:
    return f"The verdict on {search} is a sentence."


OBJECTIVES = (Objective(CLEAN, "maximize"), Objective(ROBUST, "maximize"))


def uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def write_two_searches(folder: Path) -> TwoSearches:
    client, spec = create_store(uri(folder)), load_spec(SPEC, [])
    experiment = ensure_experiment(client, "digits-cnn", uri(folder))
    (folder / "report").mkdir()
    (folder / "report" / "interactive.html").write_text(PAGE)
    always_there = [name for name, part in spec.space.items() if not part.when]
    write_views(client, experiment, OBJECTIVES, always_there)
    summaries = {}
    for index, search in enumerate(SEARCHES):
        storage = folder / "storage" / search
        summaries[search] = _summary(client, experiment, search, spec, storage)
        journal = Journal(storage)
        for number in range(4):
            _trial(journal, index, number)
        journal.append("summary", tags={"twentieth.state": "complete"}, status="FINISHED")
        journal.close()
        writer = Writer(
            client, storage, search=search, experiment=experiment,
            summary_run=summaries[search], generation=1, log_scaled=LOG_SCALED,
            objectives=AT_EPOCHS,
        )  # fmt: skip
        writer.drain()
        publish_files(
            client, summaries[search], folder / "report", verdict(search), totals=totals(index)
        )
    runs = client.search_runs([experiment], "tags.`twentieth.kind` = 'trial'")
    trials = {
        (run.data.tags["twentieth.search"], int(run.data.tags["twentieth.number"])): run.info.run_id
        for run in runs
    }
    return TwoSearches(experiment, summaries, trials)


def _summary(client: Any, experiment: str, search: str, spec: Spec, storage: Path) -> str:
    return create_summary(
        client, experiment, search=search, task="digits-cnn@1", fingerprint={"name": "digits-cnn"},
        spec_yaml=spec.to_yaml(), space_json=spec.search_space().to_json(),
        objectives=OBJECTIVES, storage=storage,
        trials_budget=4, numbers={"epochs": 2, "seed": 0}, warm_started_from=[], environment={},
    )  # fmt: skip


def _trial(journal: Journal, index: int, number: int) -> None:
    clean, robust = objective_values(index, number)
    trial = {"number": number, "configuration": configuration(index, number)}
    journal.append("start", **trial, origin={"step": "random"}, checkpoints="/nowhere")
    early = dict(zip(AT_EPOCHS.values(), stopped_values(index), strict=True))
    metrics = {"loss.train": 9.0} if number == FAILED else early
    journal.append("epoch", number=number, epoch=1, metrics=metrics)
    if number == FAILED:
        reason = "Traceback\nValueError: the loss is not a number"
        journal.append("end", **trial, state="failed", epoch=1, values=[], reason=reason)
    elif number == STOPPED:
        reason = "stopped by the scheduler after epoch 1"
        journal.append("end", **trial, state="stopped", epoch=1, values=[], reason=reason)
    else:
        journal.append("epoch", number=number, epoch=2, metrics={CLEAN: clean, ROBUST: robust})
        journal.append("end", **trial, state="complete", epoch=2, values=[clean, robust])
