"""The report as Markdown: what was searched, the results, and how far to trust them.

Text of users is escaped, so neither Markdown nor HTML in a name or a choice takes effect. Not for
computing: all numbers are given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from search.experience import Experience
from search.extract.describe import lines
from search.history import Search, Trial
from search.history.plurals import counted
from search.history.provenance import names_in_words
from search.history.states import State
from search.history.work import work_text
from search.objectives.objective import value_text
from search.report.ledger import arms_table, guard_section, proposals_table, revalidation_of
from search.report.reproduction import learned_from, reproduction
from search.report.tables import agreement_table, escape, fenced, table
from search.report.totals_table import seconds_text, totals_table
from search.tracking.write.refusals import FILE as REFUSED_FILE
from search.transfer.best import to_yaml, values_on_test
from search.transfer.examples import Examples, ValidationExamples
from search.transfer.objective_text import best_in_words, none_keeps, objectives_in_words
from search.transfer.totals import Totals
from search.transfer.verdict import Verdict

_KEY_HYPERPARAMETERS = 4
_CONFIGURATIONS_WRITTEN = 8
_RUNS_NAMED = 20
_STATES: Mapping[State, str] = {
    "complete": "trained to the full budget",
    "stopped": "stopped early by the scheduler or the user",
    "failed": "ended with an error, or with a value in doubt; see reason.txt of the run",
    "interrupted": "interrupted; `twentieth resume` continues them",
    "running": "still running when this report was written",
}


@dataclass(frozen=True)
class Stored:
    """What the store has of a search, its trials and their metrics aside.

    Attributes:
        spec_yaml: The spec as it was run.
        environment: Part -> version, of the software that the result depends on.
        state: The state of the search; "" if it is not known.
        ended_because: Why it ended before its budget was used up; "" if it did not.
        experience: What history had taught when the search started; None if it is not known.
        tables: Run id -> file name -> text, of the best trials' tables.
        robustness: The same of the files on their robustness.
        explanations: Run id -> pictures and pages that explain the best trials' predictions.
        refused: What the store refused of the search, a line for each.
        cost_forecast: What it was expected to cost and how that turned out, a sentence each.
        away: That its artifacts are not where the store has them; "" if they are.
    """

    spec_yaml: str
    environment: Mapping[str, str] = field(default_factory=dict)
    state: str = ""
    ended_because: str = ""
    experience: Experience | None = None
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    robustness: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    explanations: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    refused: Sequence[str] = ()
    cost_forecast: Sequence[str] = ()
    away: str = ""


@dataclass(frozen=True)
class Contents:
    """The contents of the report, computed beforehand.

    Attributes:
        search: The search.
        trials: Its trials, by number.
        best: Its best trials, sorted by the first objective.
        verdict: Whether history helped.
        totals: The numbers of the whole search.
        examples: How many examples are behind the objectives.
        stored: What else the store has of it.
        robustness: The section on attacks, in Markdown.
        held_out: The section on the objective part and the confirmation part, in Markdown.
        tables: The section with tables of the best trials, in Markdown.
        key_hyperparameters: The columns of the table of the best, the most important first.
        files: Names of the files next to the report.
        explanations: The section that explains predictions of the best trials, in Markdown.
    """

    search: Search
    trials: Sequence[Trial]
    best: Sequence[Trial]
    verdict: Verdict
    totals: Totals
    examples: ValidationExamples
    stored: Stored
    robustness: str
    held_out: str
    tables: str
    key_hyperparameters: Sequence[str]
    files: Sequence[str]
    explanations: str


def render(contents: Contents) -> str:
    """Writes the report's text; the same for the same contents."""
    sections = [
        "\n\n".join([f"# {escape(contents.search.id)}", *_headlines(contents)]),
        _section("The search in numbers",
                 totals_table(contents.totals, contents.verdict, contents.trials)),
        _section("What it was expected to cost", _bullets(contents.stored.cost_forecast)),
        _section("What was searched", _searched(contents)),
        _section(escape(best_in_words(contents.search)), _front(contents)),
        _section("Objective part and confirmation part", contents.held_out),
        _section("Robustness", contents.robustness),
        _section("Explanations", contents.explanations),
        _section("Did history help?", _comparison(contents)),
        _section("Trials", _trials(contents)),
        _section("Where the proposals came from",
                 proposals_table(contents.trials, contents.search, contents.best, value_text)),
        _section("What the guard did", guard_section(contents.verdict.guard)),
        _section("What moved the objectives", _picture("importance.png", contents)
                 or "Too few complete trials to tell."),
        *_history(contents),
        _section("Tables of the best trials", contents.tables),
        _section("Best configurations", _configurations(contents.best)),
        _section("How to reproduce",
                 reproduction(contents.search, contents.stored.spec_yaml,
                              contents.stored.environment)),
        _section("Files", _files(contents.files)),
    ]  # fmt: skip
    return "\n\n".join(section for section in sections if section) + "\n"


