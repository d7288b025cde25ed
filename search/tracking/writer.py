"""Sends the journal to the store: one thread, short timeouts, every write repeatable.

Repeatable means: sending an event twice leaves what sending it once leaves. A trial's run is found
by its key before it is created, metrics carry the event's own time (MLflow drops identical
points), tags and states are set to what they already are. So after a crash the journal is simply
sent again from the last offset that is known to have arrived.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.origins import ledger_metrics, read_origin
from search.tracking import names
from search.tracking.artifacts import keep_robustness
from search.tracking.batches import log_batch
from search.tracking.journal import Event, read_events, save_sent_offset, sent_offset, size
from search.tracking.ownership import HEARTBEAT_SECONDS
from search.tracking.runs import runs_by_number

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

# How often the journal is looked at, and the longest pause between two tries at a dead server.
POLL_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0
# Errors that another try does not mend. Some races are reported under these codes too (two first
# writes of one tag), so an event is given up only when it was refused this often in a row.
FINAL_ERRORS = (
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "RESOURCE_DOES_NOT_EXIST",
    "INVALID_STATE",
)
REFUSALS = 4
REFUSED_FILE = "journal.refused.jsonl"

_log = logging.getLogger(__name__)


class Writer:
    """Keeps one search's runs in step with its journal, and its heartbeat beating."""

    def __init__(
        self,
        client: MlflowClient,
        folder: Path,
        *,
        search: str,
        experiment: str,
        summary_run: str,
        generation: int,
        log_scaled: frozenset[str] = frozenset(),
        objectives: tuple[str, ...] = (),
    ) -> None:
        self._client = client
        self._folder = folder
        self._search = search
        self._experiment = experiment
        self._summary_run = summary_run
        self._generation = generation
        # What a predecessor has written up to now is replayed; what it writes from now on, not
        # knowing that it was given up, is not.
        self._claimed_at = size(folder)
        self._log_scaled = log_scaled
        self._objectives = objectives
        self._runs: dict[int, str] = {}
        self._refused, self._refusals = -1, 0  # the event last refused, how often in a row
        self._must_look = True  # a run may exist that we do not know of (resume, lost answer)
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._next_heartbeat = 0.0
        self._thread = threading.Thread(target=self._loop, name="mlflow-writer", daemon=True)
        self.has_lost_ownership = threading.Event()
        self.is_away = False

    def start(self) -> None:
        """Begins to send in the background."""
        self._thread.start()

    def close(self, timeout_seconds: float) -> int:
        """Sends what is left, for at most `timeout_seconds`; returns the unsent bytes."""
        self._deadline = time.monotonic() + timeout_seconds
        self._closing.set()
        self._thread.join(timeout_seconds + 2 * LONGEST_PAUSE_SECONDS)
        try:
            return self.unsent_bytes()
        except OSError as error:  # a driver that ends must say so, not die of it
            _log.error("how much is not sent cannot be read: %s", error)
            return 1

    def unsent_bytes(self) -> int:
        """How much of the journal the store does not have yet."""
        offset = sent_offset(self._folder)
        return (
            max((event.end for event in read_events(self._folder, offset)), default=offset) - offset
        )

    def drain(self) -> None:
        """Sends all there is, now, in this thread. Raises what MLflow raises.

        What the store refuses for good is set aside in `journal.refused.jsonl`, so that it does not
        stand in the way of everything after it.
        """
        from mlflow.exceptions import MlflowException

        for event in read_events(self._folder, sent_offset(self._folder)):
            self._beat_in_time()  # what waited for a server that was away may take minutes
            if self.has_lost_ownership.is_set():
                return
            try:
                self._send(event)
            except MlflowException as error:
                if not self._is_refused_for_good(event, error):
                    raise
                _log.error("the store refuses %s, set aside: %s", event.name, error)
                self._set_aside(event, str(error))
            save_sent_offset(self._folder, event.end)

    def _is_refused_for_good(self, event: Event, error: MlflowException) -> bool:
        """Whether one event would block all that come after it: refused, and again, and again."""
        self._refusals = self._refusals + 1 if event.end == self._refused else 1
        self._refused = event.end
        return error.error_code in FINAL_ERRORS and self._refusals >= REFUSALS

    def _set_aside(self, event: Event, reason: str) -> None:
        line = json.dumps({"event": event.name, **event.fields, "refused_because": reason})
        with (self._folder / REFUSED_FILE).open("a") as file:
            file.write(line + "\n")

    def _loop(self) -> None:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        pause = 1.0
        while not self.has_lost_ownership.is_set():
            try:
                self._beat_in_time()
                self.drain()
                if self.has_lost_ownership.is_set():
                    return
                pause, self.is_away = 1.0, False
                if self._closing.is_set():
                    return
                self._closing.wait(POLL_SECONDS)
            except (MlflowException, SQLAlchemyError, OSError) as error:
                _log.warning("the tracking store or the storage is away: %s", error)
                self.is_away, self._must_look = True, True
                if time.monotonic() > self._deadline:
                    return
                time.sleep(min(pause, max(0.1, self._deadline - time.monotonic())))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _beat_in_time(self) -> None:
        if time.monotonic() < self._next_heartbeat:
            return
        tags = self._client.get_run(self._summary_run).data.tags
        if int(tags.get(names.GENERATION, self._generation)) > self._generation:
            self.has_lost_ownership.set()
            return
        self._client.set_tag(self._summary_run, names.HEARTBEAT, str(int(time.time())))
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS

    def _send(self, event: Event) -> None:
        send = {
            "start": self._send_start,
            "epoch": self._send_epoch,
            "end": self._send_end,
            "test": self._send_test,
            "summary": self._send_summary,
        }.get(event.name)
        is_of_a_predecessor = event.end > self._claimed_at and event.generation < self._generation
        if send is not None and not is_of_a_predecessor:  # events without are for the console
            send(event)

    def _run_of(self, number: int) -> str | None:
        if self._must_look:
            self._runs.update(runs_by_number(self._client, self._experiment, self._search))
            self._must_look = False
        return self._runs.get(number)

    def _send_start(self, event: Event) -> None:
        number, configuration = event.fields["number"], event.fields["configuration"]
        run = self._run_of(number)
        if run is None:
            self._must_look = True  # until create_run has answered, a run may exist unknown to us
            run = self._client.create_run(
                self._experiment,
                start_time=event.time,
                run_name=names.trial_name(self._search, number),
                tags={
                    names.KIND: "trial",
                    names.SEARCH: self._search,
                    names.NUMBER: str(number),
                    names.TRIAL_KEY: names.trial_key(self._search, number),
                    names.STATE: "running",
                },
            ).info.run_id
            self._runs[number], self._must_look = run, False
        tags = {
            **names.split_tags(names.CONFIGURATION, json.dumps(configuration)),
            **names.split_tags(names.ORIGIN, json.dumps(event.fields["origin"])),
            **names.ledger_tags(event.fields["origin"]),
            **names.weights_tags(event.fields.get("receipt", {})),
            names.CHECKPOINTS: event.fields["checkpoints"],
            names.STATE: "running",
        }
        self._log(run, event, params=configuration, tags=tags, metrics={}, step=0)
        self._client.update_run(run, status="RUNNING")

    def _send_epoch(self, event: Event) -> None:
        run = self._run_of(event.fields["number"])
        if run is not None:
            metrics, epoch = event.fields["metrics"], event.fields["epoch"]
            # The compare page colours by the metric that was logged first: an objective.
            first = {name: metrics[name] for name in self._objectives if name in metrics}
            tags = {names.EPOCH: str(epoch)}
            self._log(run, event, metrics={**first, **metrics}, step=epoch, tags=tags)

    def _send_end(self, event: Event) -> None:
        run = self._run_of(event.fields["number"])
        if run is None:
            return
        state, reason = event.fields["state"], event.fields.get("reason") or ""
        tags = {
            names.STATE: state,
            names.VALUES: json.dumps(event.fields.get("values") or []),
            names.EPOCH: str(event.fields["epoch"]),
        }
        if reason.strip():
            self._client.log_text(run, reason, "reason.txt")
            tags[names.REASON] = tags[names.NOTE] = reason.strip().splitlines()[-1][:500]
        for name, text in event.fields.get("tables", {}).items():
            self._client.log_text(run, text, f"{names.TABLES}/{name}")
        if event.fields.get("warning"):
            replaced = f"{names.ROBUSTNESS}/{names.REPLACED_FILE}"
            self._client.log_text(run, event.fields["warning"], replaced)
            tags[names.REPLACED] = "replaced"
        metrics = {}
        if state != "interrupted":  # once a trial, and after the objectives
            metrics = names.logarithms(event.fields.get("configuration", {}), self._log_scaled)
            metrics |= ledger_metrics(read_origin(event.fields.get("origin")))
        self._log(run, event, tags=tags, metrics=metrics, step=0)
        self._client.set_terminated(run, names.STATUS[state], end_time=event.time)

    def _send_test(self, event: Event) -> None:
        run = self._run_of(event.fields["number"])
        if run is not None:
            # Before the metrics: a resumed search takes these for the sign that all is there.
            texts, files = event.fields.get("texts", {}), event.fields.get("files", ())
            keep_robustness(self._client, run, texts, [Path(file) for file in files])
            self._log(run, event, metrics=event.fields["metrics"], step=event.fields["epoch"])

    def _send_summary(self, event: Event) -> None:
        tags = names.all_split(event.fields.get("tags", {}))
        metrics, step = event.fields.get("metrics", {}), event.fields.get("step", 0)
        self._log(self._summary_run, event, tags=tags, metrics=metrics, step=step)
        if "status" in event.fields:
            self._client.set_terminated(self._summary_run, event.fields["status"], event.time)

    def _log(self, run: str, event: Event, **what: Any) -> None:
        log_batch(self._client, run, event.time, **what)
