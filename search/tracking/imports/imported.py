"""Imported: runs that were read from elsewhere, matched with a spec and not yet in the store.

Names are matched here: a spec's own, those of its `history.rename` and `history.rename_metrics`,
and those that a spec cannot hold (`val/loss` is `val_loss`). Not for reading one source
(`wandb_csv.py`, `optuna_study.py`) nor for writing (`writer.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.history import Trial
from search.objectives import Objective
from search.space import SearchSpace
from search.spec import Spec
from search.spec.errors import nearest_name
from search.spec.sweep_file import spec_name


@dataclass(frozen=True)
class ImportedRun:
    """One run of another tool.

    Attributes:
        identity: What tells it from every other run of the tool, however often it is read.
        name: Its name there.
        place: Where it was read: "runs.csv, row 7".
        trial: What it tried, and how it ended.
    """

    identity: str
    name: str
    place: str
    trial: Trial


@dataclass(frozen=True)
class Imported:
    """The runs of one source.

    Attributes:
        tool: What logged them: "wandb" or "optuna".
        space: The ranges that they were searched in.
        runs: Those that can be learned from, in the order of the source, each identity once.
        problems: A line for each cell or run that cannot be used as it is.
    """

    tool: str
    space: SearchSpace
    runs: tuple[ImportedRun, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """What a source calls the hyperparameters and objectives of a spec.

    Attributes:
        hyperparameters: Name in the spec -> name in the source.
        objectives: Objective of the spec -> name in the source.
    """

    hyperparameters: Mapping[str, str]
    objectives: Mapping[Objective, str]


def match_hyperparameters(
    spec: Spec, given: Sequence[str], source: str, *, is_partial: bool
) -> dict[str, str]:
    """Return what a source calls the hyperparameters of a spec.

    Args:
        spec: The spec, with its `history.rename`.
        given: The names in the source.
        source: What has them, for messages: "runs.csv has no column".
        is_partial: Whether some may be missing, but not all.

    Raises:
        ValueError: One is missing, or all are; names each, with the nearest name.
    """
    found = _matched(list(spec.space), given, spec.history.rename)
    missing = [name for name in spec.space if name not in found]
    # A child is inactive in some trials, and in a source that never had its parent's value.
    needed = [name for name in missing if not spec.space[name].when]
    if needed and (not is_partial or not found):
        raise ValueError(_missing(source, needed, given, "rename", can_be_partial=bool(found)))
    return found


def match_objectives(
    spec: Spec, given: Sequence[str], source: str, *, is_partial: bool
) -> dict[Objective, str]:
    """Return what a source calls the objectives of a spec; those that only report may be missing.

    Raises:
        ValueError: One is missing, or all are; names each, with the nearest name.
    """
    found = _matched(list(spec.metrics), given, spec.history.rename_metrics)
    needed = [
        each.metric
        for each in spec.objectives
        if each.metric not in found and each.role.name != "report"
    ]
    if needed and (not is_partial or not found):
        can_be_partial = bool(found)
        raise ValueError(
            _missing(source, needed, given, "rename_metrics", can_be_partial=can_be_partial)
        )
    return {each: found[each.metric] for each in spec.objectives if each.metric in found}


def _matched(
    wanted: Sequence[str], given: Sequence[str], renames: Mapping[str, str]
) -> dict[str, str]:
    """Return wanted name -> given name: a rename goes first, then the same, then a cleaned one."""
    found: dict[str, str] = {}
    for theirs in given:
        if renames.get(theirs) in wanted:
            found.setdefault(renames[theirs], theirs)
    for name in wanted:
        if name not in found and name in given:
            found[name] = name
    for theirs in given:
        if spec_name(theirs) in wanted:
            found.setdefault(spec_name(theirs), theirs)
    return found


def _missing(
    source: str, names: Sequence[str], given: Sequence[str], key: str, *, can_be_partial: bool
) -> str:
    name = names[0]
    close = nearest_name(name, given)
    others = f" (nor for {', '.join(names[1:])})" if len(names) > 1 else ""
    meant = f"; did you mean {close!r}?" if close else f"; it has {', '.join(given)};"
    fix = f"write history: {{{key}: {{{close or 'THEIRS'}: {name}}}}} into the spec"
    partial = ", or add --partial to import without it" if can_be_partial else ""
    return f"{source} for {name}{others}{meant} fix: {fix}{partial}"