def _headlines(contents: Contents) -> list[str]:
    """The verdict, warnings of a record that was not reached and of artifacts that are away."""
    is_gone, result = revalidation_of(contents.trials)
    away = contents.stored.away and f"warning: {contents.stored.away}"
    found = [contents.verdict.sentence, *[result] * is_gone, _ended(contents), away]
    return [f"**{escape(each)}**" for each in found if each]


def _ended(contents: Contents) -> str:
    """Why the search ended before its budget was used up, as a sentence."""
    why = contents.stored.ended_because
    return why and f"The search {why}."


def _history(contents: Contents) -> list[str]:
    experience = contents.stored.experience
    if experience is None:
        return [_section("What history taught", "This was not stored with the search.")]
    agreements = agreement_table(experience.agreements, contents.search.metrics)
    return [
        _section("What history taught", _bullets(lines(experience))),
        _section("How well the earlier searches predicted this one", agreements),
        _section("How history was fitted to this space", _bullets(experience.fitted)),
    ]


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _bullets(texts: Sequence[str]) -> str:
    return "\n".join(f"- {escape(text)}" for text in texts)


def _picture(name: str, contents: Contents) -> str:
    return f"![{name.removesuffix('.png')}]({name})" if name in contents.files else ""


def _searched(contents: Contents) -> str:
    search = contents.search
    facts = {
        "task": search.task,
        "objectives": objectives_in_words(search),
        "budget": f"{counted(search.trials_budget, 'trial')} of {counted(search.epochs, 'epoch')}",
        "seed": str(search.seed),
        "started": search.started.strftime("%Y-%m-%d %H:%M UTC"),
        "state": contents.stored.state,
        "learned from": learned_from(contents.stored.experience, is_warm=search.warm),
    }
    return _bullets([f"{name}: {value}" for name, value in facts.items() if value])


