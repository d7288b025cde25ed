"""Reads the initial weights of a spec's trials.

Either all trials start from one earlier trial (`initial_weights: {from: SEARCH, pick: best}`), or
each trial chooses (`space.initial_weights`: "scratch" or earlier trials). At launch names are
pinned to `SEARCH#TRIAL` and `fixed` is written, so a resumed search starts from the same weights.
Not for finding the trials: that needs the store (`search/transfer`).
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from search.spec.checks import read_part
from search.spec.conditions import Parts
from search.spec.errors import Document
from search.spec.sections import CheckedValue, HyperparameterSpec, Part

SCRATCH = "scratch"
INITIAL_WEIGHTS = "initial_weights"
_NAME = re.compile(r"[^#\s]+(#\d+)?")
_FORMS = (SCRATCH, "SEARCH", "SEARCH#TRIAL")


class InitialWeightsKeys(Part):
    """The section `initial_weights`.

    Attributes:
        source: `SEARCH`, or `SEARCH#TRIAL` for one trial of it; None if each trial chooses.
        pick: From a search, its best trial in the primary objective, or its whole Pareto front,
            among which each trial then chooses.
        fixed: `SEARCH#TRIAL` to the hyperparameters that starting from it fixes; written at launch.
    """

    source: str | None = Field(default=None, alias="from")
    pick: Literal["best", "pareto"] = "best"
    fixed: dict[str, dict[str, CheckedValue]] = Field(default_factory=dict)


def check_initial_weights(document: Document, space: Parts) -> InitialWeightsKeys | None:
    """Read the section `initial_weights` and check it against the space."""
    path, raw = (INITIAL_WEIGHTS,), document.data.get(INITIAL_WEIGHTS)
    if raw is None:
        return None
    if document.is_function:
        document.add(path, "does nothing for your own training function; remove it")
        return None
    found = read_part(document, path, InitialWeightsKeys, raw)
    if found is None:
        return None
    if found.source is None:
        if not found.fixed:
            document.add((*path, "from"), "is missing", allowed=_FORMS[1:])
        elif set(found.fixed) != set(choices(space)):
            message = "names other trials than space.initial_weights; remove `fixed`, which is "
            document.add((*path, "fixed"), message + "written at launch")
        return found
    if not _NAME.fullmatch(found.source) or found.source == SCRATCH:
        document.add((*path, "from"), "names no search or trial", found.source, _FORMS[1:])
    if INITIAL_WEIGHTS in space:
        message = "is searched in space too; keep one of the two"
        document.add((*path, "from"), message, found.source)
    if "#" in found.source and "pick" in found.model_fields_set:
        document.add((*path, "pick"), "picks nothing: `from` names one trial; remove it")
    return found


def check_choices(document: Document, part: HyperparameterSpec) -> None:
    """Check that `space.initial_weights` is a categorical of trials to start from."""
    path = ("space", INITIAL_WEIGHTS)
    if part.type != "categorical":
        document.add((*path, "type"), "must be categorical", part.type, ("categorical",))
        return
    if part.when:
        document.add((*path, "when"), "is always active: each trial starts somewhere; remove it")
    for index, choice in enumerate(part.choices or ()):
        if not isinstance(choice, str) or not _NAME.fullmatch(choice):
            document.add((*path, "choices", index), "names no search or trial", choice, _FORMS)


def choices(space: Parts) -> list[str]:
    """Return the trials among which a space lets its trials choose, without "scratch"."""
    part = space.get(INITIAL_WEIGHTS)
    return [str(each) for each in (part and part.choices) or () if each != SCRATCH]
