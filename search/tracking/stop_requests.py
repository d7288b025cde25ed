"""Requests of users to stop a running search, or one of its trials: tags of its summary run.

A tag reaches the driver from every machine that reaches the store, without a mount of the search's
storage, and costs nothing: the driver reads the tags of its summary run with each heartbeat anyway
(journal_sender.py). While the store is down no request arrives, and the search goes on.

A request is in the store before the driver knows of it, so no death of the driver loses it. One for
a search is for one generation of its driver: a search that is resumed later goes on. One for a
trial is for good.
"""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.tracking import tag_names

if TYPE_CHECKING:
    from mlflow import MlflowClient

# Longer names are not shown; anybody who may write to the store can make one.
_LONGEST_NAME = 100


@dataclass(frozen=True)
class StopRequest:
    """One request: who made it, and whether trials that run may run to their end."""

    by: str
    lets_trials_finish: bool = False

    @property
    def in_words(self) -> str:
        """`stopped by the user (ana@laptop)`."""
        return f"stopped by the user ({self.by})"


@dataclass(frozen=True)
class StopRequests:
    """The requests that hold for a driver: one for its search, and those for trials by number."""

    search: StopRequest | None = None
    trials: Mapping[int, StopRequest] = field(default_factory=dict)


def request_stop(
    client: MlflowClient,
    summary_run: str,
    generation: int,
    *,
    trial: int | None = None,
    lets_trials_finish: bool = False,
) -> None:
    """Asks the driver of this generation to stop its search, or one of its trials."""
    name = tag_names.STOP if trial is None else f"{tag_names.STOP_TRIAL}.{trial}"
    request = {
        "by": f"{_user()}@{socket.gethostname()}", "generation": generation,
        "lets_trials_finish": lets_trials_finish,
    }  # fmt: skip
    client.set_tag(summary_run, name, json.dumps(request))


def read_stop_requests(tags: Mapping[str, str], generation: int) -> StopRequests:
    """Returns the requests in the tags of a summary run; what cannot be read is ignored."""
    trials = {}
    for name, text in tags.items():
        prefix, _, number = name.rpartition(".")
        found = _request(text) if prefix == tag_names.STOP_TRIAL and number.isdecimal() else None
        if found is not None:
            trials[int(number)] = found[0]
    found = _request(tags.get(tag_names.STOP, ""))
    is_meant = found is not None and found[1] == generation
    return StopRequests(found[0] if found is not None and is_meant else None, trials)


def _request(text: str) -> tuple[StopRequest, int] | None:
    """Returns a request and the generation it is for; None if the text is not one."""
    try:
        record = json.loads(text)
        by, generation = str(record["by"])[:_LONGEST_NAME], int(record["generation"])
        finish = record.get("lets_trials_finish") is True
        return StopRequest(" ".join(by.split()), finish), generation
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return "unknown"