def _front(contents: Contents) -> str:
    if not contents.best:
        return "No trial is complete."
    tested = [values_on_test(best) for best in contents.best]
    names = contents.key_hyperparameters[:_KEY_HYPERPARAMETERS]
    has_work = any(best.work for best in contents.best)
    header = ["trial"]
    for metric in contents.search.metrics:
        header.append(f"{escape(metric)}{_of(contents.examples.behind(metric))}")
        if any(tested):
            on_test = [each[metric].examples for each in tested if metric in each]
            header.append(f"test, 95 %{_of(*on_test)}")
    rows = []
    for best, test in zip(contents.best, tested, strict=True):
        cells = [str(best.number)]
        for metric, value in best.by_metric.items():
            cells += [value_text(value), *([str(test.get(metric, ""))] if any(tested) else [])]
        cells += [_value(best.configuration.get(name)) for name in names]
        rows.append([*cells, seconds_text(best.seconds), *([work_text(best.work)] * has_work)])
    note = (
        "The objectives were measured on the objective part of the validation split, which chose "
        "these trials, so they are optimistic."
    )
    if any(tested):
        note += (
            " The test split took no part; its 95 % intervals are Wilson's, of an F1 those of a "
            "bootstrap over examples."
        )
    note += " A head says of how many examples its column is."
    if len({str(contents.examples.behind(metric)) for metric in contents.search.metrics}) > 1:
        note += " The objectives differ in it: the fewer examples, the larger the part of chance."
    header = [*header, *map(escape, names), "time", *(["work"] * has_work)]
    missed = escape(none_keeps(contents.search, contents.best))
    parts = [
        missed and f"**{missed}**", table(header, rows), note,
        _picture("front.png", contents), _picture("pareto.png", contents),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _of(*counts: Examples | None) -> str:
    """How many examples are behind a column: ", of 149"; "" if that differs or is not known."""
    found = set(counts)
    (count,) = found if len(found) == 1 else (None,)
    return "" if count is None else f", of {count}"


def _value(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else escape(value)


def _comparison(contents: Contents) -> str:
    verdict = contents.verdict
    parts = []
    if verdict.comparisons:
        rows = [
            [
                escape(each.search), f"{contents.totals.share(each.level):.3f}",
                f"{each.cold_reached} of {each.cold_trials}", str(each.cold_epochs),
                "never" if each.reached is None else str(each.reached),
                "" if each.epochs is None else str(each.epochs),
                "" if each.trials_saved is None else f"{each.trials_saved:+d}",
                "" if each.hours_saved is None else f"{each.hours_saved:+.3g}",
            ]
            for each in verdict.comparisons
        ]  # fmt: skip
        header = ["cold search", "its final level", "its trials to that level", "epochs",
                  "this search's trials to it", "epochs", "trials saved",
                  f"{verdict.hours_unit or 'hours'} saved"]  # fmt: skip
        parts.append(table(header, rows))
        parts.append(
            "The levels are hypervolumes, as in the numbers of the search: the best known is 1. "
            f"This search ended at {contents.totals.share(verdict.level):.3f} after "
            f"{counted(verdict.trials, 'trial')}."
        )
        if verdict.hours_unit:
            parts.append(
                f"{verdict.hours_unit} are the running time of trials times the resources of a "
                f"trial of this search."
            )
    if verdict.control is not None:
        parts.append(arms_table(verdict.control, value_text))
    parts.append(_picture("history.png", contents))
    return "\n\n".join(part for part in parts if part)


def _trials(contents: Contents) -> str:
    counts = Counter(trial.state for trial in contents.trials)
    rows = [
        [state, str(counts[state]), meaning] for state, meaning in _STATES.items() if counts[state]
    ]
    parts = [table(["state", "trials", "meaning"], rows) if rows else "The store has no trial."]
    failed = [
        f"{each.number} ({escape(each.run_id)})"
        for each in contents.trials
        if each.state == "failed"
    ]
    if failed:
        parts.append(f"Failed trials and their runs: {names_in_words(failed, _RUNS_NAMED)}.")
    if contents.stored.refused:
        parts.append(
            f"The store refused a part of the results, which is not in this report; it is kept in "
            f"`{REFUSED_FILE}` in the storage of the search:\n\n{_bullets(contents.stored.refused)}"
        )
    parts.append(_picture("curves.png", contents))
    return "\n\n".join(part for part in parts if part)


def _configurations(best: Sequence[Trial]) -> str:
    shown = [
        f"Trial {each.number}:\n\n{fenced(to_yaml(each), 'yaml')}"
        for each in best[:_CONFIGURATIONS_WRITTEN]
    ]
    if len(best) > _CONFIGURATIONS_WRITTEN:
        shown.append(f"trials.parquet has {len(best) - _CONFIGURATIONS_WRITTEN} more.")
    return "\n\n".join(shown)


def _files(files: Sequence[str]) -> str:
    return "\n".join(f"- [{name}]({name})" for name in files if not name.endswith(".png"))
