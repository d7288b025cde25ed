"""Reconcile: history in the target's hyperparameters, objectives and directions.

Spaces change between searches: names, ranges, kinds, choices, conditions. Every trial with an end
to learn from is restated as `Evidence`, or left out for a stated reason; every difference is a
`Decision`, so nothing leaves the models silently. Not for judging whether history helps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from search.history import History, PriorTrial
from search.objectives import Objective
from search.review.changes import changes, tally
from search.review.decisions import Decision, decide, decision_lines
from search.review.evidence import Evidence, Placed, place
from search.review.objectives import Valued, objective_values
from search.review.renames import proposed_renames
from search.space import SearchSpace

_ENDS = ("complete", "stopped", "failed")


@dataclass(frozen=True)
class Reconciled:
    """History in the target's terms.

    Attributes:
        evidence: The trials that can be used, in history's order.
        decisions: How each earlier search was fitted, search by search.
        left_out: Reason -> number of trials. With the evidence these are all of history's.
    """

    evidence: tuple[Evidence, ...]
    decisions: tuple[Decision, ...]
    left_out: Counter[str]

    def lines(self, limit: int | None = None) -> list[str]:
        """How history was fitted, a line each; with a limit only what to act on, and a count."""
        texts = decision_lines(self.decisions)
        if limit is None:
            counts = self.left_out.most_common()
            return texts + [f"left out: {_trials(count)}, because {why}" for why, count in counts]
        shown = [text for text in texts if text.startswith("proposed rename")][:limit]
        hidden = len(texts) - len(shown)
        rest = f"{hidden} differences to earlier spaces and objectives; `twentieth review` says all"
        return shown + [rest] * (hidden > 0)


@dataclass
class _Part:
    """What one search contributes, while it is collected."""

    trials: list[PriorTrial] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    valued: list[Valued] = field(default_factory=list)
    renamed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, trial: PriorTrial, placed: Placed, valued: Valued) -> None:
        self.trials.append(trial)
        self.placed.append(placed)
        self.valued.append(valued)


def reconcile(
    history: History,
    space: SearchSpace,
    objectives: Sequence[Objective],
    *,
    rename: Mapping[str, str] | None = None,
    rename_metrics: Mapping[str, str] | None = None,
) -> Reconciled:
    """Restates all of history; never raises on what a store held.

    Args:
        history: Earlier trials.
        space: The target's.
        objectives: The target's. A prior trial that was searched for others counts if it reported
            their metrics. If they have no metrics, prior trials count whose directions are the
            target's.
        rename: Old name -> new name of hyperparameters. Applied to what still has the old one, so
            it may be what history was read with.
        rename_metrics: The same for metrics. A metric renamed to an objective of the target may
            have been wanted in the other direction, as error was; it then counts by rank.
    """
    evidence: list[Evidence] = []
    left_out: Counter[str] = Counter()
    parts: dict[str, _Part] = {}
    names, metrics = rename or {}, rename_metrics or {}
    for logged in history.prior_trials(state=None):
        part = parts.setdefault(logged.search, _Part())
        trial = _with_metrics(_with_names(logged, names, part), metrics)
        valued = objective_values(trial, objectives, metrics.values())
        placed = place(space, trial.configuration)
        problem = _problem(trial, placed, valued)
        if problem:
            left_out[problem] += 1
        else:
            evidence.append(_evidence(trial, placed, valued))
        if trial.state in _ENDS:
            part.add(trial, placed, valued)
    found = (_decisions(history, search, part, space, names) for search, part in parts.items())
    return Reconciled(tuple(evidence), tuple(chain.from_iterable(found)), left_out)


def _trials(number: int) -> str:
    return f"{number} trial" if number == 1 else f"{number} trials"


def _problem(trial: PriorTrial, placed: Placed, valued: Valued) -> str:
    if trial.state not in _ENDS:
        return f"{trial.state}: it has no end to learn from"
    if valued.problem or placed.configuration:
        return valued.problem
    return "it shares no hyperparameter with this search"


def _evidence(trial: PriorTrial, placed: Placed, valued: Valued) -> Evidence:
    return Evidence(
        trial.task, trial.run_id, trial.state, placed.configuration, valued.values,
        placed.is_exact, trial.search, trial.seconds, placed.unknown, valued.is_by_rank,
    )  # fmt: skip


def _decisions(
    history: History, name: str, part: _Part, space: SearchSpace, rename: Mapping[str, str]
) -> list[Decision]:
    if not part.trials:
        return []
    found = history.searches.get(name)
    theirs = _space_with_names(found.space if found else None, rename)
    configurations = [each.configuration for each in part.trials]
    values: dict[str, list[Any]] = {key: [] for key in theirs.distributions} if theirs else {}
    for configuration in configurations:
        for key, value in configuration.items():
            values.setdefault(key, []).append(value)
    return [
        *(
            decide(name, new, "proposed rename", len(values[old]), old)
            for old, new in proposed_renames(space, values).items()
        ),
        *(
            decide(name, new, "renamed", count, old)
            for (old, new), count in part.renamed.items()
            if new in space.distributions
        ),
        *changes(name, theirs, space, tally(configurations, part.placed)),
        *_objectives(name, part),
    ]


def _objectives(name: str, part: _Part) -> list[Decision]:
    complete = [
        (trial, valued)
        for trial, valued in zip(part.trials, part.valued, strict=True)
        if valued.values
    ]
    stands_for = Counter(pair for _, valued in complete for pair in valued.stands_for)
    turned = Counter(
        (objective, trial.direction_of(own, ""))
        for trial, valued in complete
        for objective in valued.turned
        if (own := trial.counterpart(objective)) is not None
    )
    other = {"minimize": "maximize", "maximize": "minimize"}
    return [
        *(
            decide(name, objective, "objective renamed", count, own)
            for (objective, own), count in stands_for.items()
        ),
        *(
            decide(name, objective, "direction turned", count, direction, other[direction])
            for (objective, direction), count in turned.items()
        ),
    ]


def _with_names(trial: PriorTrial, rename: Mapping[str, str], part: _Part) -> PriorTrial:
    """The trial with its hyperparameters renamed; a new name that is taken stays as it is."""
    if not isinstance(trial.configuration, Mapping):
        return replace(trial, configuration={})
    names = _applicable(rename, trial.configuration)
    if not names:
        return trial
    part.renamed.update(names.items())
    return replace(
        trial, configuration={names.get(key, key): v for key, v in trial.configuration.items()}
    )


def _with_metrics(trial: PriorTrial, rename: Mapping[str, str]) -> PriorTrial:
    # Looking at the curves of every trial takes its time, so only where it is needed.
    names = _applicable(rename, {*trial.metrics, *trial.curves}) if rename else {}
    if not names:
        return trial
    return replace(
        trial,
        objectives=tuple(
            replace(each, metric=names.get(each.metric, each.metric)) for each in trial.objectives
        ),
        curves={names.get(name, name): curve for name, curve in trial.curves.items()},
    )


def _space_with_names(space: SearchSpace | None, rename: Mapping[str, str]) -> SearchSpace | None:
    names = _applicable(rename, space.distributions if space else ())
    if space is None or not names:
        return space
    return SearchSpace(
        {names.get(name, name): each for name, each in space.distributions.items()},
        {
            names.get(child, child): {names.get(name, name): v for name, v in when.items()}
            for child, when in space.conditions.items()
        },
    )


def _applicable(rename: Mapping[str, str], taken: Collection[str]) -> dict[str, str]:
    """The renames that something here needs; two names never become one."""
    names: dict[str, str] = {}
    for old, new in rename.items():
        if old in taken and new not in taken and new not in names.values():
            names[old] = new
    return names
