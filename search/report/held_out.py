"""The report's section on how much the objectives overestimate the best trials.

A search selects by its objectives, so those of its best trials are optimistic (the winner's curse).
The confirmation part of the validation split took no part in the selection.
"""

from __future__ import annotations

from collections.abc import Sequence

from search.history import Trial
from search.report.tables import escape, table
from search.transfer.best import values_on_test
from search.transfer.examples import ValidationExamples

_NOTE = (
    "The search optimized on the objective part of the validation split and never used the "
    "confirmation part. Where the objective part gives the better value, this is the winner's "
    "curse, or chance: compare it with the interval of the confirmation part. Intervals of shares "
    "are Wilson's, those of an F1 a bootstrap's over examples."
)
_HEAD = ["trial", "objective", "objective part", "of", "confirmation part (95 %)", "of",
         "difference"]  # fmt: skip


def held_out_section(best: Sequence[Trial], examples: ValidationExamples) -> str:
    """Markdown without a heading; "" if no trial was evaluated on the confirmation part.

    Args:
        best: The best trials, sorted by the first objective.
        examples: The numbers of examples behind the objectives.
    """
    rows = [
        [f"{each.number}", f"`{escape(metric)}`", f"{value:.3f}",
         str(examples.behind(metric) or ""), str(confirmed[metric]),
         str(confirmed[metric].examples or ""), f"{value - confirmed[metric].value:+.3f}"]
        for each in best
        for confirmed in [values_on_test(each, "confirmation")]
        for metric, value in each.by_metric.items()
        if metric in confirmed
    ]  # fmt: skip
    return f"{_NOTE}\n\n{table(_HEAD, rows)}" if rows else ""
