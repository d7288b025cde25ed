"""How `compare` prints searches side by side: numbers aligned, no word broken, 80 columns.

Searches are called A, B, C, ... so that their ids are written once. What does not fit next to each
other goes below in further blocks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from search.cli.compared_searches import Column, differing, metrics_of, space_texts
from search.history.plurals import counted
from search.history.states import STATES
from search.history.work import work_text
from search.transfer.objective_text import objectives_in_words

# Names of metrics are seldom longer; a longer one gets a line of its own.
_LONGEST_LABEL = 36
_NARROWEST = 9  # a column of numbers: "0.9866" and a gap
# A person compares the first few of a front; `show` lists all.
_FRONT_ROWS = 10
_NOTHING = "-"


def lines(columns: Sequence[Column], width: int) -> list[str]:
    """Returns the lines of a comparison, none longer than `width` unless a single word is."""
    letters = [_letter(index) for index in range(len(columns))]
    text = [*_legend(columns, letters, width), "", *_warning(columns, letters, width)]
    text += _blocks(letters, _rows(columns), width)
    text += ["", *_spaces(columns, letters, width)]
    return [*text, "", *_fronts(columns, letters, width)]


def _letter(index: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[index] if index < len(letters) else f"A{index}"


def _legend(columns: Sequence[Column], letters: Sequence[str], width: int) -> list[str]:
    text = []
    for letter, column in zip(letters, columns, strict=True):
        summary, search = column.summary, column.search
        name = "" if summary.name == summary.search else f", called {summary.name}"
        learned = len(summary.warm_started_from)
        started = f"learned from {counted(learned, 'search', 'searches')}" if learned else "cold"
        ended = sum(column.totals.states.values())
        facts = (
            f"{summary.state}, {ended} of {counted(search.trials_budget, 'trial')} of "
            f"{counted(search.epochs, 'epoch')}, seed {search.seed}, {started}{name}"
        )
        text += [f"{letter:<3}{summary.search}", *_wrapped(facts, width, "   ")]
    return text


def _warning(columns: Sequence[Column], letters: Sequence[str], width: int) -> list[str]:
    why_not = differing(columns)
    if not why_not:
        return [*_wrapped(f"task {columns[0].search.task}", width), ""]
    text = _wrapped(
        f"These searches have different {why_not}, so their values do not compare, and "
        "hypervolumes are left out.", width,
    )  # fmt: skip
    for letter, column in zip(letters, columns, strict=True):
        search = column.search
        what = search.task if why_not == "tasks" else objectives_in_words(search)
        text += _wrapped(f"{letter:<3}{what}", width, "", "   ")
    return [*text, ""]


def _rows(columns: Sequence[Column]) -> list[tuple[str, list[str]]]:
    """Returns the table: a label, and a text for each search."""
    totals = [column.totals for column in columns]
    rows = []
    for metric in metrics_of(columns):
        directions = {
            each.direction for column in columns for each in column.search.objectives
            if each.metric == metric
        }  # fmt: skip
        label = f"{metric} ({', '.join(sorted(directions))})"
        rows.append((label, _decimals([each.best.get(metric) for each in totals])))
    rows.append(("best trials", [str(each.front) for each in totals]))
    if not differing(columns):
        rows.append(("hypervolume", _decimals([each.hypervolume for each in totals])))
        shares = [each.share_of_best_known for each in totals]
        texts = [_NOTHING if share is None else f"{share:.1%}" for share in shares]
        rows.append(("  share of the best known", texts))
    for state in STATES:
        counts = [each.states.get(state, 0) for each in totals]
        if any(counts):
            rows.append((f"trials {state}", [str(count) for count in counts]))
    rows.append(("epochs", [str(each.epochs) for each in totals]))
    unit, seconds = _unit(max(each.wall_seconds for each in totals))
    walls = [each.wall_seconds / seconds for each in totals]
    rows.append((f"wall time ({unit})", [f"{each:.1f}" for each in walls]))
    if any(each.work for each in totals):
        rows.append(("work", [work_text(each.work) or _NOTHING for each in totals]))
    for each in dict.fromkeys(each.hours_unit for each in totals if each.hours_unit):
        hours = [one.hours if one.hours_unit == each else None for one in totals]
        rows.append((each, _decimals(hours)))
    return rows


def _decimals(values: Sequence[float | None]) -> list[str]:
    """Returns numbers of one row with as many decimals each."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    decimals = 4 if largest < 10 else 2
    return [_NOTHING if value is None else f"{value:.{decimals}f}" for value in values]


