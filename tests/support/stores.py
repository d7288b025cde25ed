"""A real SQLite store with one search, its journal and its writer."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from search.objectives import Objective
from search.tracking import tag_names
from search.tracking.store import create_store, ensure_experiment, open_client
from search.tracking.summary import create_summary
from search.tracking.uris import store_uri
from search.tracking.write.journal import Event, Journal, read_events
from search.tracking.write.journal_sender import Writer

SPACE = (
    '{"distributions": {"x": {"name": "FloatDistribution", "attributes": '
    '{"step": null, "low": 0.001, "high": 10.0, "log": true}}}, "conditions": {}}'
)

RANDOM = {"step": "random"}


@dataclass
class Store:
    """One search of one task: its client, ids and journal, and writers for it."""

    uri: str
    client: Any
    experiment: str
    summary_run: str
    folder: Path
    journal: Journal
    search: str = "demo-1"

    def writer(self, generation: int = 1, say: Any = print) -> Writer:
        return Writer(
            self.client, self.folder, search=self.search, experiment=self.experiment,
            summary_run=self.summary_run, generation=generation, log_scaled=frozenset({"x"}),
            objectives={"left": "left", "right": "right"}, say=say,
        )  # fmt: skip

    def runs(self, status: str = "") -> list[Any]:
        runs = self.client.search_runs([self.experiment], "tags.`twentieth.kind` = 'trial'")
        return [run for run in runs if not status or run.info.status == status]

    def trial(self, number: int, *, state: str = "complete", epochs: int = 2,
              origin: Any = None, **more: Any) -> None:  # fmt: skip
        """Writes a whole trial into the journal."""
        self.start(number, origin)
        for epoch in range(1, epochs + 1):
            self.epoch(number, epoch)
        self.end(number, state, epochs, origin, **more)

    def end(self, number: int, state: str = "complete", epochs: int = 1,
            origin: Any = None, **more: Any) -> None:  # fmt: skip
        values = [0.5, -0.5] if state == "complete" else []
        self.journal.append("end", number=number, state=state, epoch=epochs, values=values,
                            configuration={"x": 0.1 + number}, origin=origin or RANDOM,
                            reason="" if state == "complete" else "because", **more)  # fmt: skip

    def events(self) -> list[Event]:
        """Returns the journal so far."""
        return list(read_events(self.folder))

    def start(self, number: int, origin: Any = None) -> None:
        self.journal.append("start", number=number, configuration={"x": 0.1 + number},
                            origin=origin or RANDOM, checkpoints="/nowhere")  # fmt: skip

    def epoch(self, number: int, epoch: int) -> None:
        metrics = {"left": epoch / 10, "right": -epoch / 10}
        self.journal.append("epoch", number=number, epoch=epoch, metrics=metrics)


def counted(client: Any, monkeypatch: Any) -> Counter[str]:
    """Counts the calls of each writing method of the client from now on."""
    calls: Counter[str] = Counter()

    def counting(name: str) -> Any:
        method = getattr(client, name)

        def called(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return method(*arguments, **options)

        return called

    for name in ("create_run", "log_batch", "log_text", "set_tag", "set_terminated", "update_run"):
        monkeypatch.setattr(client, name, counting(name))
    return calls


def run_of(store: Store, number: int) -> Any:
    """Returns the run of a trial."""
    (run,) = (run for run in store.runs() if run.data.tags[tag_names.NUMBER] == str(number))
    return run


def refusing(store: Store, monkeypatch: Any, run: str, error: Exception) -> None:
    """Makes the store answer every write to a run with an error."""

    def guarded(write: Any) -> Any:
        def called(at: str, *arguments: Any, **options: Any) -> Any:
            if at == run:
                raise error
            return write(at, *arguments, **options)

        return called

    for name in ("log_batch", "set_tag", "update_run", "set_terminated", "log_text"):
        monkeypatch.setattr(store.client, name, guarded(getattr(store.client, name)))


@cache
def migrated_store() -> Path:
    """A store without runs; MLflow's migrations take seconds, so they run once per process."""
    folder = Path(tempfile.mkdtemp(prefix="twentieth-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    create_store(store_uri(folder / "mlflow.db"))
    return folder / "mlflow.db"


GOALS = (Objective("left", "maximize"), Objective("right", "maximize"))


def new_store(folder: Path, search: str = "demo-1", uri: str = "") -> Store:
    """Makes a search in a new SQLite store in the folder, or in the store at `uri`."""
    if not uri and not (folder / "mlflow.db").exists():
        shutil.copy(migrated_store(), folder / "mlflow.db")
    uri = uri or store_uri(folder / "mlflow.db")
    client = open_client(uri)
    experiment = ensure_experiment(client, "demo", uri)
    storage = folder / "storage" / search
    summary = create_summary(
        client, experiment, search=search, task="demo@1", fingerprint={"name": "demo"},
        spec_yaml="name: demo\n", space_json=SPACE, objectives=GOALS,
        storage=storage, trials_budget=4,
        numbers={"epochs": 2, "seed": 0}, warm_started_from=[], environment={},
    )  # fmt: skip
    return Store(uri, client, experiment, summary, storage, Journal(storage), search)


def with_newer_experiments(database: Path, count: int) -> None:
    """Adds empty experiments, as `create_experiment` writes them."""
    now = int(time.time() * 1000)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,"
            " creation_time, last_update_time, workspace)"
            " VALUES (?, ?, '', 'active', ?, ?, 'default')",
            [(1_000 + n, f"newer {n}", now + n, now + n) for n in range(count)],
        )
