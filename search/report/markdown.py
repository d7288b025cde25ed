"""The report as Markdown: what was searched, what came out, and how far to trust it.

Text of users is escaped, so neither Markdown nor HTML in a name or a choice takes effect. Not for
computing anything: numbers come in finished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.experience import Experience
from search.extract.describe import lines
from search.history import Search, Trial
from search.history.states import State
from search.report.ledger import arms_table, guard_section, proposals_table
from search.report.tables import alike_table, escape, fenced, table
from search.transfer.best import TestValue, to_yaml, values_on_test
from search.transfer.objective_text import best_in_words, none_keeps, objectives_in_words
from search.transfer.verdict import Verdict

_KEY_HYPERPARAMETERS = 4
_CONFIGURATIONS_WRITTEN = 8
_RUNS_NAMED = 20
_STATES: Mapping[State, str] = {
    "complete": "trained to the full budget",
    "stopped": "stopped early by the scheduler",
    "failed": "ended with an error, see reason.txt of the run",
    "interrupted": "cut off; resume continues them",
    "running": "under way when this was written",
}


@dataclass(frozen=True)
class Contents:
    """Everything the report says, computed beforehand.

    Attributes:
        key_hyperparameters: Names for the table of the front, the most important first.
        experience: What history had taught; None if it is not known.
        files: Names of the files beside the report.
    """

    search: Search
    trials: Sequence[Trial]
    best: Sequence[Trial]
    verdict: Verdict
    key_hyperparameters: Sequence[str] = ()
    experience: Experience | None = None
    files: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, str] = field(default_factory=dict)


def render(contents: Contents) -> str:
    """The report's text; the same for the same contents."""
    word = escape(best_in_words(contents.search))
    sections = [
        f"# {escape(contents.search.id)}\n\n**{escape(contents.verdict.sentence)}**",
        _section("What was searched", _searched(contents)),
        _section(word, _front(contents)),
        _section("Against cold searches", _comparison(contents)),
        _section("Trials", _trials(contents)),
        _section("Where the proposals came from",
                 proposals_table(contents.trials, contents.search, contents.best, _number)),
        _section("What the guard did", guard_section(contents.verdict.guard)),
        _section("What moved the objectives", _picture("importance.png", contents)
                 or "Too few complete trials to tell."),
        *_history(contents),
        _section("How to reproduce", _reproduction(contents)),
        _section("Best configurations", _configurations(contents.best)),
        _section("Files", _files(contents.files)),
    ]  # fmt: skip
    return "\n\n".join(section for section in sections if section) + "\n"


def _history(contents: Contents) -> list[str]:
    if contents.experience is None:
        return [_section("What history taught", "It was not kept with this search.")]
    taught = lines(contents.experience)
    agreements = alike_table(contents.experience.agreements, contents.search.metrics)
    return [
        _section("What history taught", _bullets(taught)),
        _section("How alike the earlier searches turned out to be", agreements),
        _section("How history was fitted to this space", _bullets(contents.experience.fitted)),
    ]


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _bullets(texts: Sequence[str]) -> str:
    return "\n".join(f"- {escape(text)}" for text in texts)


def _picture(name: str, contents: Contents) -> str:
    return f"![{name.removesuffix('.png')}]({name})" if name in contents.files else ""


def _searched(contents: Contents) -> str:
    search = contents.search
    started = search.started.strftime("%Y-%m-%d %H:%M UTC")
    facts = {
        "task": search.task,
        "objectives": objectives_in_words(search),
        "budget": f"{search.trials_budget} trials of {search.epochs} epochs",
        "seed": str(search.seed),
        "started": started,
        "history": "used (warm)" if search.warm else "not used (cold)",
    }
    return _bullets(
        [f"{name}: {value}" for name, value in (facts | dict(contents.summary)).items()]
    )


