"""What the store refuses for good: set aside in the search's storage, and told.

A refusal belongs to one run, or to one entry of it, and stops nothing else. The events lie in
`journal.refused.jsonl`, with the reason. The tag `twentieth.refused` of the summary run has a line
for each refused run or entry, from which the report takes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from search.tracking import tag_names
from search.tracking.write.journal import Event

FILE = "journal.refused.jsonl"
# The lines that the tag has; a function that reports many bad names does so in every epoch.
MOST_TOLD = 20
LONGEST_REASON = 200


class Refusals:
    """The refused events of one search.

    Attributes:
        runs: Trial number -> why its run takes nothing any more; further events are set aside
            without asking the store.
        must_tell: Whether the tag lacks what has been refused.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._file, self._say = folder / FILE, say
        self._told = _told_before(self._file)
        self.runs: dict[int, str] = {}
        self.must_tell = bool(self._told)

    def refuse_run(self, number: int, reason: str) -> None:
        """Notes that a trial's run takes nothing any more."""
        self.runs[number] = _in_a_line(reason)

    def set_aside(self, event: Event, reason: str, entry: str = "") -> None:
        """Keeps an event that is refused, or of which this entry is, such as "metric 'a'"."""
        number = event.fields.get("number")
        what = f"the {event.name} event of the search" if number is None else f"trial {number}"
        if entry:  # once for all trials that have it
            what = entry
        elif number is not None and number not in self.runs:
            what = f"the {event.name} event of {what}"
        told = f"{what}: {_in_a_line(reason)}"
        record = {
            "event": event.name, "time": event.time, "generation": event.generation,
            **event.fields, "refused": told,
        }  # fmt: skip
        with self._file.open("a") as file:
            file.write(json.dumps(record) + "\n")
        if told not in self._told:
            self._told.append(told)
            self.must_tell = True
            self._say(f"the store refuses {told}; kept in {self._file}, the search goes on")

    def tags(self) -> dict[str, str]:
        """Returns the tags of the summary run that tell what was refused."""
        shown = self._told[:MOST_TOLD]
        while len(text := json.dumps(shown + self._more(len(shown)))) > tag_names.PIECE:
            shown.pop()
        return {tag_names.REFUSED: text}

    def _more(self, shown: int) -> list[str]:
        left_out = len(self._told) - shown
        return [f"{left_out} more"] if left_out else []


def refused_lines(tags: Mapping[str, str]) -> list[str]:
    """Returns what the store refused of a search, from the tags of its summary run."""
    try:
        lines = json.loads(tags.get(tag_names.REFUSED, "[]"))
    except ValueError:
        return []
    return [str(line) for line in lines] if isinstance(lines, list) else []


def _told_before(file: Path) -> list[str]:
    """Returns what earlier launches have set aside, from their file."""
    told: dict[str, None] = {}
    if file.exists():
        for line in file.read_text(errors="replace").splitlines():
            try:
                told[str(json.loads(line)["refused"])] = None
            except (ValueError, KeyError, TypeError):  # cut by a crash
                continue
    return list(told)


def _in_a_line(reason: str) -> str:
    return " ".join(reason.split())[:LONGEST_REASON]
