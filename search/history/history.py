"""History: earlier trials as one pyarrow table, learning curves included.

The later steps learn from this table only, so the source of a trial does not matter: a store that
Twentieth wrote, a list of Optuna trials, or a parquet file. Not for learning from the trials
(`search/extract`) nor for proposing new ones (`search/apply`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from optuna.trial import FrozenTrial

from search.history.curves import columns_of
from search.history.plurals import counted
from search.history.renaming import Renames, renamed_search, renamed_trials
from search.history.search import Rejected, Search
from search.history.studies import (
    first_start,
    first_step_of,
    objectives_of,
    trial_of_study,
    union_of_distributions,
)
from search.history.table import (
    SEARCHES,
    TRIALS,
    search_row,
    searches_from_table,
    trial_row,
    trials_from_table,
    with_time,
)
from search.history.trial import Trial
from search.objectives.objective import Objective
from search.space import SearchSpace


@dataclass(frozen=True, repr=False)
class History:
    """Earlier trials, their searches, the rejected runs, and the renames.

    Attributes:
        trials: A table with the schema `TRIALS`.
        searches: The searches by id.
        rejected: Runs that are not among the trials.
        renames: What has another name here than in its store; see `renamed`.
    """

    trials: pa.Table = field(default_factory=lambda: TRIALS.empty_table())
    searches: Mapping[str, Search] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    renames: Renames = field(default_factory=Renames)

    @classmethod
    def empty(cls) -> History:
        """Return a history without trials: a search with it starts cold."""
        return cls()

    @classmethod
    def from_studies(
        cls,
        studies: Mapping[str, optuna.Study | Sequence[FrozenTrial]],
        directions: Sequence[str] | None = None,
        *,
        objectives: Sequence[str] | Sequence[Objective] | None = None,
    ) -> History:
        """Reads Optuna studies, or lists of their trials, each under the name of its task.

        Args:
            studies: Task -> study or trials. Values must be in the order of the objectives.
                Intermediate values at step N are those of epoch N, or of epoch N + 1 where a
                trial of the study begins at step 0. Complete trials that broke a constraint
                count as failed ones.
            directions: "maximize" or "minimize", one per objective; by default the studies' own.
                Not with `Objective`s, which have theirs. Lists of trials have none.
            objectives: `Objective`s, or metric names; by default those of the studies, or else
                "objective_0", ...

        Raises:
            TypeError: They are no studies by the names of their tasks.
            ValueError: Objectives, directions and studies do not match.
        """
        found = objectives_of(studies, objectives, directions)
        rows: list[dict[str, Any]] = []
        searches: dict[str, Search] = {}
        for task, study in studies.items():
            trials = study.trials if isinstance(study, optuna.Study) else list(study)
            space = SearchSpace.from_distributions(union_of_distributions(trials))
            searches[task] = Search(
                task, task, {"name": task}, space, found,
                started=first_start(trials), trials_budget=len(trials),
            )  # fmt: skip
            first = first_step_of(trials)
            rows.extend(trial_row(trial_of_study(task, trial, found, first)) for trial in trials)
        return cls(pa.Table.from_pylist(rows, schema=TRIALS), searches)

    @classmethod
    def from_parquet(cls, path: str | Path) -> History:
        """Reads a history that `to_parquet` wrote."""
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        searches = pa.Table.from_pylist(
            [with_time(row) for row in json.loads(metadata.get(b"searches", b"[]"))],
            schema=SEARCHES,
        )
        rejected = tuple(Rejected(**row) for row in json.loads(metadata.get(b"rejected", b"[]")))
        renames = Renames.from_json(metadata[b"renames"]) if b"renames" in metadata else Renames()
        return cls(table.cast(TRIALS), searches_from_table(searches), rejected, renames)

    def to_parquet(self, path: str | Path) -> None:
        """Writes trials, searches, rejected runs and renames into one parquet file."""
        metadata = {
            "searches": json.dumps([search_row(search) for search in self.searches.values()]),
            "rejected": json.dumps([vars(row) for row in self.rejected]),
            "renames": self.renames.to_json(),
        }
        pq.write_table(self.trials.replace_schema_metadata(metadata), path)

    def __repr__(self) -> str:
        left_out = f", {counted(len(self.rejected), 'run')} left out" if self.rejected else ""
        searches = counted(len(self.searches), "search", "searches")
        return f"History({counted(len(self), 'trial')} of {searches}{left_out})"

    def __len__(self) -> int:
        return int(self.trials.num_rows)

    def tasks(self) -> list[str]:
        """Returns the tasks of the trials, in order of first appearance."""
        return list(dict.fromkeys(self.trials.column("task").to_pylist()))

    def metrics(self) -> list[str]:
        """Returns the metrics of the trials, objectives and curves, those of most trials first."""
        objectives = self.trials.column("objectives").to_pylist()
        run, metric, _, _, names = columns_of(self.trials.column("curves").combine_chunks())
        logged = {*zip(run.tolist(), metric.tolist(), strict=True)}
        counts = Counter(name for each in objectives for name in each or ())
        own = {(row, name) for row, each in enumerate(objectives) for name in each or ()}
        counts.update(names[code] for row, code in logged if (row, names[code]) not in own)
        return [name for name, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]

    def prior_trials(
        self, task: str | None = None, state: str | None = "complete", search: str | None = None
    ) -> list[Trial]:
        """Returns the trials of a task, a state and a search; None selects all of them."""
        chosen = self.trials
        for column, wanted in (("task", task), ("state", state), ("search", search)):
            if wanted is not None:
                chosen = chosen.filter(pc.equal(chosen.column(column), wanted))
        return trials_from_table(chosen)

    def trial_names(self) -> dict[str, str]:
        """Returns run -> SEARCH#TRIAL for every trial."""
        columns = (self.trials.column(name).to_pylist() for name in ("run_id", "search", "number"))
        return {
            run: f"{search}#{number}" for run, search, number in zip(*columns, strict=True) if run
        }

    def only(self, searches: Iterable[str]) -> History:
        """Returns the history as if only these searches had been run."""
        names = set(searches)
        is_kept = pc.is_in(self.trials.column("search"), pa.array(sorted(names), pa.string()))
        known = {name: entry for name, entry in self.searches.items() if name in names}
        return replace(self, trials=self.trials.filter(is_kept), searches=known)

    def renamed(
        self,
        hyperparameters: Mapping[str, str] | None = None,
        metrics: Mapping[str, str] | None = None,
    ) -> History:
        """Returns the history under today's names.

        Args:
            hyperparameters: Old name -> new name.
            metrics: The same for metrics. A renamed metric may have had the other direction, as
                error has for accuracy; it then counts by rank.
        """
        if not hyperparameters and not metrics:
            return self
        names = hyperparameters or {}, metrics or {}
        trials, renames = renamed_trials(self.trials, *names)
        searches = {id: renamed_search(each, *names) for id, each in self.searches.items()}
        return replace(self, trials=trials, searches=searches, renames=self.renames | renames)
