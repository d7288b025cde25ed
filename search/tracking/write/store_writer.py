"""Writes the events of a search to the store: its trials' runs, metrics, tags and files.

Sending an event twice has the effect of sending it once: a trial's run is looked up by its key
before it is created, metrics carry the event's own time (MLflow drops identical points), and tags
and states are set again to the same text. journal_sender.py decides when events are sent and
resent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from models.adversarial.checks.search_warnings import is_only_corrected
from search.history.causes import last_line
from search.history.provenance import ledger_metrics, read_origin
from search.history.states import TO_MLFLOW, State
from search.tracking import tag_names
from search.tracking.artifacts import artifacts_of, keep_robustness
from search.tracking.runs import trial_number
from search.tracking.store import is_refusal, trial_runs
from search.tracking.write.batch import TAGS_A_BATCH, Batch, rounded
from search.tracking.write.journal import Event

if TYPE_CHECKING:
    from mlflow import MlflowClient


# How old the tag with a running trial's epoch may be. Only the page shows it (readers
# use the steps of metrics), and written with each epoch it would be a third of the cost of an epoch
# (results/LOG.md).
EPOCH_TAG_SECONDS = 30.0
# A trial's description in the page, by its state. MLflow draws the same icon for a stopped trial as
# for one that somebody killed.
NOTES = {
    "stopped": "{reason}. Not complete: its `objective/` metrics are the values at epoch {epoch}.",
    "failed": "failed at epoch {epoch}: {reason}",
}
GATHERED = ("start", "epoch", "end")
SENT = (*GATHERED, "test", "summary")  # the other events are for the console
# A group takes one or a few calls; also on a slow server a heartbeat must fit in between.
EVENTS_TOGETHER = 50


def together(events: Iterable[Event]) -> list[list[Event]]:
    """Groups events that are written together; groups are ordered by their first event.

    A group is a trial's start, epochs and end, as far as they are there and in their order, up to
    `EVENTS_TOGETHER`; any other event is a group of its own. Trials are independent, so the order
    between them is free.
    """
    groups: list[list[Event]] = []
    growing: dict[int, list[Event]] = {}  # trial number -> the group it adds to
    for event in events:
        if event.name not in GATHERED:
            groups.append([event])
            continue
        group = growing.get(event.fields["number"])
        if group is None or event.name == "start":
            group = growing[event.fields["number"]] = []
            groups.append(group)
        group.append(event)
        if event.name == "end" or len(group) >= EVENTS_TOGETHER:
            del growing[event.fields["number"]]
    return groups


class NoRun(Exception):
    """The store has no run for an event: it was deleted, or refused when it was to be created."""


class Sender:
    """Writes events to the runs they belong to. Every method raises what MLflow raises.

    Args:
        client: a client of the store.
        search: the id of the search.
        experiment: the id of the experiment of its runs.
        summary_run: the id of the search's own run.
        log_scaled: hyperparameters whose logarithm is logged too.
        objectives: the metric of each objective, primary first -> the metric that stands for it
            until it is measured.
    """

    def __init__(
        self,
        client: MlflowClient,
        *,
        search: str,
        experiment: str,
        summary_run: str,
        log_scaled: frozenset[str],
        objectives: Mapping[str, str],
    ) -> None:
        self._client = client
        self._search = search
        self._experiment = experiment
        self._summary_run = summary_run
        self._log_scaled = log_scaled
        self._objectives = objectives
        self._names = tag_names.objective_names(objectives)
        self._runs: dict[int, str] = {}
        self._deleted: set[tuple[int, int]] = set()  # number and start time of runs in the trash
        self._refused: dict[str, str] | None = None  # None: entries are written together
        self._must_list = True  # an unknown run may exist (resume, lost answer)
        self._tagged: dict[int, float] = {}  # running trial -> when its epoch tag was last written

    def forget_runs(self) -> None:
        """Forgets which runs exist: after an error a run may exist whose answer was lost."""
        self._must_list = True

    def send(self, events: list[Event]) -> None:
        """Writes one group that `together` made; other kinds of events are skipped.

        Raises:
            NoRun: the run that it belongs to was deleted, or never created.
        """
        if events[0].name in GATHERED:
            self._send_trial(events)
        elif events[0].name == "test":
            self._send_test(events[0])
        elif events[0].name == "summary":
            self._send_summary(events[0])

    def send_entries(self, event: Event) -> dict[str, str]:
        """Writes an event entry by entry; returns refused entry -> reason, as in `log_entries`."""
        self._refused = {}
        try:
            self.send([event])
            return self._refused
        finally:
            self._refused = None

    def why_run_refuses(self, number: int) -> str:
        """Returns why a trial's run takes nothing any more; "" if it does, or if there is none."""
        from mlflow.exceptions import MlflowException

        run = self._runs.get(number)
        if run is None:
            return ""
        try:
            if self._client.get_run(run).info.lifecycle_stage != "active":
                return f"its run {run} was deleted"
            self._client.set_tag(run, tag_names.NUMBER, str(number))
        except MlflowException as error:
            if not is_refusal(error):
                raise
            return str(error)
        return ""

    def has_run(self, number: int) -> bool:
        """Returns whether a trial's run is known."""
        return number in self._runs

    def _log(self, batch: Batch, run: str) -> None:
        if self._refused is None:
            batch.log(self._client, run)
        else:
            self._refused |= batch.log_entries(self._client, run)

    def _send_trial(self, events: list[Event]) -> None:
        first, last, batch = events[0], events[-1], Batch()
        number = first.fields["number"]
        run, is_again = self._run_of(number), False
        if first.name == "start":
            batch.params = first.fields["configuration"]
            batch.tags = self._start_tags(first)
            if run is None and (number, first.time) in self._deleted:
                raise NoRun("its run was deleted")  # after it was created, before we knew of it
            if run is None:
                run = self._create(first, batch.tags)
            else:  # it was interrupted, and still says so
                is_again = True
                batch.tags |= {tag_names.REASON: "", tag_names.NOTE: ""}
        if run is None:
            raise NoRun("it has no run in the store")
        for event in events:
            if event.name == "epoch":
                self._add_epoch(batch, event)
            elif event.name == "end":
                self._add_end(run, batch, event)
        tagged = self._tagged.get(number, float("-inf"))
        if last.name == "epoch" and time.monotonic() - tagged < EPOCH_TAG_SECONDS:
            for tag in (tag_names.EPOCH, *_spent_tags(last)):
                batch.tags.pop(tag, None)
        self._log(batch, run)
        if tag_names.EPOCH in batch.tags:
            self._tagged[number] = time.monotonic()
        if last.name == "end":
            self._tagged.pop(number, None)
            state = last.fields["state"]
            if is_again or state != "complete":
                self._rename(run, number, state, last.fields["epoch"])
            self._client.set_terminated(run, TO_MLFLOW[state], end_time=last.time)
        elif is_again:
            self._client.update_run(run, status="RUNNING")
            self._rename(run, number)

    def _rename(self, run: str, number: int, state: State = "running", epoch: int = 0) -> None:
        name = tag_names.trial_name(self._search, number, state, epoch)
        self._client.update_run(run, name=name)

    def _run_of(self, number: int) -> str | None:
        if self._must_list:
            self._list_runs()
        return self._runs.get(number)

    def _list_runs(self) -> None:
        """Looks up which runs exist; of runs that share a key, the oldest is used.

        A run whose number cannot be read is none of ours, whatever its other tags say.
        """
        runs = trial_runs(self._client, self._experiment, self._search, stage=None)
        for run in reversed(runs):
            number = trial_number(run.data.tags.get(tag_names.NUMBER, ""))
            if number is None:
                continue
            if run.info.lifecycle_stage == "active":
                self._runs[number] = run.info.run_id
            else:
                self._deleted.add((number, run.info.start_time))
        self._must_list = False

    def _create(self, event: Event, tags: dict[str, str]) -> str:
        """Creates a trial's run with its first tags, which are removed from `tags`."""
        number = event.fields["number"]
        first = dict(islice(tags.items(), TAGS_A_BATCH))
        self._must_list = True  # until create_run answers, an unknown run may exist
        run = self._client.create_run(
            self._experiment,
            start_time=event.time,
            run_name=tag_names.trial_name(self._search, number),
            tags=first,
        ).info.run_id
        self._runs[number], self._must_list = run, False
        for name in first:
            del tags[name]
        return str(run)

    def _start_tags(self, event: Event) -> dict[str, str]:
        """Returns the tags of a running trial; the first ones identify its run."""
        number, origin = event.fields["number"], event.fields["origin"]
        return {
            tag_names.KIND: "trial",
            tag_names.SEARCH: self._search,
            tag_names.NUMBER: str(number),
            tag_names.TRIAL_KEY: tag_names.trial_key(self._search, number),
            tag_names.STATE: "running",
            tag_names.COLOR: tag_names.color(self._search),
            tag_names.CHECKPOINTS: event.fields["checkpoints"],
            **tag_names.split_tags(
                tag_names.CONFIGURATION, json.dumps(event.fields["configuration"])
            ),
            **tag_names.split_tags(tag_names.ORIGIN, json.dumps(origin)),
            **tag_names.provenance_tags(origin),
            **tag_names.weights_tags(event.fields.get("lineage", {})),
        }

    def _add_epoch(self, batch: Batch, event: Event) -> None:
        metrics, epoch = event.fields["metrics"], event.fields["epoch"]
        newest = {
            self._names[name]: rounded(metrics[name if name in metrics else earlier])
            for name, earlier in self._objectives.items()
            if name in metrics or earlier in metrics
        }
        # The compare page colours by the metric logged first, which should be an objective.
        batch.add_metrics({**newest, **metrics}, time=event.time, step=epoch)
        batch.tags[tag_names.EPOCH] = str(epoch)
        batch.tags |= _spent_tags(event)

    def _add_end(self, run: str, batch: Batch, event: Event) -> None:
        state, reason = event.fields["state"], event.fields.get("reason") or ""
        batch.tags |= {
            tag_names.STATE: state,
            tag_names.VALUES: json.dumps(event.fields.get("values") or []),
            tag_names.EPOCH: str(event.fields["epoch"]),
            tag_names.COLOR: tag_names.color(self._search, state),
            **_spent_tags(event),
        }
        with artifacts_of(run):
            if reason.strip():
                self._client.log_text(run, reason, "reason.txt")
            self._log_tables(run, event)
            if warnings := event.fields.get("warnings"):
                texts = {tag_names.WARNINGS_FILE: "\n".join(warnings.values())}
                keep_robustness(self._client, run, texts, ())
                names, note = "; ".join(warnings), "Stronger attacks lowered its robust accuracy."
                corrected = is_only_corrected(warnings)
                batch.tags |= {
                    tag_names.ROBUST_VALUE: "replaced" if corrected else "doubtful",
                    tag_names.ROBUST_WARNINGS: names,
                    tag_names.NOTE: note if corrected else f"Its gradients may be masked: {names}.",
                }
        if reason.strip():
            line, note = last_line(reason), NOTES.get(state, "{reason}")
            note = note.format(epoch=event.fields["epoch"], reason=line)
            batch.tags |= {tag_names.REASON: line, tag_names.NOTE: note}
        if state != "interrupted":  # once per trial, and after the objectives
            metrics = tag_names.logarithms(event.fields.get("configuration", {}), self._log_scaled)
            metrics |= ledger_metrics(read_origin(event.fields.get("origin")))
            batch.add_metrics(metrics, time=event.time, step=0)

    def _log_tables(self, run: str, event: Event) -> None:
        for name, text in event.fields.get("tables", {}).items():
            self._client.log_text(run, text, f"{tag_names.TABLES}/{name}")

    def _send_test(self, event: Event) -> None:
        run, batch = self._run_of(event.fields["number"]), Batch()
        if run is None:
            raise NoRun("it has no run in the store")
        # Before the metrics: to a resumed search these mean that everything was written.
        texts, files = event.fields.get("texts", {}), event.fields.get("files", ())
        with artifacts_of(run):
            keep_robustness(self._client, run, texts, [Path(file) for file in files])
            self._log_tables(run, event)
        batch.add_metrics(event.fields["metrics"], time=event.time, step=event.fields["epoch"])
        self._log(batch, run)

    def _send_summary(self, event: Event) -> None:
        batch = Batch(tags=tag_names.all_split(event.fields.get("tags", {})))
        metrics, step = event.fields.get("metrics", {}), event.fields.get("step", 0)
        batch.add_metrics(metrics, time=event.time, step=step)
        self._log(batch, self._summary_run)
        if "status" in event.fields:
            self._client.set_terminated(self._summary_run, event.fields["status"], event.time)


def _spent_tags(event: Event) -> dict[str, str]:
    """Returns tags with the seconds trained, the work and the device; none of what is unknown."""
    seconds, work, device = (event.fields.get(name) for name in ("seconds", "work", "device"))
    texts = {
        tag_names.SECONDS: "" if seconds is None else f"{seconds:.3f}",
        tag_names.WORK: f"{work:.0f}" if work else "",
        tag_names.DEVICE: device,
    }
    return {name: text for name, text in texts.items() if text}
