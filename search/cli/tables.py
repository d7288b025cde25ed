"""What `history` and `show` print: the searches of a store, one search, or one trial.

No id, number or word is cut on a narrow terminal: the layout changes instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from math import nan

from rich.console import Console

from models.adversarial.checks.search_warnings import search_warnings
from search.cli.documents import IMPORTED, SearchDocument
from search.cli.stored_searches import StoredSearch, search_document, stored_search, trial_document
from search.history.lineage import lineage_in_words
from search.history.plurals import counted
from search.history.work import work_text
from search.objectives.objective import value_text
from search.report.ledger import revalidation_of
from search.report.totals_table import seconds_text
from search.session.best import print_best
from search.session.screen import say, say_raw
from search.tracking import tag_names
from search.tracking.summary import Summary, note_of
from search.transfer.best import to_yaml, values_on_test
from search.transfer.costs import cost_of
from search.transfer.examples import Examples, validation_examples

# Characters of a line that every terminal shows.
WIDTH = 80
# `show` gives the reasons of so many failed trials.
FAILED_SHOWN = 5


def history_lines(searches: Sequence[SearchDocument], width: int) -> Iterator[str]:
    """Yields a line a search under its task and objectives, the newest search last.

    Values of different tasks or objectives cannot be compared, so they are in different blocks; the
    block with the newest search is the last one.
    """
    blocks: dict[tuple[str, str], list[SearchDocument]] = {}
    for search in searches:  # a key that comes again moves to the end
        key = (search.task, _objectives_text(search))
        blocks[key] = [*blocks.pop(key, []), search]
    for index, ((task, objectives), listed) in enumerate(blocks.items()):
        yield from [""] * bool(index)
        yield f"{task}: {objectives}"
        yield from _block(listed, width)


def _objectives_text(search: SearchDocument) -> str:
    if not search.objectives:
        return "no trial yet"
    return ", ".join(
        f"{each.direction} {each.metric}" + ("" if each.role == "pareto" else f" ({each.role})")
        for each in search.objectives
    )


def _block(searches: Sequence[SearchDocument], width: int) -> Iterator[str]:
    metrics = [each.metric for each in searches[0].objectives]
    best = ["best", *[""] * (len(metrics) - 1)] if metrics else []
    longest = max((each.hours or 0.0 for each in searches), default=0.0)
    digits = 3 if longest < 1 else 1  # a column has one number of digits, so that it aligns
    rows = [["search", "state", "trials", *best, "cost", "duration", "start"]]
    for each in searches:
        done = sum(each.trials.get(state, 0) for state in ("complete", "stopped", "failed"))
        failed = each.trials.get("failed", 0)
        ended = f"{done}/{each.trials_budget}" + (f" ({failed} failed)" if failed else "")
        values = [each.best.get(metric) for metric in metrics]
        cost = (
            ""
            if each.hours is None
            else f"{each.hours:.{digits}f} {each.hours_unit.removesuffix('ours')}"
        )
        rows.append(
            [each.search, each.state, ended,
             *(value_text(nan if value is None else value) for value in values),
             cost, duration(each.wall_seconds),
             "" if each.state == IMPORTED else "warm" if each.learned_from else "cold"]
        )  # fmt: skip
    for gap in ("  ", " "):
        lines = aligned(rows, gap, left={0, 1, len(rows[0]) - 1})
        if max(map(len, lines)) <= width:
            yield from lines
            return
    lines = aligned([row[1:] for row in rows], "  ", left={0, len(rows[0]) - 2})
    for (search, *_), line in zip(rows, lines, strict=True):
        yield from (search, f"  {line}")


def aligned(rows: Sequence[Sequence[str]], gap: str, left: set[int]) -> list[str]:
    """Returns rows as lines of aligned columns; those at `left` begin at the left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        gap.join(
            cell.ljust(size) if index in left else cell.rjust(size)
            for index, (cell, size) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def print_search(out: Console, search: str, tracking_uri: str) -> None:
    """Prints one search: its totals, its verdict, and its best trials with their YAML."""
    stored = stored_search(tracking_uri, search)
    known = search_document(stored.history, stored.summary)
    say(f"{known.search}  {known.state}  task {known.task}", out)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(known.trials.items()))
    learned = counted(len(known.learned_from), "earlier search", "earlier searches")
    say(f"trials: {counts or 'none yet'}", out)
    of_a_trial = cost_of(stored.summary.spec_yaml)
    cost = of_a_trial.in_words(known.hours or 0.0) if of_a_trial else "unknown"
    work = f", work: {work_text(known.work)}" if known.work else ""
    say(f"duration: {duration(known.wall_seconds)}, cost: {cost}{work}", out)
    for line in stored.cost_lines:
        say(line, out)
    say(f"learned from: {learned}", out)
    if known.ended_because:
        say(known.ended_because, out)
    if result := revalidation_of(stored.trials)[1]:
        say(result, out)
    if stored.summary.tags.get(tag_names.VERDICT):
        say(stored.summary.tags[tag_names.VERDICT], out)
    if note := note_of(stored.summary.tags):
        say(f"note: {note}", out)
    for line in _starting_points(stored.summary):
        say(line, out)
    best = print_best(out, stored.history, known.search)
    for entry in best:
        values = ", ".join(f"{metric} {value_text(v)}" for metric, v in entry.by_metric.items())
        say(f"\n# trial {entry.number:03d}: {values}", out)
        say_raw(to_yaml(entry).rstrip(), out)
    _print_failed(out, stored)


