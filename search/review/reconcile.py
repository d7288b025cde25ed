"""Reconcile: restate history in the target's hyperparameters, objectives and directions.

Spaces change between searches: names, ranges, kinds, choices, conditions. Every trial that has
ended is restated, or left out for a stated reason; every difference is a `Decision`, so no trial is
dropped silently. Not for deciding whether history helps.

Another metric of the same role (robust accuracy under another threat), and a metric whose direction
changed when it was renamed (error to accuracy), rank a task's trials in the same order but are not
the same quantity: such values count by rank. The same metric in the opposite direction is a
contradiction: it is unknown which direction was meant, so the trial is left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeAlias

from models.catalog import MODELS
from search.history import History, Search, Trial
from search.history.lazy_curves import restated_curves
from search.history.plurals import counted
from search.objectives.objective import LARGEST, UNKNOWN, Objective, is_measured
from search.objectives.roles import counts_robustness
from search.review.decisions import Decision, decide, decision_lines
from search.review.doubtful import judged
from search.review.renames import proposed_metric_renames, proposed_renames
from search.review.space_diff import changes, tally
from search.review.unsearched import Trained, unsearched, with_unsearched
from search.space import SearchSpace
from search.space.restating import Restated, restate
from search.spec import Spec

# Of a trial that cannot be matched to objectives without names.
UNSTATED = "does not say what it minimized or maximized"
_ENDS = ("complete", "stopped", "failed")


@dataclass(frozen=True)
class Reconciled:
    """History in the target's terms.

    Attributes:
        trials: The restated trials that can be used, in history's order.
        decisions: The differences to each earlier search, search by search.
        left_out: Reason -> number of trials; every trial of history is in `trials` or here.
        left_out_of: The same of each earlier search that has any.
    """

    trials: tuple[Trial, ...]
    decisions: tuple[Decision, ...]
    left_out: Counter[str]
    left_out_of: Mapping[str, Counter[str]]

    def lines(self, limit: int | None = None) -> list[str]:
        """Returns a line per difference; with a limit only what to act on, and a count."""
        texts = decision_lines(self.decisions)
        if limit is None:
            counts = self.left_out.most_common()
            return texts + [
                f"left out: {counted(count, 'trial')},{' each' * (count > 1)} because {why}"
                for why, count in counts
            ]
        shown = [text for text in texts if text.startswith("proposed rename")][:limit]
        hidden = len(texts) - len(shown)
        what = counted(hidden, "difference")
        rest = f"{what} to earlier spaces and objectives; `twentieth review` lists all"
        return shown + [rest] * (hidden > 0)


# A trial of one search, restated, and its values of the objectives.
_Part: TypeAlias = "tuple[Trial, Restated, Valued]"
_UNKNOWN_MODEL = Trained()


def reconcile(
    history: History,
    space: SearchSpace,
    objectives: Sequence[Objective],
    trained: Trained = _UNKNOWN_MODEL,
    *,
    excludes_doubtful: bool | None = None,
) -> Reconciled:
    """Restates all of history; never raises, whatever a store held.

    Args:
        history: Earlier trials.
        space: The target's space.
        objectives: The target's objectives. A prior trial of a search for others counts if it
            reported their metrics. If they have no metrics, trials with the same directions count.
            A renamed metric may have had the other direction, as error has; it counts by rank then.
        trained: What the target trains. Trials of the same count with the values of what their
            search did not search (`unsearched.py`).
        excludes_doubtful: Whether a trial of the target fails whose robust accuracy is in doubt;
            earlier trials end as they would there, see `doubtful.py`. None is a spec's default.
    """
    if excludes_doubtful is None:
        excludes_doubtful = counts_robustness(objectives)
    usable: list[Trial] = []
    left_out_of: dict[str, Counter[str]] = {}
    parts: dict[str, list[_Part]] = {}
    named = tuple(objectives) if any(each.metric for each in objectives) else ()
    fixed = {id: unsearched(each, space, trained) for id, each in history.searches.items()}
    for trial in history.prior_trials(state=None):
        trial = judged(trial, excludes_doubtful=excludes_doubtful)
        valued = objective_values(trial, objectives, history.renames.metrics)
        stated: Mapping[str, object] = trial.configuration
        if names := fixed.get(trial.search, ()):
            settings = history.searches[trial.search].fingerprint.get("settings")
            stated = with_unsearched(stated, names, settings, space, trained)
        restated = restate(space, stated)
        problem = _problem(trial, restated, valued)
        if problem:
            left_out_of.setdefault(trial.search, Counter())[problem] += 1
        else:
            usable.append(_restated(trial, restated, valued, named))
        if trial.state in _ENDS:
            parts.setdefault(trial.search, []).append((trial, restated, valued))
    found = (_decisions(history, search, part, space, named) for search, part in parts.items())
    left_out = sum(left_out_of.values(), Counter[str]())
    return Reconciled(tuple(usable), tuple(chain.from_iterable(found)), left_out, left_out_of)


def reconcile_for(
    spec: Spec, history: History, space: SearchSpace, objectives: Sequence[Objective]
) -> Reconciled:
    """Restates all of history for a search with this spec, in its stored space and objectives."""
    trained = Trained(spec.task.trains, MODELS.get(spec.task.catalog_name, {}))
    return reconcile(history, space, objectives, trained, excludes_doubtful=spec.excludes_doubtful)


def _problem(trial: Trial, restated: Restated, valued: Valued) -> str:
    if trial.state not in _ENDS:
        return f"{trial.state}: it has not ended"
    if valued.problem:
        return f"it {valued.problem}"
    return "" if restated.configuration else "it shares no hyperparameter with this search"


def _restated(
    trial: Trial, restated: Restated, valued: Valued, named: tuple[Objective, ...]
) -> Trial:
    return replace(
        trial, configuration=restated.configuration, unknown=restated.unknown,
        is_exact=restated.is_exact, objectives=named or trial.objectives, values=valued.values,
        curves=restated_curves(trial.curves, dict(valued.stands_for), valued.turned),
        is_by_rank=valued.is_by_rank and trial.state != "failed",
    )  # fmt: skip


def _decisions(
    history: History,
    name: str,
    part: Sequence[_Part],
    space: SearchSpace,
    named: Sequence[Objective],
) -> list[Decision]:
    found = history.searches.get(name)
    theirs = found.space if found else None
    configurations = [trial.configuration for trial, _, _ in part]
    values: dict[str, list[Any]] = {key: [] for key in theirs.distributions} if theirs else {}
    for configuration in configurations:
        for key, value in configuration.items():
            values.setdefault(key, []).append(value)
    return [
        *(
            decide(name, new, "proposed rename", len(values[old]), old)
            for old, new in proposed_renames(space, values).items()
        ),
        *_metric_renames(name, part, named),
        *(
            decide(name, new, "renamed", count, old)
            for (search, old, new), count in history.renames.hyperparameters.items()
            if search == name and new in space.distributions
        ),
        *changes(name, _logged(found), space, tally(configurations, [each for _, each, _ in part])),
        *_objectives(name, part),
    ]


def _metric_renames(name: str, part: Sequence[_Part], named: Sequence[Objective]) -> list[Decision]:
    complete = [(trial, valued) for trial, _, valued in part if trial.state == "complete"]
    if not complete or any(valued.values for _, valued in complete):
        return []
    last, _ = complete[-1]
    missing = [each.metric for each in named if math.isnan(last.value_of(each.metric))]
    renames = proposed_metric_renames(missing, {*last.metrics, *last.curves})
    return [
        decide(name, new, "proposed rename of a metric", len(complete), old)
        for old, new in renames.items()
    ]


def _logged(search: Search | None) -> SearchSpace | None:
    """Returns the space without what was only inferred from values: nobody chose those ranges."""
    if search is None or search.space is None:
        return None
    known = search.space.distributions
    return SearchSpace(
        {name: known[name] for name in known if name not in search.inferred},
        search.space.conditions,
    )


def _objectives(name: str, part: Sequence[_Part]) -> list[Decision]:
    complete = [(trial, valued) for trial, _, valued in part if valued.values]
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


@dataclass(frozen=True)
class Valued:
    """A prior trial's values of the target's objectives.

    Attributes:
        values: In the target's order and directions; empty unless complete and all known. NaN for
            an objective of role "report" that was not measured.
        problem: Why the trial cannot be used, to follow "it"; empty if it can.
        stands_for: Pairs of the target's objective and the other metric that stands for it.
        turned: The target's objectives whose sign was changed.
    """

    values: tuple[float, ...] = ()
    problem: str = ""
    stands_for: tuple[tuple[str, str], ...] = ()
    turned: tuple[str, ...] = ()

    @property
    def is_by_rank(self) -> bool:
        """Whether the values can be compared only within their own search."""
        return bool(self.stands_for or self.turned)


def objective_values(
    trial: Trial,
    objectives: Sequence[Objective],
    renamed: Collection[str] = (),
) -> Valued:
    """Returns a prior trial's values of the target's objectives, or why it cannot be used.

    Args:
        trial: In any state; only complete ones have values. A failed one contradicts nothing.
        objectives: The target's objectives. A trial of a search for others counts if it reported
            their metrics. If they have no metrics, trials with the same directions count.
        renamed: The target's metrics that had another name before; their direction may differ.
    """
    is_named = any(each.metric for each in objectives)
    theirs, wanted = ([each.direction for each in of] for of in (trial.objectives, objectives))
    if not is_named and theirs != wanted and trial.state != "failed":
        is_unknown = not theirs or UNKNOWN in theirs
        return Valued(problem=UNSTATED if is_unknown else "was searched in other directions")
    stands_for: list[tuple[str, str]] = []
    turned: list[str] = []
    for objective in objectives if is_named else ():
        name, direction = objective.metric, objective.direction
        if objective.role.name == "report":
            continue  # it is only reported, so a trial without it counts
        own, was = trial.counterpart(name), trial.direction_of(name, direction)
        if own is not None and own != name:
            stands_for.append((name, own))
        if was == direction:
            continue
        if was != UNKNOWN and name in renamed:
            turned.append(name)
        elif trial.state != "failed":
            unclear = f"does not say whether {own} is minimized or maximized"
            contrary = f"was to {was} {own}, this search is to {direction} it"
            return Valued(problem=unclear if was == UNKNOWN else contrary)
    if trial.state != "complete":
        return Valued((), "", tuple(stands_for), tuple(turned))
    values = list(trial.values)
    if is_named:
        signs = [-1.0 if each.metric in turned else 1.0 for each in objectives]
        values = [
            sign * trial.value_of(each.metric) for sign, each in zip(signs, objectives, strict=True)
        ]
    if len(values) != len(objectives):
        return Valued(problem="does not have one value for each objective")
    for each, value in zip(objectives, values, strict=True):
        if not is_measured(value) and each.role.name != "report":
            what = "finite value" if not math.isfinite(value) else f"value below {LARGEST:g}"
            return Valued(problem=f"has no {what} of {each.metric or 'every objective'}")
    return Valued(tuple(values), "", tuple(stands_for), tuple(turned))