def _unit(seconds: float) -> tuple[str, int]:
    return next(
        ((name, size) for name, size in (("h", 3600), ("min", 60)) if seconds >= size), ("s", 1)
    )


def _blocks(letters: Sequence[str], rows: Sequence[tuple[str, list[str]]], width: int) -> list[str]:
    """Returns a table, with as many searches next to each other as fit."""
    label_width = max(len(label) for label, _ in rows if len(label) <= _LONGEST_LABEL)
    cell = max(_NARROWEST, 2 + max(len(text) for _, texts in rows for text in texts))

    def block(chosen: slice) -> list[str]:
        text = [" " * label_width + _right(letters[chosen], cell)]
        for label, texts in rows:
            if len(label) > label_width:
                text.append(label)
                label = ""
            text.append(f"{label:<{label_width}}" + _right(texts[chosen], cell))
        return text

    return _next_to_each_other(block, len(letters), (width - label_width) // cell)


def _next_to_each_other(block: Callable[[slice], list[str]], count: int, fitting: int) -> list[str]:
    fitting, text = max(1, fitting), list[str]()
    for start in range(0, count, fitting):
        text += ([""] if start else []) + block(slice(start, start + fitting))
    return text


def _right(texts: Sequence[str], width: int) -> str:
    return "".join(f"{text:>{width}}" for text in texts)


def _spaces(columns: Sequence[Column], letters: Sequence[str], width: int) -> list[str]:
    """Returns the hyperparameters whose ranges differ, with the searches that share a range."""
    texts = space_texts(columns)
    differ = {name: each for name, each in texts.items() if len(set(each)) > 1}
    same = counted(len(texts) - len(differ), "hyperparameter")
    if not differ:
        return [f"space: the same in all, {same}"]
    text = [f"space: the same for {same}, different for {len(differ)}:"]
    for name, ranges in differ.items():
        text.append(f"  {name}")
        for wanted in dict.fromkeys(ranges):
            owners = [one for one, each in zip(letters, ranges, strict=True) if each == wanted]
            who = f"    {' '.join(owners):<{2 * len(letters)}}"
            text += _wrapped(who + (wanted or "not searched"), width, "", " " * len(who))
    return text


def _fronts(columns: Sequence[Column], letters: Sequence[str], width: int) -> list[str]:
    """Returns the best trials of each search: number and values, in the order of its metrics."""
    cells = [_front_cells(column) for column in columns]
    if not any(cells):
        return ["no trial is complete"]
    rows = max(map(len, cells))
    widths = [max(map(len, [*each, letter])) for each, letter in zip(cells, letters, strict=True)]
    cell = max(widths) + 3
    if len({column.search.metrics for column in columns}) == 1:
        head = f"best trials, and their {', '.join(columns[0].search.metrics)}:"
        text = _wrapped(head, width)
    else:
        text = ["best trials, and their values:"]
        for letter, column in zip(letters, columns, strict=True):
            metrics = ", ".join(column.search.metrics)
            text += _wrapped(f"{letter:<3}{metrics}", width, "", "   ")

    def block(chosen: slice) -> list[str]:
        found = ["".join(f"{letter:<{cell}}" for letter in letters[chosen]).rstrip()]
        for row in range(rows):
            parts = [each[row] if row < len(each) else "" for each in cells[chosen]]
            found.append("".join(f"{part:<{cell}}" for part in parts).rstrip())
        return found

    return text + _next_to_each_other(block, len(columns), (width + 3) // cell)


def _front_cells(column: Column) -> list[str]:
    shown = column.front[:_FRONT_ROWS]
    by_metric = [_decimals(values) for values in zip(*(each.values for each in shown), strict=True)]
    values = list(zip(*by_metric, strict=True))
    width = max((len(text) for row in values for text in row), default=0)
    cells = [
        f"{f'#{each.number}':<5}{_right(row, width + 2)}"
        for each, row in zip(shown, values, strict=True)
    ]
    more = len(column.front) - len(shown)
    return [*cells, f"and {counted(more, 'other')}"] if more else cells


def _wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=first if rest is None else rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
