"""`stored`: a real store with one search in it, as a launch leaves it before Ray would start.

MLflow's migrations take seconds, so it is made once a test session and copied where a test writes.
"""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from search.optimize.plan import Plan
from search.pipeline import new_plan, prepare
from search.spec import Spec, spec_from_yaml
from search.tracking import tag_names
from search.tracking.store import create_store, open_client
from search.tracking.write.journal import Journal
from search.tracking.write.journal_sender import Writer
from tests.support.launches import hills

FUNCTION = "tests.support.functions:two_hills"
HOSTILE = "ValueError: [/oops] <b>bold</b>"


@dataclass(frozen=True)
class Stored:
    """A store, an empty one next to it, and the plan of the one search in the first."""

    uri: str
    empty_uri: str
    plan: Plan

    @property
    def search(self) -> str:
        return self.plan.search

    def copied(self, folder: Path) -> Stored:
        """The same store, to write into."""
        shutil.copy(self.uri.removeprefix("sqlite:///"), folder / "mlflow.db")
        return replace(self, uri=f"sqlite:///{folder / 'mlflow.db'}")


def hills_spec(**changes: Any) -> Spec:
    return spec_from_yaml(yaml.safe_dump(hills("two_hills", **changes)))


def silent(text: str) -> None:
    """Says nothing."""


@functools.cache
def stored(base: Path) -> Stored:
    """Trials 0 and 1 are complete and both on the front, 2 failed, 3 was interrupted."""
    for name in ("empty", "full"):
        (base / name).mkdir()
    empty_uri, uri = (f"sqlite:///{base / name / 'mlflow.db'}" for name in ("empty", "full"))
    create_store(empty_uri)
    shutil.copy(base / "empty" / "mlflow.db", base / "full" / "mlflow.db")
    plan = new_plan(prepare(hills_spec(), uri, say=silent), uri, base / "storage", None)
    journal = Journal(plan.storage)
    origin = {"step": "portfolio", "source_runs": ["run-a", "run-b"], "source_tasks": {"t@1": 0.5}}
    for number, state, values in (
        (0, "complete", [0.9, 0.1]), (1, "complete", [0.1, 0.9]), (2, "failed", []),
        (3, "interrupted", []),
    ):  # fmt: skip
        journal.append("start", number=number, configuration={"x": number / 4}, origin=origin,
                       checkpoints="/nowhere")  # fmt: skip
        for epoch in range(1, 5 if values else 2):
            metrics = {"left": 0.1 * epoch, "right": 0.2}
            journal.append("epoch", number=number, epoch=epoch, metrics=metrics)
        reason = HOSTILE if state == "failed" else ""
        journal.append("end", number=number, state=state, epoch=4 if values else 1, values=values,
                       reason=reason)  # fmt: skip
    tags = {tag_names.STATE: "interrupted"}
    journal.append("summary", tags=tags, status="KILLED")
    journal.close()
    Writer(
        open_client(uri), plan.storage, search=plan.search, experiment=plan.experiment,
        summary_run=plan.summary_run, generation=1,
    ).drain()  # fmt: skip
    return Stored(uri, empty_uri, plan)


def new_search(store: Stored, folder: Path, **changes: Any) -> Plan:
    return new_plan(prepare(hills_spec(**changes), store.uri, say=silent), store.uri, folder, None)
