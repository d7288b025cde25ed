"""The report's table of how alike earlier searches turned out to be: thought before, seen after."""

from __future__ import annotations

from collections.abc import Sequence

from search.experience import Agreement
from search.transfer.markup import escape, table


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
