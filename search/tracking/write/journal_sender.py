"""Sends the journal to the store: one thread, short timeouts, every write repeatable.

After a crash the journal is sent again from the last offset known to have arrived. Waiting events
are grouped by trial: the further behind the store is, the less an event costs, and the time to
catch up depends on the number of trials, not of events.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from search.tracking import tag_names
from search.tracking.artifacts import ArtifactsAway
from search.tracking.deleted import SearchDeleted, living_tags
from search.tracking.ownership import HEARTBEAT_SECONDS
from search.tracking.runs import whole_number
from search.tracking.stop_requests import StopRequests, read_stop_requests
from search.tracking.store import LONGEST_PAUSE_SECONDS, is_refusal
from search.tracking.write.journal import Event, read_events, save_sent_offset, sent_offset, size
from search.tracking.write.outage import Outage
from search.tracking.write.refusals import Refusals
from search.tracking.write.store_writer import SENT, NoRun, Sender, together

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

POLL_SECONDS = 0.25  # how often the journal is read
# Events read at once: held in memory, and sent again after a crash.
EVENTS_AT_ONCE = 1_000
# Some races have the codes of refusals too (two first writes of one tag), so an event is sent again
# after these pauses before it counts as refused.
RACE_SECONDS = (0.05, 0.2)

_log = logging.getLogger(__name__)


class Writer:
    """Sends one search's journal to its runs, and its heartbeat to its summary run.

    Attributes:
        has_lost_ownership: Set when another driver has taken the search over.
        deleted: How the search's summary run was deleted meanwhile, with the fix; "" if it was not.
            Then the events of trials are still sent, as far as their runs exist, and all others
            stay in the journal, for a search that is restored and resumed.
        outage: Whether the store answers, and why not.
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
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._client = client
        self._folder = folder
        self._sender = Sender(
            client, search=search, experiment=experiment, summary_run=summary_run,
            log_scaled=log_scaled, objectives=objectives or {},
        )  # fmt: skip
        self._search, self._summary_run = search, summary_run
        self._generation = generation
        # Events that a predecessor wrote up to now are replayed; those that it writes later, not
        # knowing that it lost the search, are not.
        self._claimed_at = size(folder)
        self._sent: set[int] = set()  # end offsets of finished events beyond the saved offset
        self._refusals, self._say = Refusals(folder, say), say
        self._said: set[str] = set()
        self.outage = Outage(folder, say)
        self._closing = threading.Event()
        self._deadline = float("inf")
        self._next_heartbeat = 0.0
        self._thread = threading.Thread(target=self._loop, name="mlflow-writer", daemon=True)
        self.has_lost_ownership = threading.Event()
        self.deleted = ""
        self.stop_requests = StopRequests()

    def has_lost_search(self) -> bool:
        """Returns whether the driver must stop: the search was taken over, or deleted."""
        return self.has_lost_ownership.is_set() or bool(self.deleted)

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

        What the store refuses for good is set aside (refusals.py), so that it blocks nothing else.
        """
        offset, away = sent_offset(self._folder), None
        waiting: deque[Event] = deque()
        while events := list(islice(read_events(self._folder, offset), EVENTS_AT_ONCE)):
            offset = events[-1].end
            waiting.extend(events)
            self._sent |= {  # what a predecessor wrote after it lost the search
                event.end
                for event in events
                if event.end > self._claimed_at and event.generation < self._generation
            }
            groups = together(event for event in events if event.end not in self._sent)
            self._advance(waiting)
            for group in groups:
                try:
                    self._deliver(group)
                except ArtifactsAway as error:  # the other trials need not wait
                    away = error
                if self.has_lost_ownership.is_set():
                    return
                self._advance(waiting)
        if away is not None:
            raise away
        if self._refusals.must_tell and not self.deleted:
            for name, text in self._refusals.tags().items():
                self._client.set_tag(self._summary_run, name, text)
            self._refusals.must_tell = False

    def _deliver(self, events: list[Event]) -> None:
        """Sends a group; event by event if the store refuses it, to find the refused event."""
        self._beat_in_time()  # a backlog may take minutes
        number = events[0].fields.get("number")
        if self.has_lost_ownership.is_set() or (self.deleted and number is None):
            return
        if events[0].name in SENT and number in self._refusals.runs:
            for event in events:
                self._set_aside(event, self._refusals.runs[number])
            return
        try:
            self._send(events)
        except NoRun as error:
            if not self.deleted:
                self._beat()
            self._refusals.refuse_run(events[0].fields["number"], str(error))
            self._deliver(events)

    def _send(self, events: list[Event]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._sender.send(events)
        except MlflowException as error:
            if not is_refusal(error):
                raise
            if len(events) > 1:
                for event in events:
                    self._deliver([event])
            elif not self._is_sent_again(events[0]):
                self._refuse(events[0], error)
        else:
            self._sent |= {event.end for event in events}

    def _is_sent_again(self, event: Event) -> bool:
        """Sends a refused event again; returns whether it was only a race."""
        from mlflow.exceptions import MlflowException

        for seconds in RACE_SECONDS:
            time.sleep(seconds)
            try:
                self._sender.send([event])
            except MlflowException as error:
                if not is_refusal(error):
                    raise
            else:
                self._sent.add(event.end)
                return True
        return False

    def _refuse(self, event: Event, error: MlflowException) -> None:
        """Finds out what the store refuses: the search, a trial's run, an entry or the event."""
        from mlflow.exceptions import MlflowException

        if not self.deleted:
            self._beat()  # raises if the whole search is refused, which is an outage like others
        number = event.fields.get("number")
        why = "" if number is None else self._sender.why_run_refuses(number)
        if event.name == "start" and not self._sender.has_run(event.fields["number"]):
            why = str(error)
        if why:
            self._refusals.refuse_run(event.fields["number"], why)
            self._set_aside(event, why)
        if why or self.deleted:
            return
        try:
            entries = self._sender.send_entries(event)
        except MlflowException as again:
            if not is_refusal(again):
                raise
            entries = {"": str(again)}
        for entry, reason in entries.items():
            self._set_aside(event, reason, entry)
        self._sent.add(event.end)

    def _set_aside(self, event: Event, reason: str, entry: str = "") -> None:
        if self.deleted:  # with the search: it stays in the journal, for one that is restored
            return
        _log.error("the store refuses event %s: %s %s", event.name, entry, reason)
        self._refusals.set_aside(event, reason, entry)
        self._sent.add(event.end)

    def _advance(self, waiting: deque[Event]) -> None:
        """Saves the offset up to which all is sent; removes sent events from `waiting`."""
        offset = None
        while waiting and waiting[0].end in self._sent:
            offset = waiting.popleft().end
            self._sent.remove(offset)
        if offset is not None:
            save_sent_offset(self._folder, offset)

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
                self.outage.end()
                if self._closing.is_set():
                    return
                self._closing.wait(POLL_SECONDS)
            except (MlflowException, SQLAlchemyError, OSError) as error:
                if isinstance(error, ArtifactsAway) or is_refusal(error):
                    self._say_once(f"results wait in {self._folder}: {error}")
                else:
                    self.outage.note(error, waits_until=self._deadline)
                _log.warning("the tracking store or the storage is not available: %s", error)
                self._sender.forget_runs()
                if time.monotonic() > self._deadline:
                    return
                time.sleep(min(pause, max(0.1, self._deadline - time.monotonic())))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def _beat_in_time(self) -> None:
        if time.monotonic() >= self._next_heartbeat and not self.deleted:
            self._beat()

    def _beat(self) -> None:
        """Reads what others wrote about the search, and says that it lives."""
        try:
            tags = living_tags(self._client, self._summary_run)
        except SearchDeleted as error:
            self.deleted = str(error)
            self._say(f"{self._search} stops: {self.deleted}")
            return
        if whole_number(tags.get(tag_names.GENERATION)) > self._generation:
            self.has_lost_ownership.set()
            return
        self.stop_requests = read_stop_requests(tags, self._generation)
        self._client.set_tag(self._summary_run, tag_names.HEARTBEAT, str(int(time.time())))
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