def _starting_points(summary: Summary) -> list[str]:
    try:
        return [
            f"trials may start from the weights of {name}. Such a trial: "
            f"{lineage_in_words(weights['lineage'])}"
            for name, weights in summary.initial_weights.items()
        ]
    except ValueError as error:
        return [str(error)]


def _print_failed(out: Console, stored: StoredSearch) -> None:
    failed = [trial for trial in stored.trials if trial.state == "failed"]
    if not failed:
        return
    say("", out)
    for trial in failed[:FAILED_SHOWN]:
        reason = stored.tags.get(trial.run_id, {}).get(tag_names.REASON) or "no reason is recorded"
        say(f"trial {trial.number:03d} failed: {reason}", out)
    more = len(failed) - FAILED_SHOWN
    rest = f"{counted(more, 'more trial')} failed; " if more > 0 else ""
    which = failed[0].number if len(failed) == 1 else "N"
    say(f"{rest}in full: twentieth show {stored.summary.search}#{which}", out)


def print_trial(out: Console, search: str, number: int, tracking_uri: str) -> None:
    """Prints one trial: its configuration, its results, why it was proposed, and why it failed.

    Raises:
        LookupError: the search has no such trial.
    """
    stored = stored_search(tracking_uri, search)
    trial = stored.trial(number)
    found = trial_document(stored, trial, stored.history.trial_names())
    name = f"trial {number:03d} of {stored.summary.search}"
    say(f"{name}: {found.state} after {counted(found.epoch, 'epoch')}", out)
    say_raw(to_yaml(trial).rstrip(), out)
    test, examples = (
        values_on_test(trial),
        validation_examples(stored.history.searches[stored.summary.search], [trial]),
    )
    width = max(map(len, trial.by_metric), default=0) + 1
    for metric, value in trial.by_metric.items():
        line = f"{metric + ':':<{width}} {value_text(value):>6}{_of(examples.behind(metric))}"
        if metric in test:
            on_test = f"  on test {test[metric]}{_of(test[metric].examples)}"
            # Sentences and their entities do not fit next to it.
            line += on_test if len(line + on_test) <= WIDTH else f"\n{on_test}"
        say_raw(line, out)
    if found.work:
        device = f" on {found.device}" if found.device else ""
        say(f"cost: {seconds_text(found.seconds)}, {work_text(found.work)}{device}", out)
    for sentence in filter(None, (found.origin, found.lineage)):
        say(sentence, out)
    for warning in search_warnings(trial.last_values):
        say(f"warning: {warning.name} ({warning.measured})", out)
        say(f"  raised when: {warning.raised_when}", out)
        say(f"  what it means: {warning.meaning}", out)
        say(f"  what to do: {warning.remedy}", out)
    if found.state == "failed":
        say(f"reason: {found.reason or 'none is recorded'}", out)
        if found.traceback.strip() not in ("", found.reason):
            say_raw(found.traceback.rstrip(), out)
        say(f"log: {found.log} (on the machine that ran it)", out)
    elif found.reason:
        say(f"reason: {found.reason}", out)


def _of(examples: Examples | None) -> str:
    """Returns how many examples are behind a value: " of 149"; "" if that is not known."""
    return "" if examples is None else f" of {examples}"


def duration(seconds: float) -> str:
    """Returns a duration as hours, minutes and seconds: "0:01:02"."""
    return str(timedelta(seconds=round(seconds)))
