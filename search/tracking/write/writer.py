"""Sends the journal to the store: one thread, short timeouts, every write repeatable.

So after a crash the journal is simply sent again from the last offset that is known to have
arrived. What waits goes together, a write for each trial: the further behind the store is, the
less an event costs, and the time until all of it is sent is bounded by the trials, not the events.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking import tag_names
from search.tracking.ownership import HEARTBEAT_SECONDS
from search.tracking.write.journal import Event, read_events, save_sent_offset, sent_offset, size
from search.tracking.write.store_writer import Sender, together

if TYPE_CHECKING:
    from mlflow import MlflowClient

# How often the journal is looked at, and the longest pause between two tries at a dead server.
POLL_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0
# So many events are taken at once: what a crash sends again, and what is held in memory.
EVENTS_AT_ONCE = 1_000
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
        metrics: tuple[str, ...] = (),
    ) -> None:
        self._client = client
        self._folder = folder
        self._sender = Sender(
            client, search=search, experiment=experiment, summary_run=summary_run,
            log_scaled=log_scaled, metrics=metrics,
        )  # fmt: skip
        self._summary_run = summary_run
        self._generation = generation
        # What a predecessor has written up to now is replayed; what it writes from now on, not
        # knowing that it was given up, is not.
        self._claimed_at = size(folder)
        self._sent: set[int] = set()  # ends of events that are done with, beyond the offset
        self._refused, self._refusals = -1, 0  # the event last refused, how often in a row
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
        offset = sent_offset(self._folder)
        while events := deque(islice(read_events(self._folder, offset), EVENTS_AT_ONCE)):
            offset = events[-1].end
            self._sent |= {event.end for event in events if self._is_of_a_predecessor(event)}
            groups = together(event for event in events if event.end not in self._sent)
            self._advance(events)
            for group in groups:
                self._deliver(group)
                if self.has_lost_ownership.is_set():
                    return
                self._advance(events)

    def _is_of_a_predecessor(self, event: Event) -> bool:
        """Whether a driver wrote it after it was given up."""
        return event.end > self._claimed_at and event.generation < self._generation

    def _deliver(self, events: list[Event]) -> None:
        """Sends what goes together; one by one if the store refuses it, to find what it refuses."""
        from mlflow.exceptions import MlflowException

        self._beat_in_time()  # what waited for a server that was away may take minutes
        if self.has_lost_ownership.is_set():
            return
        try:
            self._sender.send(events)
        except MlflowException as error:
            if error.error_code not in FINAL_ERRORS:
                raise
            if len(events) > 1:
                for event in events:
                    self._deliver([event])
                return
            if not self._is_refused_for_good(events[0]):
                raise
            _log.error("the store refuses %s, set aside: %s", events[0].name, error)
            self._set_aside(events[0], str(error))
        self._sent |= {event.end for event in events}

    def _is_refused_for_good(self, event: Event) -> bool:
        """Whether one event would block all that come after it: refused, and again, and again."""
        self._refusals = self._refusals + 1 if event.end == self._refused else 1
        self._refused = event.end
        return self._refusals >= REFUSALS

    def _advance(self, waiting: deque[Event]) -> None:
        """Remembers the offset before which all is sent; what is, is taken from `waiting`."""
        offset = None
        while waiting and waiting[0].end in self._sent:
            offset = waiting.popleft().end
            self._sent.remove(offset)
        if offset is not None:
            save_sent_offset(self._folder, offset)

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
                self.is_away = True
                self._sender.look_again()
                if time.monotonic() > self._deadline:
                    return
                time.sleep(min(pause, max(0.1, self._deadline - time.monotonic())))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _beat_in_time(self) -> None:
        if time.monotonic() < self._next_heartbeat:
            return
        tags = self._client.get_run(self._summary_run).data.tags
        if int(tags.get(tag_names.GENERATION, self._generation)) > self._generation:
            self.has_lost_ownership.set()
            return
        self._client.set_tag(self._summary_run, tag_names.HEARTBEAT, str(int(time.time())))
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
