"""The documents that commands print with `--json`, and their JSON schemas.

Keys are stable, numbers are numbers, and what is not known is null. `stored_searches.py` fills
those of `history` and `show` from a store, the files of `compare`, `review` and `data` theirs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from search.experience import Experience, LeftOut, Value
from search.history.provenance import Origin, expected_of, provenance_text, read_origin
from search.review.decisions import Decision
from search.transfer.cost_forecast import CostForecast

# The state in which `history` lists what `import-runs` and `import-study` wrote.
IMPORTED = "imported"


@dataclass(frozen=True)
class ObjectiveDocument:
    """An objective; `bound` only of a constraint, `tolerance` only of a lexicographic one."""

    metric: str
    direction: str
    role: str
    bound: float | None
    tolerance: float | None


@dataclass(frozen=True)
class SearchDocument:
    """A search and its totals.

    Attributes:
        state: "starting", "running", "complete" (no trial is left to run, however they ended),
            "stopped" (by a user), "interrupted", "failed" (its trials failed alike), or "imported"
            (the runs of another tool).
        started: When it was launched first; null if it has no trial.
        trials: State -> number of trials that ended in it.
        trials_budget: Number of trials that it may run.
        ended_because: Why it ended before its budget was used up; "" if it did not.
        best: Objective -> its best value among the best trials; each may be of another trial.
        trial_seconds: Seconds of trials, added up over parallel ones.
        work: FLOP of the trials; 0 if unknown.
        wall_seconds: From the start of the first trial to the end of the last, pauses included.
        hours: GPU-hours or core-hours of the trials; null if the cost of a trial is not known.
        hours_unit: "GPU-hours", "core-hours" or "".
        learned_from: The earlier searches whose trials it started from.
    """

    search: str
    task: str
    state: str
    started: datetime | None
    objectives: tuple[ObjectiveDocument, ...]
    trials: Mapping[str, int]
    trials_budget: int
    ended_because: str
    best: Mapping[str, float | None]
    trial_seconds: float
    work: float
    wall_seconds: float
    hours: float | None
    hours_unit: str
    learned_from: tuple[str, ...]


@dataclass(frozen=True)
class HistoryDocument:
    """The searches of a store, oldest first; those that were imported come before the others."""

    searches: tuple[SearchDocument, ...]


@dataclass(frozen=True)
class MeasuredDocument:
    """A number and its interval; of a metric on the test split null bounds if it has none.

    Attributes:
        examples: The number of examples behind a metric on the test split; null if not known.
        entities: The number of true entities in them, if it counts entities.
    """

    value: float | None
    low: float | None
    high: float | None
    examples: int | None = None
    entities: int | None = None


@dataclass(frozen=True)
class ForecastDocument:
    """What was expected of a trial when it was proposed; what is not known is missing or null.

    Attributes:
        value: Objective -> the expected value and its 95 % interval; of the best known trial of a
            task, which is trained again, the value on record and what is accepted.
        rank: Objective -> the expected share of a past search's trials that are better, and the
            least and the greatest of the past tasks; before there is a model of this task.
        cost: Of the whole training, in `cost_unit`, "work" (FLOP) or "seconds".
        cost_factor: In 19 of 20 cases the cost lies within this factor.
    """

    value: Mapping[str, MeasuredDocument]
    rank: Mapping[str, MeasuredDocument]
    cost: float | None
    cost_unit: str
    cost_factor: float | None


@dataclass(frozen=True)
class TrialDocument:
    """A trial.

    Attributes:
        trial: Its name, SEARCH#TRIAL.
        number: Its number in the search.
        run_id: Its MLflow run.
        state: "complete", "stopped", "failed", "interrupted" or "running".
        epoch: The last epoch.
        seconds: The time trained.
        work: FLOP of its epochs; 0 if unknown.
        device: The name of the device that it was trained on; "" if unknown.
        started: When it started; null if unknown.
        validation: Objective -> value on the validation split; empty unless it is complete.
        test: Metric -> value on the test split; empty unless it was among the best.
        step: The step that proposed it, such as "portfolio", "history-model" or "random".
        earlier_trials: The earlier trials that it was made from or that are nearest to it.
        origin: Why it was proposed, in a sentence.
        forecast: What was expected of it then.
        lineage: Where its initial weights come from, in a sentence; "" if from scratch.
        warnings: What the confirmation of its robust accuracy warned of, with what it measured.
        reason: Why it failed or was stopped, in a line; "" otherwise.
        traceback: The whole reason, if it failed and that can be read; else "".
        log: The file with the output of the driver of its search, on the machine that ran it.
    """

    trial: str
    number: int
    run_id: str
    state: str
    epoch: int
    seconds: float
    work: float
    device: str
    started: datetime | None
    configuration: Mapping[str, Value]
    validation: Mapping[str, float | None]
    test: Mapping[str, MeasuredDocument]
    step: str
    earlier_trials: tuple[str, ...]
    origin: str
    forecast: ForecastDocument
    lineage: str
    warnings: tuple[str, ...]
    reason: str
    traceback: str
    log: str


@dataclass(frozen=True)
class ShowDocument:
    """A search with its trials in the order of their numbers.

    Attributes:
        verdict: What history was worth to it, in a sentence; "" before its report.
        cost_forecast: What it was expected to cost, and how that and earlier forecasts of the store
            turned out, a sentence each; empty without a forecast.
        best_trials: Numbers of the best trials, sorted by the first objective.
    """

    search: SearchDocument
    verdict: str
    cost_forecast: tuple[str, ...]
    best_trials: tuple[int, ...]
    trials: tuple[TrialDocument, ...]


@dataclass(frozen=True)
class ProposalDocument:
    """A configuration that would be tried; the other keys are those of a trial."""

    configuration: Mapping[str, Value]
    step: str
    earlier_trials: tuple[str, ...]
    origin: str
    forecast: ForecastDocument


@dataclass(frozen=True)
class ReviewDocument:
    """What history teaches for a spec, and what would be tried first.

    Attributes:
        task: Id of the spec's task.
        experience: What history taught.
        cost_forecast: What the search is expected to cost, and what that is based on.
        decisions: How earlier spaces and objectives were fitted to those of the spec.
        trials_left_out: Reason -> number of earlier trials that are not used.
        first_configurations: The first that would be tried.
        rejected: Runs of the store that are no trials, and why.
    """

    task: str
    experience: Experience
    cost_forecast: CostForecast | None
    decisions: tuple[Decision, ...]
    trials_left_out: Mapping[str, int]
    first_configurations: tuple[ProposalDocument, ...]
    rejected: tuple[LeftOut, ...]


@dataclass(frozen=True)
class ComparedDocument:
    """One search of a comparison.

    Attributes:
        name: The name that it was given; its id if it was given none.
        hypervolume: Dominated by its best trials, against the reference point of the task.
        share_of_best_known: The same relative to that of all searches of the task, 0 to 1.
        best_trials: Number of a best trial -> objective -> value on the validation split.
    """

    search: SearchDocument
    name: str
    hypervolume: float | None
    share_of_best_known: float | None
    best_trials: Mapping[int, Mapping[str, float | None]]


@dataclass(frozen=True)
class CompareDocument:
    """Several searches side by side.

    Attributes:
        is_comparable: Whether their values compare; if not, there are no hypervolumes.
        differing: What keeps them from it: "tasks", "objectives" or "".
        searches: In the order in which they were named.
        space_differences: Hyperparameter -> search -> its range; null where it was not searched.
    """

    is_comparable: bool
    differing: str
    searches: tuple[ComparedDocument, ...]
    space_differences: Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class DataDocument:
    """A data set as trials see it.

    Attributes:
        name: Its name.
        kind: "images", "classification", "ranking", "entities" or "dialogue".
        source: "files", "parquet" (raw pixels), "hub", "digits" or "embedded".
        splits: Split -> number of examples.
        split_seed: The seed by which splits of images were drawn; null if the source has them all,
            and for texts.
        classes: Class -> split -> number of examples; of entities the entities of each type; empty
            without classes.
        shape: Channels, height and width of images; null for texts.
        dtype: Type of the pixels of trials; null for texts.
        scale: Largest pixel, by which trials divide; null for texts.
        digest: Identifies the data in the task of a search.
        warnings: What is suspicious, each with its fix.
        picture: The file with examples of images; null for texts.
    """

    name: str
    kind: str
    source: str
    splits: Mapping[str, int]
    split_seed: int | None
    classes: Mapping[str, Mapping[str, int]]
    shape: tuple[int, int, int] | None
    dtype: str | None
    scale: float | None
    digest: str
    warnings: tuple[str, ...]
    picture: str | None


# What `--json` prints, by what `twentieth schema` is asked for.
DOCUMENTS: Mapping[str, type] = {
    "history": HistoryDocument,
    "show": ShowDocument,
    "trial": TrialDocument,
    "compare": CompareDocument,
    "review": ReviewDocument,
    "data": DataDocument,
}


def to_json(document: Any) -> str:
    """Returns a document as JSON; a number that is not finite becomes null."""
    return TypeAdapter(type(document)).dump_json(document, indent=2).decode()


def schema_of(name: str) -> str:
    """Returns the JSON schema of what a command prints with `--json`.

    Raises:
        ValueError: no command prints such a document.
    """
    if name not in DOCUMENTS:
        raise ValueError(f"no document is called {name!r}; fix: use one of {', '.join(DOCUMENTS)}")
    return json.dumps(TypeAdapter(DOCUMENTS[name]).json_schema(mode="serialization"), indent=2)


def origin_keys(record: object, names: Mapping[str, str]) -> dict[str, Any]:
    """Returns the keys `step`, `earlier_trials`, `origin` and `forecast` of a recorded origin.

    Args:
        record: The origin, as the run of a trial has it.
        names: Run -> SEARCH#TRIAL; a run that has none is called by its id.
    """
    origin = read_origin(record)
    return {
        "step": origin.step,
        "earlier_trials": tuple(names.get(run, run) for run in origin.source_runs),
        "origin": provenance_text(origin, names),
        "forecast": _forecast_document(origin),
    }


def _forecast_document(origin: Origin) -> ForecastDocument:
    found = expected_of(origin)
    is_known = found.cost > 0
    return ForecastDocument(
        {metric: MeasuredDocument(*each) for metric, each in found.values.items()},
        {metric: MeasuredDocument(*each) for metric, each in found.ranks.items()},
        found.cost if is_known else None, found.unit if is_known else "",
        found.factor if is_known else None,
    )  # fmt: skip
