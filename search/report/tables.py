"""Tables of the report in Markdown, safe for text of users.

Not for computing their contents: a worker makes the tables of a trial (`models/scores/`), and
`extract/rank_agreement.py` compares earlier searches with this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from search.experience import Agreement
from search.history import Trial


def escape(text: object) -> str:
    """Escapes text of users, so that it is plain text in Markdown, on one line."""
    line = " ".join(str(text).split())
    return re.sub(r"[&<>|\[\]`*\\!]", lambda found: f"&#{ord(found[0])};", line)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; its cells must already be escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A code block, fenced by more backticks than the text has in a row."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def agreement_table(agreements: Sequence[Agreement], objectives: Sequence[str]) -> str:
    """A table with a row for each earlier search, in the order given; "" without any."""
    if not agreements:
        return ""
    found = {(each.search, each.objective): each for each in agreements}
    header = ["earlier search", "similarity"]
    for objective in objectives:
        header += [f"pairs in order, {escape(objective)}", "its own pairs"]
    rows = []
    for search, similarity in {each.search: each.similarity for each in agreements}.items():
        cells = [escape(search), f"{similarity:.2f}"]
        for objective in objectives:
            cells += _in_order(found.get((search, objective)))
        rows.append(cells)
    note = (
        "How well each earlier search predicts this one's trials from their nearest neighbours: "
        "the share of pairs of trials in the observed order, its 95 % interval and Kendall's tau. "
        "Chance gives half of the pairs. The share of the search's own pairs, where each trial is "
        "predicted from the others, says how reliable such a prediction can be at best. The "
        "similarity was estimated before the first trial."
    )
    return "\n\n".join([table(header, rows), note])


def _in_order(found: Agreement | None) -> list[str]:
    if found is None:
        return ["", ""]
    share, low, high, own = (f"{(1 + tau) / 2:.0%}" for tau in (*found.order[:3], found.own_tau))
    return [f"{share} of {found.order.pairs} ({low} to {high}), tau {found.order.tau:+.2f}", own]


# The tables of more trials are not read.
TRIALS_SHOWN = 3
# Enough for a table of 35 tags or 17 entity types with their averages.
_LINES_SHOWN = 80


def tables_section(best: Sequence[Trial], tables: Mapping[str, Mapping[str, str]]) -> str:
    """The tables of the best trials under their names, in Markdown; "" without any.

    Args:
        best: The best trials, sorted by the first objective.
        tables: Run id -> file name -> text.
    """
    parts = [
        f"### Trial {each.number}: {escape(name)}\n\n{fenced(_beginning(text))}"
        for each in best[:TRIALS_SHOWN]
        # Attacked texts come after the metrics they explain.
        for name, text in sorted(
            tables.get(each.run_id, {}).items(),
            key=lambda item: (item[0].startswith("attacked"), item[0]),
        )
    ]
    if not parts:
        return ""
    note = (
        "Measured on the objective part of the validation split, or on the test split where the "
        "name of a table says so; each table is also a file of its trial's run."
    )
    return "\n\n".join([note, *parts])


def _beginning(text: str) -> str:
    lines = text.splitlines()
    more = len(lines) - _LINES_SHOWN
    return text if more <= 0 else "\n".join([*lines[:_LINES_SHOWN], f"... and {more} more lines"])
