"""Tables of the report in Markdown, safe for text of users.

Not for computing what stands in them: a worker makes the tables of a trial (`models/scores/`), and
`extract/rank_agreement.py` holds earlier searches against this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from search.experience import Agreement
from search.history import Trial


def escape(text: object) -> str:
    """Text of users as plain text in Markdown, on one line."""
    line = " ".join(str(text).split())
    return re.sub(r"[&<>|\[\]`*\\!]", lambda found: f"&#{ord(found[0])};", line)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; its cells must be escaped already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A block of code, fenced by more backticks than the text has in a row."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def alike_table(agreements: Sequence[Agreement], objectives: Sequence[str]) -> str:
    """A row an earlier search, in the order given; empty without any agreement."""
    if not agreements:
        return ""
    by_search: dict[str, dict[str, Agreement]] = {}
    for each in agreements:
        by_search.setdefault(each.search, {})[each.objective] = each
    header = ["earlier search", "similarity before"]
    for objective in objectives:
        header += [f"pairs in order, {escape(objective)}", "of its own"]
    rows = []
    for search, found in by_search.items():
        cells = [escape(search), f"{next(iter(found.values())).similarity:.2f}"]
        for objective in objectives:
            cells += _in_order(found.get(objective))
        rows.append(cells)
    note = (
        "What each earlier search predicts of this one's trials, by its nearest neighbours, "
        "against what was seen: the share of pairs of trials in the same order, its 95 % interval "
        "and Kendall's tau. Half of the pairs is chance. Its own trials, each predicted from the "
        "others, say how far a prediction can be trusted at all."
    )
    return "\n\n".join([table(header, rows), note])


def _in_order(found: Agreement | None) -> list[str]:
    if found is None:
        return ["", ""]
    share, low, high, own = (
        f"{(1 + tau) / 2:.0%}" for tau in (found.tau, found.low, found.high, found.own_tau)
    )
    return [f"{share} of {found.pairs} ({low} to {high}), tau {found.tau:+.2f}", own]


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
