"""`twentieth compare`: several searches side by side, from the store.

What is compared is in `compared_searches.py`, how it is printed in `compare_text.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli.options import DEFAULT_URI, AsJson, Uri
from search.session.screen import out, say, say_raw

if TYPE_CHECKING:
    from search.cli.compared_searches import Column
    from search.cli.documents import CompareDocument


def compare(
    searches: Annotated[
        list[str], typer.Argument(metavar="SEARCH SEARCH...", help="Two or more searches.")
    ],
    as_json: AsJson = False,
    tracking_uri: Uri = DEFAULT_URI,
) -> None:
    """Show searches side by side: spaces, best values, hypervolume, best trials, costs."""
    from search.cli.compare_text import lines
    from search.cli.compared_searches import read_columns
    from search.cli.documents import to_json

    columns = read_columns(tracking_uri, searches)
    if as_json:
        say_raw(to_json(as_document(columns)))
        return
    for line in lines(columns, out.width):
        say(line)


def as_document(columns: Sequence[Column]) -> CompareDocument:
    """Returns a comparison; without hypervolumes where they do not compare."""
    from search.cli.compared_searches import differing, space_texts
    from search.cli.documents import ComparedDocument, CompareDocument
    from search.cli.stored_searches import search_document

    why_not, spaces = differing(columns), space_texts(columns)
    return CompareDocument(
        is_comparable=not why_not,
        differing=why_not,
        searches=tuple(
            ComparedDocument(
                search=search_document(column.history, column.summary),
                name=column.summary.name,
                hypervolume=None if why_not else column.totals.hypervolume,
                share_of_best_known=None if why_not else column.totals.share_of_best_known,
                best_trials={trial.number: trial.by_metric for trial in column.front},
            )
            for column in columns
        ),
        space_differences={
            name: {column.summary.search: text for column, text in zip(columns, texts, strict=True)}
            for name, texts in spaces.items()
            if len(set(texts)) > 1
        },
    )
