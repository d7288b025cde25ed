"""Mistakes in a spec, described so that they can be fixed without the manual.

Collects all mistakes of a file before any is reported. Not for errors of a running search.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from models.catalog import MODELS, Hyperparameter, catalog_name
from search.space.values import brief

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        file: The spec file, or `--set` for an override.
        line: Counted from 1; None if unknown.
        key: Dotted path of the key, such as `space.width.low`; empty for the whole file.
        value: The value in the file; None if the key itself is wrong or missing.
        message: The mistake and, unless `allowed` says it, the fix.
        allowed: The legal names or values, if they can be listed.
        nearest: The legal name or value most similar to the one in the file.
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
        subject = f"  {self.key}{shown}" if self.key else ""
        text = f"{place}{subject}: {self.message}"
        if self.nearest is not None:
            text = f"{text}. Did you mean `{self.nearest}`?"
        elif self.allowed:
            text = f"{text}."
        return f"{text} Allowed: {', '.join(self.allowed)}" if self.allowed else text


class SpecError(ValueError):
    """All mistakes of a spec; `str()` has one line per problem, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: each.line or 0))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Problem, ...]]]:
        # By default an exception is unpickled from its text, which would lose the problems.
        return SpecError, (self.problems,)


@dataclass(frozen=True)
class Document:
    """A spec's plain data, the places of its keys, and the mistakes found so far.

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

    @property
    def task(self) -> dict[str, Any]:
        """The section `task`; empty if it is missing or no mapping."""
        task = self.data.get("task")
        return task if isinstance(task, dict) else {}

    @property
    def model(self) -> str:
        """The catalog's name of what the task trains; "" for a training function or nothing."""
        if "network" in self.task:
            return catalog_name(None, self.task["network"], self.task.get("base"))
        model = self.task.get("model")
        return model if isinstance(model, str) else ""

    @property
    def is_function(self) -> bool:
        """Whether the task names the user's own training function."""
        return "train" in self.task

    @property
    def known(self) -> Mapping[str, Hyperparameter] | None:
        """The catalog's hyperparameters of the model; None for a function or an unknown model."""
        return MODELS.get(self.model)

    def add(
        self, path: KeyPath, message: str, value: Any = None, allowed: Iterable[object] = ()
    ) -> None:
        """Note a problem; the nearest allowed name is that to the value, else to the key."""
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
    """Return a key path as text: `objectives[0].metric`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest_name(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name most similar to a wrong one; None if none is close."""
    allowed = list(allowed)
    close = difflib.get_close_matches(name.lower(), allowed, n=1, cutoff=0.6)
    if close:
        return close[0]
    # `momentum` for `sgd.momentum`: the difference in length hides the similarity.
    ends = (each for each in allowed if difflib.get_close_matches(name, [each.split(".")[-1]]))
    return next(ends, None)
