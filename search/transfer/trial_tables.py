"""The tables of the best trials (per class, per entity type and tag) as a section of the report.

Not for computing them: a worker does when its trial is finished (`models/scores/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from search.history import Trial
from search.transfer.markup import escape, fenced

# The best in the first objective and as many neighbours as a person reads.
TRIALS_SHOWN = 3
# Of one table: 35 tags and 17 entity types, with their averages, are whole.
_LINES_SHOWN = 80


def tables_section(best: Sequence[Trial], tables: Mapping[str, Mapping[str, str]]) -> str:
    """Markdown, or nothing without tables.

    Args:
        best: The Pareto front, the best in the first objective first.
        tables: Run id -> file name -> text.
    """
    parts = [
        f"### Trial {each.number}: {escape(name)}\n\n{fenced(_beginning(text))}"
        for each in best[:TRIALS_SHOWN]
        for name, text in sorted(tables.get(each.run_id, {}).items(), key=_figures_first)
    ]
    if not parts:
        return ""
    note = "On the validation split, of the first trials of the front; a file of each trial's run."
    return "\n\n".join(["\n## Tables of the best trials", note, *parts]) + "\n"


def _figures_first(table: tuple[str, str]) -> tuple[bool, str]:
    """Attacked texts come after the figures they explain."""
    return table[0].startswith("attacked"), table[0]


def _beginning(text: str) -> str:
    lines = text.splitlines()
    more = len(lines) - _LINES_SHOWN
    return text if more <= 0 else "\n".join([*lines[:_LINES_SHOWN], f"... and {more} lines more"])
