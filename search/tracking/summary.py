"""The summary run of a search: its spec, where its files are, and its state.

A search can be resumed from this run and its trial runs alone. Not for trials:
write/store_writer.py writes them and read/history.py reads them back.
"""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.history.lineage import DAMAGED, checked_lineage
from search.history.plurals import counted
from search.history.states import TO_MLFLOW
from search.objectives.objective import Objective, to_row
from search.tracking import tag_names
from search.tracking.deleted import SearchDeleted, deleted_search
from search.tracking.ownership import is_alive
from search.tracking.runs import FOREIGN, UNREADABLE, whole_number
from search.tracking.store import all_experiments, all_runs, trial_runs
from search.tracking.write.batch import Batch, rounded

if TYPE_CHECKING:
    from mlflow import MlflowClient


# An ambiguous or unknown id is answered with the newest searches.
LISTED = 8
RUN_NAME = "search "  # the run's name in the page begins with it


@dataclass(frozen=True)
class Summary:
    """A search as its summary run describes it.

    Attributes:
        search: The id, which never changes: trials, references and the storage go by it.
        name: The name that people gave it, in the page or by `rename`; the id without one.
        state: "starting", "running", "complete" (no trial is left to run, however they ended),
            "interrupted" (Ctrl-C, a time limit, a death), "stopped" (by `twentieth stop`), or
            "failed" (its trials failed alike).
        generation: Which launch of it this is; 0 before the first.
    """

    search: str
    name: str
    run_id: str
    experiment_id: str
    task: str
    state: str
    generation: int
    spec_yaml: str
    storage: Path
    trials_budget: int
    warm_started_from: tuple[str, ...]
    environment: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The fingerprint of its task; empty if the store has none."""
        return dict(json.loads(tag_names.joined_tag(tag_names.FINGERPRINT, self.tags) or "{}"))

    @property
    def initial_weights(self) -> dict[str, Mapping[str, Any]]:
        """What its trials may start from: `SEARCH#TRIAL` -> "file" and "lineage".

        Raises:
            ValueError: the record of it is damaged.
        """
        try:
            found = json.loads(tag_names.joined_tag(tag_names.LINEAGES, self.tags) or "{}")
            return {
                name: {"file": str(each["file"]), "lineage": checked_lineage(each["lineage"])}
                for name, each in dict(found).items()
            }
        except UNREADABLE as error:
            raise ValueError(f"{self.search}: {DAMAGED}") from error

    @property
    def ended_because(self) -> str:
        """Why it ended before its budget was used up; "" if it did not."""
        return self.tags.get(tag_names.REASON, "")


def create_summary(
    client: MlflowClient,
    experiment: str,
    *,
    search: str,
    task: str,
    fingerprint: Mapping[str, Any],
    spec_yaml: str,
    space_json: str,
    objectives: Sequence[Objective],
    storage: Path,
    trials_budget: int,
    numbers: Mapping[str, int],
    warm_started_from: Sequence[str],
    environment: Mapping[str, str],
    initial_weights: Mapping[str, Mapping[str, Any]] | None = None,
    experience_json: str = "",
    cost_forecast_json: str = "",
) -> str:
    """Creates the summary run of a new search; returns its run id."""
    goal = to_row(objectives)
    texts = {
        tag_names.KIND: "search",
        tag_names.SEARCH: search,
        tag_names.STATE: "starting",
        tag_names.COLOR: tag_names.color(search),
        tag_names.TASK: task,
        tag_names.FINGERPRINT: json.dumps(dict(fingerprint), sort_keys=True),
        tag_names.SPEC: spec_yaml,
        tag_names.SPACE: space_json,
        tag_names.OBJECTIVES: json.dumps(goal["objectives"]),
        tag_names.DIRECTIONS: json.dumps(goal["directions"]),
        tag_names.STORAGE: str(storage),
        tag_names.BUDGET: str(trials_budget),
        tag_names.NUMBERS: json.dumps(dict(numbers)),
        tag_names.WARM: json.dumps(list(warm_started_from)),
        tag_names.ENVIRONMENT: json.dumps(dict(environment)),
    }
    if goal["roles_json"]:
        texts[tag_names.ROLES] = goal["roles_json"]
    if initial_weights:
        texts[tag_names.LINEAGES] = json.dumps(dict(initial_weights), sort_keys=True)
    if cost_forecast_json:
        texts[tag_names.COST_FORECAST] = cost_forecast_json
    tags = tag_names.all_split(texts)
    run = client.create_run(
        experiment, start_time=int(time.time() * 1000), run_name=RUN_NAME + search, tags=tags
    )
    client.log_text(run.info.run_id, spec_yaml, tag_names.SPEC_FILE)
    client.log_text(run.info.run_id, space_json, "space.json")
    if experience_json:
        client.log_text(run.info.run_id, experience_json, tag_names.EXPERIENCE)
    return str(run.info.run_id)


def find_summary(client: MlflowClient, search: str) -> Summary:
    """Returns the summary of the search with this id or name, or the only one that begins so.

    Raises:
        LookupError: none or several match; the message lists the searches.
        SearchDeleted: it was deleted; the message says how to restore it.
    """
    every = all_summaries(client)
    matching = (
        [entry for entry in every if entry.search == search]
        or [entry for entry in every if entry.name == search]
        or [entry for entry in every if any(name.startswith(search) for name in _called(entry))]
    )
    if len(matching) == 1:
        return matching[0]
    if not matching and (how := deleted_search(client, search)):
        raise SearchDeleted(how)
    if search.startswith(FOREIGN):
        raise LookupError(
            f"{search!r} are runs of another tool, which have no search of ours around them; "
            "fix: look at them in the MLflow UI (twentieth ui); `review` says which of them count"
        )
    found = matching or every
    listed = ", ".join(entry.search for entry in found[-LISTED:]) or "none yet"
    if len(found) > LISTED:
        listed = f"{listed} and {len(found) - LISTED} more"
    problem = "several searches begin with" if matching else "no search is called"
    # By their beginnings, for that is what people type.
    heads = {name[: len(search)]: name for entry in every for name in _called(entry)}
    near = [] if matching else difflib.get_close_matches(search, heads, n=1)
    hint = f" Did you mean {heads[near[0]]}?" if near else ""
    fix = "name one of these" if every else "name the store that has it (--tracking-uri)"
    raise LookupError(f"{problem} {search!r}.{hint} Searches in this store: {listed}; fix: {fix}")


def _called(entry: Summary) -> tuple[str, str]:
    return entry.search, entry.name


def all_summaries(client: MlflowClient) -> list[Summary]:
    """Returns every search of the store, oldest first; what cannot be read is left out."""
    experiments = [entry.experiment_id for entry in all_experiments(client)]
    summaries = []
    for run in all_runs(client, experiments, f"tags.`{tag_names.KIND}` = 'search'"):
        try:
            summaries.append(_summary(run))
        except UNREADABLE:
            continue
    return summaries


def tags_of_more_trials(summary: Summary, more_trials: int) -> dict[str, str]:
    """Returns the tags by which a search may run so many trials more."""
    if not more_trials:
        return {}
    tags = {tag_names.BUDGET: str(summary.trials_budget + more_trials)}
    if summary.ended_because:
        since = f"{summary.ended_because}; resumed for {counted(more_trials, 'more trial')}"
        tags[tag_names.REASON] = since
    return tags


def publish_files(
    client: MlflowClient, summary_run: str, folder: Path, verdict: str, totals: Mapping[str, float]
) -> None:
    """Logs a report's folder as artifacts of the search, its verdict as a tag, and its totals.

    Args:
        client: a client of the store.
        summary_run: the search's own run.
        folder: the report.
        verdict: the beginning of the run's description; what people wrote there stays, below it.
        totals: name -> number of the search as a whole; a later report replaces them.
    """
    client.log_artifacts(summary_run, str(folder), "report")
    note = note_of(client.get_run(summary_run).data.tags)
    tags = tag_names.split_tags(tag_names.VERDICT, verdict)
    Batch(tags=tags | {tag_names.NOTE: described(verdict, note)}).log(client, summary_run)
    publish_totals(client, summary_run, totals)


def publish_totals(client: MlflowClient, summary_run: str, totals: Mapping[str, float]) -> None:
    """Logs numbers of a search as a whole, as metrics of its run; later ones replace them."""
    batch = Batch()
    metrics = {f"{tag_names.TOTAL}{name}": rounded(value) for name, value in totals.items()}
    batch.add_metrics(metrics, time=int(time.time() * 1000), step=0)
    batch.log(client, summary_run)


def note_of(tags: Mapping[str, str]) -> str:
    """Returns what people wrote about a search: its description in the page without our verdict."""
    verdict = tag_names.joined_tag(tag_names.VERDICT, tags) or ""
    return tags.get(tag_names.NOTE, "").removeprefix(verdict).strip()


def described(verdict: str, note: str) -> str:
    """Returns a search's description in the page: our verdict first, then what people wrote."""
    return "\n\n".join(part for part in (verdict, note) if part)


