"""History: earlier trials as one pyarrow table, learning curves included.

The later steps learn from this table and from nothing else, so it does not matter where a trial
came from: a store that Twentieth wrote, a list of Optuna trials, or a parquet file. Not for
judging the trials (search/extract) nor for choosing new ones (search/apply).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from optuna.trial import FrozenTrial, TrialState

from search.objectives.objective import UNKNOWN, Objective, from_lists, to_row
from search.prior_trials import (
    PriorTrial,
    Rejected,
    Search,
    rejected_from_table,
    search_row,
    searches_from_table,
    trials_from_table,
    with_time,
)
from search.space import SearchSpace
from search.tracking.tables import SEARCHES, TRIALS

__all__ = ["History", "PriorTrial", "Rejected", "Search"]

_STATE_OF_OPTUNA = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
}


@dataclass(frozen=True)
class History:
    """Earlier trials (TRIALS schema), the searches they belong to, and what was left out."""

    trials: pa.Table = field(default_factory=lambda: TRIALS.empty_table())
    searches: Mapping[str, Search] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()

    @classmethod
    def empty(cls) -> History:
        """No history: every search starts cold."""
        return cls()

    @classmethod
    def from_mlflow(
        cls,
        tracking_uri: str,
        experiments: Sequence[str] = ("*",),
        *,
        rename: Mapping[str, str] | None = None,
        rename_metrics: Mapping[str, str] | None = None,
        searches: Sequence[str] | None = None,
        same_task: Sequence[str] = (),
        task: str = "",
    ) -> History:
        """Reads the searches that an MLflow store holds, whoever logged them.

        Runs of Twentieth, of Ray Tune's and Optuna's callbacks, of MLflow's Optuna storage and of
        its autologging, and runs logged by hand become trials; every other run is in `rejected`
        with its reason. What was read is kept in a cache, so that the next reading fetches what is
        new.

        Args:
            tracking_uri: any MLflow tracking URI.
            experiments: names or shell patterns ("digits-*") of the experiments to read.
            rename: old name -> new name of hyperparameters, applied to what is read.
            rename_metrics: the same for metrics.
            searches: ids of the only searches to read; all if None.
            same_task: names or patterns of experiments whose runs you know to be of `task`.
            task: the id of the task that they are of.

        Raises:
            ConnectionError: the store cannot be reached; says which and what to do.
        """
        from search.tracking.reading import Selection, read_history  # mlflow for this alone

        selection = Selection(experiments, rename, rename_metrics, searches, same_task, task)
        trials, found, rejected = read_history(tracking_uri, selection)
        renamed = {
            name: replace(search, space=_renamed(search.space, rename or {}))
            for name, search in searches_from_table(found).items()
        }
        return cls(trials, renamed, rejected_from_table(rejected))

    @classmethod
    def from_studies(
        cls,
        studies: Mapping[str, optuna.Study | Sequence[FrozenTrial]],
        directions: Sequence[str] | None = None,
        *,
        objectives: Sequence[str] | Sequence[Objective] | None = None,
    ) -> History:
        """Takes Optuna studies, or lists of their trials, each under the name of its task.

        Args:
            studies: task -> study or trials. Values must follow the objectives.
            directions: "maximize" or "minimize", one an objective; not next to `Objective`s, which
                have their own.
            objectives: `Objective`s, or metric names; "objective_0", ... if not given.

        Raises:
            ValueError: Objectives and directions do not go together.
        """
        names = objectives or [f"objective_{index}" for index in range(len(directions or ()))]
        goal = from_lists(names, directions)
        if not goal or UNKNOWN in {each.direction for each in goal}:
            raise ValueError("no directions; fix: give one for each objective, or Objectives")
        rows: list[dict[str, Any]] = []
        searches: dict[str, Search] = {}
        for task, study in studies.items():
            trials = study.trials if isinstance(study, optuna.Study) else list(study)
            space = SearchSpace.from_distributions(_union_of_distributions(trials))
            searches[task] = Search(
                task, task, {"name": task}, space, goal,
                started=_first_start(trials), trials_budget=len(trials),
            )  # fmt: skip
            rows.extend(_row_of_frozen_trial(task, trial, goal) for trial in trials)
        return cls(pa.Table.from_pylist(rows, schema=TRIALS), searches)

    @classmethod
    def from_parquet(cls, path: str | Path) -> History:
        """Reads what `to_parquet` wrote."""
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        searches = pa.Table.from_pylist(
            [with_time(row) for row in json.loads(metadata.get(b"searches", b"[]"))],
            schema=SEARCHES,
        )
        rejected = tuple(Rejected(**row) for row in json.loads(metadata.get(b"rejected", b"[]")))
        return cls(table.cast(TRIALS), searches_from_table(searches), rejected)

    def to_parquet(self, path: str | Path) -> None:
        """Writes trials, searches and what was left out into one parquet file."""
        metadata = {
            "searches": json.dumps([search_row(search) for search in self.searches.values()]),
            "rejected": json.dumps([vars(row) for row in self.rejected]),
        }
        pq.write_table(self.trials.replace_schema_metadata(metadata), path)

    def __len__(self) -> int:
        return int(self.trials.num_rows)

    def tasks(self) -> list[str]:
        """The tasks that history knows, in order of first appearance."""
        return list(dict.fromkeys(self.trials.column("task").to_pylist()))

    def prior_trials(
        self, task: str | None = None, state: str | None = "complete", search: str | None = None
    ) -> list[PriorTrial]:
        """The trials of a task, a search or of all; of one state, or of every state if None."""
        chosen = self.trials
        for column, wanted in (("task", task), ("state", state), ("search", search)):
            if wanted is not None:
                chosen = chosen.filter(pc.equal(chosen.column(column), wanted))
        return trials_from_table(chosen)

    def without(self, search: str) -> History:
        """The same history as if one search had never been run."""
        kept = [name != search for name in self.trials.column("search").to_pylist()]
        others = {name: entry for name, entry in self.searches.items() if name != search}
        return History(self.trials.filter(pa.array(kept, pa.bool_())), others, self.rejected)


def _renamed(space: SearchSpace | None, rename: Mapping[str, str]) -> SearchSpace | None:
    if space is None or not rename:
        return space
    return SearchSpace(
        {rename.get(name, name): kind for name, kind in space.distributions.items()},
        {
            rename.get(child, child): {
                rename.get(name, name): values for name, values in when.items()
            }
            for child, when in space.conditions.items()
        },
    )


def _union_of_distributions(
    trials: Sequence[FrozenTrial],
) -> dict[str, optuna.distributions.BaseDistribution]:
    # The latest trial's distribution wins: it is the space as its author last saw it.
    return {name: kind for trial in trials for name, kind in trial.distributions.items()}


def _first_start(trials: Sequence[FrozenTrial]) -> datetime:
    starts = [trial.datetime_start for trial in trials if trial.datetime_start]
    return min(starts).astimezone(UTC) if starts else datetime.fromtimestamp(0, UTC)


def _row_of_frozen_trial(
    task: str, trial: FrozenTrial, objectives: Sequence[Objective]
) -> dict[str, Any]:
    values = list(trial.values or []) if trial.state == TrialState.COMPLETE else []
    is_usable = len(values) == len(objectives) and all(math.isfinite(value) for value in values)
    state = _STATE_OF_OPTUNA[trial.state]
    curve = [
        {"metric": objectives[0].metric, "epoch": step, "value": value}
        for step, value in trial.intermediate_values.items()
    ]
    goal = to_row(objectives)
    return {
        "task": task, "search": task, "number": trial.number,
        "run_id": f"{task}/{trial.number}",
        "state": "failed" if state == "complete" and not is_usable else state,
        "configuration": json.dumps(trial.params),
        "objectives": goal["objectives"], "directions": goal["directions"],
        "values": values if is_usable else [], "curves": curve,
        "epoch": max(trial.intermediate_values, default=0), "origin": "{}",
        "started": trial.datetime_start.astimezone(UTC) if trial.datetime_start else None,
        "seconds": trial.duration.total_seconds() if trial.duration else None,
    }  # fmt: skip
