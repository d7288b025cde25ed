"""The best trials of a search as a table, on validation and on the test split."""

from __future__ import annotations

from collections.abc import Sequence, Set

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from models.adversarial.checks.search_warnings import is_only_corrected, search_warnings
from search.history import History, Trial
from search.objectives.objective import value_text
from search.session.screen import say
from search.transfer.best import best_trials, values_on_test
from search.transfer.constant_objective import constant_objectives
from search.transfer.examples import Examples, ValidationExamples, validation_examples
from search.transfer.objective_text import best_in_words, none_keeps
from search.transfer.repetitions import repetition_lines

_UNKNOWN = ValidationExamples()


def print_best(out: Console, history: History, search: str) -> list[Trial]:
    """Prints the best trials of a search as a table, and what it repeated; returns the best."""
    known, best = history.searches[search], best_trials(history, search)
    missed = none_keeps(known, best)
    if missed:
        say(missed, out)
    if best:
        test = " (on validation, and on test where measured)"
        say(f"{best_in_words(known)}{test}", out)
        out.print(best_table(best, out, validation_examples(known, best)))
    for entry in best:
        for warning in search_warnings(entry.last_values):
            said = f"warning: trial {entry.number:03d} may mask its gradients: {warning.name}"
            if is_only_corrected([warning.name]):
                said = f"trial {entry.number:03d}: stronger attacks lowered its robust accuracy"
            say(f"{said} ({warning.measured})", out)
    for sentence in constant_objectives(history, search):
        say(f"warning: {sentence}", out)
    for line in repetition_lines(history, search):
        say(line, out)
    return best


def best_table(
    best: Sequence[Trial], out: Console, examples: ValidationExamples = _UNKNOWN
) -> Table:
    """Returns trials, at least one, as a table that is as wide as the console allows.

    Args:
        best: The trials.
        out: The console.
        examples: The numbers of examples behind the objectives.
    """
    wide = _columns_of_metrics(best, examples)
    # A measurement is never more than the width that it is asked for.
    asked = out.options.update(max_width=2 * out.width)
    fits = Measurement.get(out, asked, wide).maximum <= out.width
    return wide if fits else _rows_of_metrics(best, examples)


def _columns_of_metrics(best: Sequence[Trial], examples: ValidationExamples) -> Table:
    """Returns a table with a row a trial."""
    table, tests = _table(), [values_on_test(entry) for entry in best]
    for metric in best[0].metrics:
        name = metric.replace(".", ".\n", 1)
        table.add_column(Text(_of(name, {examples.behind(metric)})), justify="right", no_wrap=True)
        measured = [test[metric] for test in tests if metric in test]
        if measured:
            head = _of("test (95 %)", {each.examples for each in measured})
            table.add_column(head, justify="right", no_wrap=True)
    for entry, test in zip(best, tests, strict=True):
        cells = [f"{entry.number:03d}"]
        for metric, value in entry.by_metric.items():
            cells.append(value_text(value))
            if any(metric in each for each in tests):
                cells.append(str(test.get(metric, "")))
        table.add_row(*cells)
    return table


def _of(head: str, counts: Set[Examples | None]) -> str:
    """Returns the head of a column with a line on its examples, if they are known and the same."""
    (count,) = counts if len(counts) == 1 else (None,)
    if count is None:
        return head
    # Entities on a line of their own keep the column as narrow as its values.
    lines = str(count).replace(", ", ",\n")
    return f"{head}\nof {lines}"


def _rows_of_metrics(best: Sequence[Trial], examples: ValidationExamples) -> Table:
    """Returns the same values with a row a trial and metric, which is narrower."""
    table = _table()
    table.add_column("metric", no_wrap=True)
    for head in ("validation", "of", "test (95 %)", "of"):
        table.add_column(head, justify="right", no_wrap=True)
    for entry in best:
        test = values_on_test(entry)
        for index, (metric, value) in enumerate(entry.by_metric.items()):
            number = "" if index else f"{entry.number:03d}"
            of, tested = examples.behind(metric), test.get(metric)
            on_test = ("", "") if tested is None else (str(tested), _count(tested.examples))
            table.add_row(number, Text(metric), value_text(value), _count(of), *on_test)
    return table


def _count(examples: Examples | None) -> str:
    """Returns the number of examples alone, which is narrow."""
    return "" if examples is None else str(examples.count)


def _table() -> Table:
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("trial", no_wrap=True)
    return table