def _front(contents: Contents) -> str:
    if not contents.best:
        return "No trial is complete."
    tested = [values_on_test(best) for best in contents.best]
    is_tested = any(tested)
    header = ["trial"]
    for objective in contents.search.metrics:
        header += [escape(objective), *(["test (95 %)"] if is_tested else [])]
    header += [escape(name) for name in contents.key_hyperparameters[:_KEY_HYPERPARAMETERS]]
    rows = []
    for best, test in zip(contents.best, tested, strict=True):
        cells = [str(best.number)]
        for objective, value in best.by_metric.items():
            cells += [_number(value), *([_held_out(test.get(objective))] if is_tested else [])]
        for name in contents.key_hyperparameters[:_KEY_HYPERPARAMETERS]:
            cells.append(_value(best.configuration.get(name)))
        rows.append(cells)
    note = (
        "Objectives are those of the validation split, on which these trials were chosen, so they "
        "flatter."
    )
    if is_tested:
        note += " The test split took no part; its 95 % intervals are Wilson's."
    missed = none_keeps(contents.search, contents.best)
    warning = f"**{escape(missed)}**" if missed else ""
    parts = [warning, table(header, rows), note, _picture("pareto.png", contents)]
    return "\n\n".join(part for part in parts if part)


def _held_out(result: TestValue | None) -> str:
    if result is None:
        return ""
    if result.low is None or result.high is None:
        return _number(result.value)
    return f"{_number(result.value)} ({result.low:.3f} to {result.high:.3f})"


def _value(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else escape(value)


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"


def _comparison(contents: Contents) -> str:
    verdict = contents.verdict
    parts = []
    if verdict.comparisons:
        rows = [
            [
                escape(each.search), _number(each.level),
                f"{each.cold_reached} of {each.cold_trials}", str(each.cold_epochs),
                "never" if each.reached is None else str(each.reached),
                "" if each.epochs is None else str(each.epochs),
                "" if each.trials_saved is None else f"{each.trials_saved:+d}",
                "" if each.hours_saved is None else f"{each.hours_saved:+.3g}",
            ]
            for each in verdict.comparisons
        ]  # fmt: skip
        header = ["cold search", "its end level", "reached it after trials", "epochs",
                  "this search after trials", "epochs", "trials saved",
                  f"{verdict.hours_unit or 'hours'} saved"]  # fmt: skip
        parts.append(table(header, rows))
        point = ", ".join(_number(value) for value in verdict.reference)
        parts.append(
            f"Levels are hypervolumes against ({point}): {verdict.reference_rule}. This search "
            f"ended at {_number(verdict.level)} after {verdict.trials} trials."
        )
        if verdict.hours_unit:
            parts.append("Hours are seconds of trials at the resources of this search's trials.")
    if verdict.control is not None:
        parts.append(arms_table(verdict.control, _number))
    parts.append(_picture("history.png", contents))
    return "\n\n".join(part for part in parts if part)


def _trials(contents: Contents) -> str:
    counts = Counter(trial.state for trial in contents.trials)
    if not counts:
        return "No trial was started."
    rows = [
        [state, str(counts[state]), meaning] for state, meaning in _STATES.items() if counts[state]
    ]
    parts = [table(["state", "trials", "meaning"], rows)]
    failed = [trial for trial in contents.trials if trial.state == "failed"]
    if failed:
        named = ", ".join(f"{each.number} ({escape(each.run_id)})" for each in failed[:_RUNS_NAMED])
        more = f" and {len(failed) - _RUNS_NAMED} more" if len(failed) > _RUNS_NAMED else ""
        parts.append(f"Failed trials and their runs: {named}{more}.")
    parts.append(_picture("curves.png", contents))
    return "\n\n".join(part for part in parts if part)


def _reproduction(contents: Contents) -> str:
    command = contents.summary.get("command", "twentieth run spec.yaml")
    rows = [[escape(name), escape(value)] for name, value in sorted(contents.environment.items())]
    text = f"The seed {contents.search.seed} is in the spec."
    return "\n\n".join(
        [fenced(command, "sh"), text, *([table(["part", "version"], rows)] if rows else [])]
    )


def _configurations(best: Sequence[Trial]) -> str:
    shown = [
        f"Trial {each.number}:\n\n{fenced(to_yaml(each), 'yaml')}"
        for each in best[:_CONFIGURATIONS_WRITTEN]
    ]
    if len(best) > _CONFIGURATIONS_WRITTEN:
        shown.append(f"Further ones, {len(best) - _CONFIGURATIONS_WRITTEN}, are in trials.parquet.")
    return "\n\n".join(shown)


def _files(files: Sequence[str]) -> str:
    return "\n".join(f"- [{name}]({name})" for name in files if not name.endswith(".png"))
