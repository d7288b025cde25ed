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
    # A child is inactive in some trials, and in a source that never had its parent's value.
    is_needed = {name: not entry.when for name, entry in spec.space.items()}
    return _matched(spec, "rename", is_needed, given, source, is_partial)


def match_objectives(
    spec: Spec, given: Sequence[str], source: str, *, is_partial: bool
) -> dict[Objective, str]:
    """Return what a source calls the objectives of a spec; those that only report may be missing.

    Raises:
        ValueError: One is missing, or all are; names each, with the nearest name.
    """
    is_needed = {each.metric: each.role.name != "report" for each in spec.objectives}
    found = _matched(spec, "rename_metrics", is_needed, given, source, is_partial)
    return {each: found[each.metric] for each in spec.objectives if each.metric in found}


def _matched(
    spec: Spec, key: str, is_needed: Mapping[str, bool], given: Sequence[str], source: str,
    is_partial: bool,
) -> dict[str, str]:  # fmt: skip
    """Return wanted name -> given name: a rename goes first, then the same, then a cleaned one."""
    renames: Mapping[str, str] = getattr(spec.history, key)
    found: dict[str, str] = {}
    for name_of in (renames.get, str, spec_name):
        for theirs in given:
            if (name := name_of(theirs)) in is_needed:
                found.setdefault(str(name), theirs)
    missing = [name for name, is_one in is_needed.items() if is_one and name not in found]
    if not missing or (is_partial and found):
        return found
    first, *rest = missing
    close = nearest_name(first, given)
    others = f" (nor for {', '.join(rest)})" if rest else ""
    meant = f"; did you mean {close!r}?" if close else f"; it has {', '.join(given)};"
    fix = f"write history: {{{key}: {{{close or 'THEIRS'}: {first}}}}} into the spec"
    partial = ", or add --partial to import without it" if found else ""
    raise ValueError(f"{source} for {first}{others}{meant} fix: {fix}{partial}")