def settle(client: MlflowClient, experiment: str, search: str) -> dict[str, int]:
    """Corrects the runs that a dead driver left behind.

    Runs still RUNNING become interrupted (KILLED). Of runs that share a trial's key, because the
    answer to create_run was lost, the one furthest along stays and the others are deleted.

    Returns:
        How many runs were "interrupted" and how many were "merged".
    """
    counts = {"interrupted": 0, "merged": 0}
    sharing: dict[str, list[Any]] = {}
    for run in trial_runs(client, experiment, search):
        key = run.data.tags.get(tag_names.TRIAL_KEY, run.info.run_id)
        sharing.setdefault(key, []).append(run)
    for runs in sharing.values():
        if len(runs) > 1:
            runs.sort(key=lambda run: _progress(client, run), reverse=True)
        for run in runs[1:]:
            client.delete_run(run.info.run_id)
            counts["merged"] += 1
    for run, *_ in sharing.values():
        if run.data.tags.get(tag_names.STATE) == "running" or run.info.status == "RUNNING":
            client.set_tag(run.info.run_id, tag_names.STATE, "interrupted")
            client.set_terminated(run.info.run_id, TO_MLFLOW["interrupted"])
            counts["interrupted"] += 1
    return counts


def _progress(client: MlflowClient, run: Any) -> tuple[bool, int]:
    tags, steps = run.data.tags, [whole_number(run.data.tags.get(tag_names.EPOCH))]
    for metric in run.data.metrics:  # the tag may lag
        steps += [point.step for point in client.get_metric_history(run.info.run_id, metric)]
    return tags.get(tag_names.STATE) == "complete", max(steps)


def _summary(run: Any) -> Summary:
    tags = run.data.tags
    state = tags.get(tag_names.STATE, "interrupted")
    is_stale = state in ("running", "starting") and not is_alive(tags)
    spec_yaml = tag_names.joined_tag(tag_names.SPEC, tags)
    if spec_yaml is None:
        raise ValueError("the summary run has no spec")
    return Summary(
        search=tags[tag_names.SEARCH],
        name=str(run.info.run_name or "").removeprefix(RUN_NAME) or tags[tag_names.SEARCH],
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        task=tags[tag_names.TASK],
        state="interrupted" if is_stale else state,
        generation=whole_number(tags.get(tag_names.GENERATION)),
        spec_yaml=spec_yaml,
        storage=Path(tag_names.joined_tag(tag_names.STORAGE, tags) or ""),
        trials_budget=int(tags[tag_names.BUDGET]),
        warm_started_from=tuple(json.loads(tag_names.joined_tag(tag_names.WARM, tags) or "[]")),
        environment=dict(json.loads(tag_names.joined_tag(tag_names.ENVIRONMENT, tags) or "{}")),
        tags=tags,
    )
