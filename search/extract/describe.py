"""Describe what history taught as plain text, for the terminal and the report.

`summarize.py` computes it and `search/experience.py` holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from search.experience import (
    Experience,
    ImportanceAgreement,
    Region,
    TopAgreement,
)
from search.history.plurals import counted
from search.objectives.objective import value_text

# How many of each kind `lines` shows, so that there are about ten lines in all.
_SEARCHES_SHOWN = 3
_HYPERPARAMETERS_SHOWN = 4
_REASONS_SHOWN = 3
_TASKS_SHOWN = 2
# From 0.7 on, the ranks of one task explain half of the variance of another's.
_AGREES, _AGREES_ROUGHLY = 0.7, 0.3
# Of some 2,000 candidates a search tries 20 to 100, so what lies beyond the best tenth comes late.
_AT_THE_TOP = 0.1


def lines(experience: Experience) -> list[str]:
    """Returns the experience as about ten lines of plain text.

    An empty experience has one line that says so, and one on what was left out, if anything was.
    """
    if experience.is_empty:
        none = "No earlier search to learn from: this search starts cold."
        if experience.used:
            none = "No earlier search is of a task like this one."
        return [none, *_top_agreements(experience), *_left_out(experience)]
    same = sum(search.is_same_task for search in experience.searches)
    trials = sum(search.trials for search in experience.searches)
    head = (
        f"{counted(len(experience.searches), 'earlier search', 'earlier searches')} with "
        f"{counted(trials, 'complete trial')}; {same} of this same task."
    )
    return [
        head,
        *_searches(experience),
        *_importances(experience),
        *_regions(experience),
        *_objective_correlations(experience),
        *_noises(experience),
        *_top_agreements(experience),
        *_left_out(experience),
    ]


def _searches(experience: Experience) -> list[str]:
    texts = []
    for search in experience.searches[:_SEARCHES_SHOWN]:
        kind = "same task" if search.is_same_task else f"similarity {search.similarity:.2f}"
        why = "" if search.is_same_task else f" ({'; '.join(search.reasons)})"
        best = ", ".join(
            f"best {entry.objective} {value_text(entry.value)}" for entry in search.best
        )
        texts.append(f"{search.id}: {kind}{why}, {counted(search.trials, 'trial')}, {best}")
    hidden = len(experience.searches) - _SEARCHES_SHOWN
    if hidden <= 0:
        return texts
    verb = "is" if hidden == 1 else "are"
    return [*texts, f"and {hidden} more, which {verb} less similar"]


def _importances(experience: Experience) -> list[str]:
    texts = []
    for objective in dict.fromkeys(entry.objective for entry in experience.importances):
        entries = [entry for entry in experience.importances if entry.objective == objective]
        shown = entries[:_HYPERPARAMETERS_SHOWN]
        shares = ", ".join(f"{entry.hyperparameter} {entry.importance:.0%}" for entry in shown)
        searches = {search for entry in shown for search in entry.searches}
        source = counted(len(searches), "search", "searches")
        agreements = [entry.agreement for entry in shown if entry.agreement is not None]
        if agreements:
            source += (
                f", within {counted(round(100 * (1 - min(agreements))), 'point')} of each other"
            )
        agreed = next(
            (each for each in experience.importance_agreements if each.objective == objective), None
        )
        texts.append(f"What moves {objective}: {shares} ({source}){_agreement(agreed)}")
    return texts


def _agreement(found: ImportanceAgreement | None) -> str:
    if found is None:
        return ""
    r = found.correlation
    words = "agree roughly" if r >= _AGREES_ROUGHLY else "disagree about the order"
    words = "agree" if r >= _AGREES else words
    return f"; {found.tasks} tasks {words} (rank correlation {r:+.2f})"


def _regions(experience: Experience) -> list[str]:
    if not experience.regions:
        return []
    # The narrowest first, since they say the most.
    shown = sorted(experience.regions, key=_width)[: _HYPERPARAMETERS_SHOWN + 2]
    trials = max(region.trials for region in experience.regions)
    return [f"Best quarter ({counted(trials, 'trial')}): " + "; ".join(map(_region, shown))]


def _width(region: Region) -> float:
    if region.coverage is not None:
        return region.coverage
    return 1.0 - max((category.share_of_best for category in region.categories), default=0.0)


def _region(region: Region) -> str:
    if region.low is not None and region.high is not None:
        return f"{region.hyperparameter} {region.low:.3g} to {region.high:.3g}"
    best = region.categories[0]
    share = f"{best.share_of_best:.0%} of the best, {best.share_of_all:.0%} of all"
    return f"{region.hyperparameter} {best.value} ({share})"


def _objective_correlations(experience: Experience) -> list[str]:
    return [
        f"{entry.first} and {entry.second} {_relation(entry.correlation)}: rank correlation "
        f"{entry.correlation:+.2f} over {counted(entry.trials, 'trial')}"
        for entry in experience.objective_correlations
    ]


def _relation(correlation: float) -> str:
    # Cohen 1988 calls 0.3 a medium correlation.
    if correlation <= -0.3:
        return "conflict"
    return "improve together" if correlation >= 0.3 else "are hardly correlated"


def _noises(experience: Experience) -> list[str]:
    texts = []
    for entry in experience.noises:
        repeats = counted(entry.repeats, "repeat")
        where = "" if entry.is_same_task else " of similar tasks"
        if entry.deviation == 0:
            never = f"Repeating a configuration{where} never changed {entry.objective}"
            texts.append(f"{never} ({repeats})")
            continue
        texts.append(
            f"Repeating a configuration{where} changes {entry.objective} by {entry.deviation:.2g} "
            f"(standard deviation, {entry.low:.2g} to {entry.high:.2g}, {repeats}); "
            f"differences below {entry.difference:.2g} are noise"
        )
    return texts


def _top_agreements(experience: Experience) -> list[str]:
    texts = []
    for objective in dict.fromkeys(entry.objective for entry in experience.top_agreements):
        entries = [each for each in experience.top_agreements if each.objective == objective]
        shown, rest = entries[:_TASKS_SHOWN], entries[_TASKS_SHOWN:]
        others = counted(shown[0].others, "other task")
        verb = "predicts" if shown[0].others == 1 else "predict"
        named = [
            f"the best of {shown[0].task} lie at the {_percent(shown[0].quantile)} quantile of "
            f"what {others} {verb}",
            *(f"of {each.task} at {_percent(each.quantile)}" for each in shown[1:]),
        ]
        if rest:
            named.append(f"of {len(rest)} more at {_percent(rest[0].quantile)} or less")
        texts.append(f"Top of {objective}: {', '.join(named)}: {_at_the_top(entries)}")
    return texts


def _at_the_top(entries: Sequence[TopAgreement]) -> str:
    r = median(each.correlation for each in entries)
    differ = any(each.quantile > _AT_THE_TOP for each in entries)
    if r < _AGREES_ROUGHLY and differ:
        return f"tasks disagree (rank correlation {r:+.2f})"
    bulk = "agree" if r >= _AGREES else "agree roughly" if r >= _AGREES_ROUGHLY else "disagree"
    top = "differ" if differ else "agree"
    return f"tasks {bulk} in bulk (rank correlation {r:+.2f}) and {top} at the top"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.0095 else "1 %"


def _left_out(experience: Experience) -> list[str]:
    reasons = list(experience.reasons().items())
    if not reasons:
        return []
    shown = "; ".join(f"{reason} ({number})" for reason, number in reasons[:_REASONS_SHOWN])
    more = "; others" if len(reasons) > _REASONS_SHOWN else ""
    return [f"Left out: {counted(len(experience.left_out), 'run')}: {shown}{more}"]
