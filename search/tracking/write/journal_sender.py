"""Sends the journal to the store: one thread, short timeouts, every write repeatable.

After a crash the journal is sent again from the last offset known to have arrived. Waiting events
are grouped by trial: the further behind the store is, the less an event costs, and the time to
catch up depends on the number of trials, not of events.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking import tag_names
from search.tracking.ownership import HEARTBEAT_SECONDS
from search.tracking.stop_requests import StopRequests, read_stop_requests
from search.tracking.store import FINAL_ERRORS, LONGEST_PAUSE_SECONDS
from search.tracking.write.journal import Event, read_events, save_sent_offset, sent_offset, size
from search.tracking.write.store_writer import Sender, together

if TYPE_CHECKING:
    from mlflow import MlflowClient

POLL_SECONDS = 0.25  # how often the journal is read
# Events read at once: held in memory, and sent again after a crash.
EVENTS_AT_ONCE = 1_000
# Some races have the codes of `FINAL_ERRORS` too (two first writes of one tag), so an event is set
# aside only after this many refusals in a row.
REFUSALS = 4
REFUSED_FILE = "journal.refused.jsonl"

_log = logging.getLogger(__name__)


class Writer:
    """Sends one search's journal to its runs, and its heartbeat to its summary run.

    Attributes:
        has_lost_ownership: Set when another driver has taken the search over.
        stop_requests: What users asked to stop, as of the last heartbeat.
    """

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
        objectives: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._folder = folder
        self._sender = Sender(
            client, search=search, experiment=experiment, summary_run=summary_run,
            log_scaled=log_scaled, objectives=objectives or {},
        )  # fmt: skip
        self._summary_run = summary_run
        self._generation = generation
        # Events that a predecessor wrote up to now are replayed; those that it writes later, not
        # knowing that it lost the search, are not.
        self._claimed_at = size(folder)
        self._sent: set[int] = set()  # end offsets of finished events beyond the saved offset
        self._refused, self._refusals = -1, 0  # the last refused event, how often in a row
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._next_heartbeat = 0.0
        self._thread = threading.Thread(target=self._loop, name="mlflow-writer", daemon=True)
        self.has_lost_ownership = threading.Event()
        self.stop_requests = StopRequests()

    def start(self) -> None:
        """Starts sending in the background."""
        self._thread.start()

    def close(self, timeout_seconds: float) -> int:
        """Sends what is left, for at most `timeout_seconds`; returns the unsent bytes."""
        self._deadline = time.monotonic() + timeout_seconds
        self._closing.set()
        self._thread.join(timeout_seconds + 2 * LONGEST_PAUSE_SECONDS)
        try:
            return self.unsent_bytes()
        except OSError as error:  # must not stop a driver that is ending
            _log.error("cannot read how much of the journal is unsent: %s", error)
            return 1

    def unsent_bytes(self) -> int:
        """Returns how many bytes of the journal the store does not have yet."""
        offset = sent_offset(self._folder)
        return (
            max((event.end for event in read_events(self._folder, offset)), default=offset) - offset
        )

    def drain(self) -> None:
        """Sends all unsent events now, in this thread. Raises what MLflow raises.

        An event that the store keeps refusing is set aside in `journal.refused.jsonl`, so that it
        does not block the events after it.
        """
        offset = sent_offset(self._folder)
        while events := deque(islice(read_events(self._folder, offset), EVENTS_AT_ONCE)):
            offset = events[-1].end
            self._sent |= {  # what a predecessor wrote after it lost the search
                event.end
                for event in events
                if event.end > self._claimed_at and event.generation < self._generation
            }
            groups = together(event for event in events if event.end not in self._sent)
            self._advance(events)
            for group in groups:
                self._deliver(group)
                if self.has_lost_ownership.is_set():
                    return
                self._advance(events)

    def _deliver(self, events: list[Event]) -> None:
        """Sends a group; event by event if the store refuses it, to find the refused event."""
        from mlflow.exceptions import MlflowException

        self._beat_in_time()  # a backlog may take minutes
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
            _log.error("the store refuses event %s, which is set aside: %s", events[0].name, error)
            self._set_aside(events[0], str(error))
        self._sent |= {event.end for event in events}

    def _is_refused_for_good(self, event: Event) -> bool:
        """Returns whether an event was refused `REFUSALS` times in a row."""
        self._refusals = self._refusals + 1 if event.end == self._refused else 1
        self._refused = event.end
        return self._refusals >= REFUSALS

    def _advance(self, waiting: deque[Event]) -> None:
        """Saves the offset up to which all is sent; removes sent events from `waiting`."""
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
                pause = 1.0
                if self._closing.is_set():
                    return
                self._closing.wait(POLL_SECONDS)
            except (MlflowException, SQLAlchemyError, OSError) as error:
                _log.warning("the tracking store or the storage is not available: %s", error)
                self._sender.forget_runs()
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
        self.stop_requests = read_stop_requests(tags, self._generation)
        self._client.set_tag(self._summary_run, tag_names.HEARTBEAT, str(int(time.time())))
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
