"""What `review` prints of the first proposals together: what each is expected to cost and to reach.

Not for what is tried, and why (`run.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from search.cli.tables import WIDTH, aligned
from search.history.forecast import Forecast
from search.history.provenance import Origin, expected_of

LABEL = "expected  "


def expectation_lines(origins: Sequence[Origin]) -> list[str]:
    """Returns a table of what is expected of first proposals, one a row; [] if nothing is known.

    No line is longer than `WIDTH`, unless the name of a metric is: where the table would be, each
    number has its line instead.
    """
    found = [expected_of(origin) for origin in origins]
    metrics = list(dict.fromkeys(name for each in found for name in [*each.values, *each.ranks]))
    has_cost = any(each.cost_in_words() for each in found)
    if not metrics and not has_cost:
        return []
    lines = _table(origins, found, metrics, has_cost)
    if max(map(len, lines)) > WIDTH - len(LABEL):
        lines = _list(origins, found, metrics)
    if any(set(each.ranks) - set(each.values) for each in found):
        lines.append("best x %: among the trials of earlier searches, mean [least, most]")
    return [(LABEL if place == 0 else " " * len(LABEL)) + line for place, line in enumerate(lines)]


def _table(
    origins: Sequence[Origin], found: Sequence[Forecast], metrics: Sequence[str], has_cost: bool
) -> list[str]:
    rows = [["", "step", *["cost", "factor"] * has_cost, *metrics]]
    for number, (origin, each) in enumerate(zip(origins, found, strict=True), start=1):
        cost = each.cost_in_words()
        costs = [cost, f"{each.factor:.2g}" if cost else ""] * has_cost
        rows.append([str(number), origin.step, *costs, *map(each.value_in_words, metrics)])
    return aligned(rows, "  ", left={1})


def _list(
    origins: Sequence[Origin], found: Sequence[Forecast], metrics: Sequence[str]
) -> list[str]:
    rows = []
    for number, (origin, each) in enumerate(zip(origins, found, strict=True), start=1):
        cost = each.cost_in_words()
        facts = {"cost": f"{cost} within a factor of {each.factor:.2g}" if cost else ""}
        facts |= {metric: each.value_in_words(metric) for metric in metrics}
        known = [[name, text] for name, text in facts.items() if text]
        rows += [[f"{number} {origin.step}" * (not place), *row] for place, row in enumerate(known)]
    return aligned(rows, "  ", left={0, 1, 2})
