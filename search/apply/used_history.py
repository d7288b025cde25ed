"""Used history: the earlier searches that a search's proposals rest on, and why not the others.

A search is used if a trial of it enters the model, the portfolio or the study of Optuna's sampler.
What is said, stored and reported about a warm start is this, not what the store holds. Not for what
history says about the task (`search/extract`), which takes only similar tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from search.apply.optuna_sampler import OptunaSampler
from search.apply.prior_data import PriorData
from search.apply.sampler import TRANSFER
from search.apply.strategy import PORTFOLIO_SIZE, Options, used_trials
from search.history import History
from search.history.plurals import counted
from search.history.provenance import names_in_words
from search.objectives.roles import searched
from search.review import Reconciled
from search.spec import Spec

NOTHING_COMPLETE = "no trial of it is complete"
LESS = "other trials of its task say more"
# Reasons that a line names; `review --json` has all.
REASONS_NAMED = 3


@dataclass(frozen=True)
class UsedHistory:
    """The earlier searches in two parts.

    Attributes:
        searches: Those that are used, and for each whether it is of this same task.
        unused: The others -> why they are not used.
    """

    searches: Mapping[str, bool] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Returns what is used as a line, and why the rest is not as another; [] without any."""
        total = len(self.searches) + len(self.unused)
        if not total:
            return []
        every = counted(total, "earlier search", "earlier searches")
        same = sum(self.searches.values())
        head = f"starts from {len(self.searches)} of {every}, {same} of this same task"
        if not self.searches:
            head = f"starts cold: none of {every} can be used"
        return [head, *([f"not used: {self.reasons_in_words()}"] if self.unused else [])]

    def reasons_in_words(self) -> str:
        """Returns the reasons, the most frequent first: "2 because no trial of it is complete"."""
        by_reason: dict[str, list[str]] = {}
        for search, reason in self.unused.items():
            by_reason.setdefault(reason, []).append(search)
        ordered = sorted(by_reason.items(), key=lambda each: -len(each[1]))
        texts = [
            f"{names_in_words(searches, 2)}, because {reason}"
            for reason, searches in ordered[:REASONS_NAMED]
        ]
        more = len(ordered) - REASONS_NAMED
        return "; ".join(texts + [counted(more, "other reason")] * (more > 0))


def used_history(
    history: History, reconciled: Reconciled, prior: PriorData, spec: Spec
) -> UsedHistory:
    """Returns which searches of a history are used.

    Args:
        history: The history.
        reconciled: The same in the search's terms.
        prior: What was made of it.
        spec: The search.
    """
    name, options = spec.sampler.name, spec.sampler.options
    if name != "warm":
        why = f"the {name} sampler uses no history"
        return UsedHistory({}, dict.fromkeys(history.searches, why))
    chosen = Options(
        OptunaSampler(inner) if (inner := options.get("sampler", TRANSFER)) != TRANSFER else None,
        options.get("portfolio", PORTFOLIO_SIZE),
    )
    same, other = used_trials(prior, spec.search_space(), searched(spec.objectives), chosen)
    used = dict.fromkeys((trial.search for trial in other), False)
    used |= dict.fromkeys((trial.search for trial in same), True)
    states: dict[str, set[str]] = {}
    tasks: dict[str, set[str]] = {}
    for trial in reconciled.trials:
        states.setdefault(trial.search, set()).add(trial.state)
        tasks.setdefault(trial.search, set()).add(trial.task)
    unused = {
        search: _reason(search, states.get(search, set()), tasks.get(search, set()),
                        reconciled.left_out_of.get(search, Counter()), prior)
        for search in history.searches
        if search not in used
    }  # fmt: skip
    return UsedHistory(
        {search: used[search] for search in history.searches if search in used}, unused
    )


def _reason(
    search: str, states: set[str], tasks: set[str], left_out: Counter[str], prior: PriorData
) -> str:
    if not states & {"complete", "stopped"}:
        unfit = {why: n for why, n in left_out.items() if "it has not ended" not in why}
        # A search whose complete trials do not fit may have failed ones, which always do.
        return max(unfit, key=unfit.__getitem__) if unfit else NOTHING_COMPLETE
    if "complete" not in states:
        return NOTHING_COMPLETE
    skipped = (
        prior.skipped_tasks.get(key) for task in tasks for key in (task, f"{task} ({search})")
    )
    return next(filter(None, skipped), LESS)
