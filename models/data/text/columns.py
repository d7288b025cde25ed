"""Which columns of a table hold what: those that the settings name, or those of the usual names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from models.data.settings import DataSettings
from models.data.sources import DataError
from models.kinds import KINDS

SECOND_TEXT = "text_pair"  # optional; named as in transformers
MESSAGES = "messages"
GROUP = "group"
# pandas takes cells beyond the header's as an index, which `datasets` keeps under such names.
_BEYOND_HEADER = "__index_level_"
# Of the letters that two names have; at the library's 0.6 "target" is near to "text".
_NEAR = 0.7
_SEPARATORS = (";", "\t", "|", ",")


def choose_columns(
    place: str, kind: str, settings: DataSettings, available: Sequence[str], lists: Sequence[str]
) -> dict[str, str]:
    """Return our names of the columns to read, mapped to the source's names.

    A dialogue is read from `messages` if the table has no prompt and answer, or from the column of
    lists that `text_column` names.

    Args:
        place: file or split, for messages.
        kind: one of `models.kinds.TEXT_KINDS`.
        settings: the settings of the data set.
        available: the names of the columns.
        lists: those among them that hold lists.

    Raises:
        DataError: a column is missing or named for two things, or the table was split into columns
            by another separator than its own.
    """
    _check_separator(place, available)
    if settings.pair_column is not None and not KINDS[kind].has_text_class:
        raise DataError(f"pair_column means nothing for {kind}; fix: remove it")
    wanted = KINDS[kind].columns
    if kind == "dialogue" and _has_messages(settings, available, lists):
        if settings.label_column is not None:
            raise DataError(f"{place}: label_column means nothing for messages, which have the "
                            "answers; fix: remove it")  # fmt: skip
        wanted = {MESSAGES: "text_column"}
    chosen = {
        name: _column(place, kind, key, name, getattr(settings, key), available)
        for name, key in wanted.items()
    }
    if KINDS[kind].has_text_class and (settings.pair_column or SECOND_TEXT in available):
        key = "pair_column"
        chosen[SECOND_TEXT] = _column(
            place, kind, key, SECOND_TEXT, settings.pair_column, available
        )
    if len(set(chosen.values())) < len(chosen):
        raise DataError(f"{place}: the columns of {', '.join(chosen)} are "
                        f"{', '.join(map(repr, chosen.values()))}; fix: name each column "
                        "once")  # fmt: skip
    if settings.group_column is not None or kind == "ranking":
        chosen[GROUP] = _column(
            place, kind, "group_column", GROUP, settings.group_column, available
        )
    return chosen


def _has_messages(settings: DataSettings, available: Sequence[str], lists: Sequence[str]) -> bool:
    if settings.text_column is not None:
        return settings.text_column in lists
    both = "prompt" in available and "answer" in available
    return MESSAGES in available and not both and settings.label_column is None


def _column(
    place: str, kind: str, key: str, usual: str, given: str | None, available: Sequence[str]
) -> str:
    if given is None and usual in available:
        return usual
    if given is not None and given in available:
        return given
    close = _nearest(given or usual, available)
    by = " by its first line" if place.endswith((".csv", ".tsv")) else ""
    there = f"the columns{by} are {list(available)}"
    if given is not None:
        fix = f"did you mean {close[0]!r}?" if close else "name one of them"
        raise DataError(f"{place}: {key} is {given!r}, but {there}; fix: {fix}")
    unnamed = ", or put a line of names above the rows" if by else ""
    example = f", e.g. {key}: {close[0]}" if close else ""
    names = f"{usual!r} or {MESSAGES!r}" if usual == "prompt" else repr(usual)
    raise DataError(f"{place}: no column {names} for {kind}; {there}; fix: say in {key} which "
                    f"one it is{example}{unnamed}; or, if it is no {kind}, choose a model for "
                    "what it is (a training function: kind; twentieth data: --kind)")  # fmt: skip


def _nearest(wanted: str, available: Sequence[str]) -> list[str]:
    """Return the column whose name is nearest, whatever its case, if one is near."""
    lower = {name.lower(): name for name in available}
    return [lower[name] for name in difflib.get_close_matches(wanted.lower(), lower, 1, _NEAR)]


def _check_separator(place: str, available: Sequence[str]) -> None:
    named = [name for name in available if not name.startswith(_BEYOND_HEADER)]
    other = [mark for mark in _SEPARATORS if len(named) == 1 and mark in named[0]]
    if other:
        raise DataError(
            f"{place}: one column, {named[0]!r}, which {other[0]!r} seems to separate; "
            "fix: separate by commas in a .csv file, by tabs in a .tsv file"
        )
    if len(named) < len(available):
        raise DataError(
            f"{place}: rows have more cells than the header has names ({', '.join(named)}); "
            "fix: put a text that contains the separator into quotation marks"
        )
