"""What is wrong with a spec, said so that it can be put right without the manual.

For collecting every mistake of a file before saying anything. Not for errors of a running search.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from search.space.values import brief

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        file: The spec file, or `--set` for an override.
        line: Counted from 1; None where there is none.
        key: Dotted path of the key, such as `space.width.low`; empty for the whole file.
        value: What was written; None if the mistake is the key itself or an absence.
        message: What is wrong and, where no list says it, what to do.
        allowed: The legal names or values, if they can be listed.
        nearest: The one of them most like what was written.
    """

    file: str
    line: int | None
    key: str
    value: Any
    message: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        shown = "" if self.value is None else f" = {brief(self.value)}"
        subject = f"  {self.key}{shown}" if self.key else " "
        text = f"{place}{subject}: {self.message}" if self.key else f"{place}: {self.message}"
        if self.nearest is not None:
            text = f"{text}. Did you mean `{self.nearest}`?"
        elif self.allowed:
            text = f"{text}."
        return f"{text} Allowed: {', '.join(self.allowed)}" if self.allowed else text


class SpecError(ValueError):
    """Everything wrong with a spec, at once; `str()` has one block a problem, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: each.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Problem, ...]]]:
        # BaseException would rebuild it from its text; problems must survive another process.
        return SpecError, (self.problems,)


@dataclass(frozen=True)
class Document:
    """A spec's plain data, where each part of it was written, and the mistakes found so far.

    Attributes:
        data: The mapping in the file, overrides applied.
        source: File name, for messages.
        places: Key path to (file, line).
        problems: Grows while the document is checked.
    """

    data: dict[str, Any]
    source: str
    places: dict[KeyPath, tuple[str, int | None]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(
        self, path: KeyPath, message: str, value: Any = None, allowed: Iterable[object] = ()
    ) -> None:
        """Note a problem; the nearest allowed name is looked up for a value, else for the key."""
        names = tuple(str(each) for each in allowed)
        wrong = value if isinstance(value, str) else path[-1] if path and value is None else None
        place = next(
            (
                self.places[path[:end]]
                for end in range(len(path), -1, -1)
                if path[:end] in self.places
            ),
            (self.source, None),
        )
        close = nearest_name(wrong, names) if isinstance(wrong, str) else None
        self.problems.append(Problem(*place, key_text(path), value, message, names, close))


def key_text(path: KeyPath) -> str:
    """A key path as text: `objectives[0].metric`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest_name(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name most like a wrong one, or None if none is close."""
    allowed = list(allowed)
    close = difflib.get_close_matches(name.lower(), allowed, n=1, cutoff=0.6)
    if close:
        return close[0]
    # `momentum` for `sgd.momentum`: the difference in length hides the likeness.
    ends = [each for each in allowed if difflib.get_close_matches(name, [each.split(".")[-1]])]
    return ends[0] if ends else None
