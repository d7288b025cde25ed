"""Failure risk: how probably a configuration fails on this task, and what is not proposed for it.

Failures of this search, of earlier searches of its task and of other tasks are a learned
constraint (`search/extract/failure_model.py`). History may be wrong about this task: another device
has more memory, other data diverge later. So three beliefs compete, on all of history, on this
task's part of it and on nothing; each is updated by this search's own trials, and they are averaged
by how well they foretold these. History alone is thus never certain of a failure, and each success
where it foretold one takes weight from it.

The acquisition value is multiplied by the probability of a success. A configuration that fails more
probably than `LIMIT` is proposed only when there is nothing else.

Sources: Gardner et al. 2014, "Bayesian optimization with inequality constraints", and Gelbart et
al. 2014, "Bayesian optimization with unknown constraints" (the product with expected improvement);
Hoeting et al. 1999, "Bayesian model averaging: a tutorial".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from search.apply.expected_gain import rounded
from search.apply.proposal_source import Context, Proposal
from search.extract.failure_model import (
    Belief,
    Floats,
    before_any_trial,
    features_of,
    learn,
    learn_from_tasks,
)
from search.extract.failures import Outcomes, counting, outcomes_of
from search.history import Trial
from search.history.risk import THIS_SEARCH
from search.space import SearchSpace, Value
from search.space.encoding import encode

# What more probably fails than not is proposed last. With 0.7 instead 16.1 of a cold search's 30
# trials failed, not 12.4; with 0.4 10.0, and the regret after 30 was .060, not .052 (s.e. .01;
# benchmarks/failures, seeds 1000 to 1009).
LIMIT = 0.5
# Of this search and of earlier ones of its task so many of the newest trials count. At every
# proposal the former are learned from: 200 take 10 ms with 9 encoded columns.
OWN_KEPT, SAME_TASK_KEPT = 200, 1000
# A risk below this is not worth a word: a belief that knows nothing says 0.21 to 0.36 (medians with
# 12 to 1 columns) and has up to half of the weight, so lower ones tell nothing of a configuration.
NEGLIGIBLE = 0.25
# A record names so many failed runs, the nearest ones.
RUNS_NAMED = 3


@dataclass(frozen=True, eq=False)
class LearnedRisk:
    """The risk of a failure at one proposal.

    Attributes:
        beliefs: What history and this search taught, by how much of history counts.
        weights: Of the beliefs; they sum to 1.
        known: The outcomes behind them: of other tasks, of this task, of this search.
        space: Encodes configurations.
    """

    beliefs: tuple[Belief, ...]
    weights: Floats
    known: tuple[Outcomes, ...]
    space: SearchSpace

    def probability(self, points: Floats) -> Floats:
        """Return the probability that encoded configurations fail, `(points,)`."""
        features = features_of(points)
        each = [belief.probability(features) for belief in self.beliefs]
        return np.asarray(self.weights @ np.array(each))

    def is_too_high(self, configuration: Mapping[str, Value]) -> bool:
        """Whether a configuration would very probably fail."""
        return bool(self.probability(encode(self.space, [configuration]))[0] > LIMIT)

    def record(self, point: Floats) -> dict[str, Any]:
        """Return the risk of a proposal, JSON-able; {} if it is negligible.

        Args:
            point: The encoded proposal, `(columns,)`.

        Returns:
            "risk": its "probability"; "failed", task -> failed trials that it is learned from, with
            those of this search under `THIS_SEARCH`; "runs", the nearest of the others.
        """
        probability = float(self.probability(point[None])[0])
        if probability < NEGLIGIBLE:
            return {}
        others, same, own = self.known
        past = others + same
        endings = zip(past.tasks, past.runs, past.causes, strict=True)
        failed = [(task, run) for task, run, cause in endings if cause]
        counts = dict(Counter(task for task, _ in failed).most_common())
        if own.has_failed.any():
            counts = {THIS_SEARCH: int(own.has_failed.sum()), **counts}
        away = ((past.points[past.has_failed] - point) ** 2).sum(axis=1)
        nearest = np.argsort(away, kind="stable")[:RUNS_NAMED]
        named = [failed[place][1] for place in nearest.tolist()]
        return {"risk": {"probability": rounded(probability), "failed": counts, "runs": named}}


def with_risk(proposal: Proposal, risk: LearnedRisk | None) -> Proposal:
    """Return a proposal whose origin has its risk, unless there is none or it is negligible."""
    if risk is None:
        return proposal
    point = encode(risk.space, [proposal.configuration])[0]
    return replace(proposal, origin={**proposal.origin, **risk.record(point)})


class FailureMemory:
    """Learns the risk from history once, and from this search at every proposal."""

    def __init__(
        self, others: Outcomes | None, same_task: Sequence[Trial], space: SearchSpace
    ) -> None:
        """Learns from history.

        Args:
            others: Outcomes on other tasks; None if they do not count.
            same_task: Earlier trials of this task.
            space: The target space.
        """
        none, self._space = outcomes_of([], space), space
        self._others = others if others is not None and _has_any(others) else none
        self._same = outcomes_of(same_task[-SAME_TASK_KEPT:], space)
        self._starts: list[Belief] | None = None
        self._last: tuple[list[Trial], LearnedRisk | None] = ([], None)

    def at(self, context: Context) -> LearnedRisk | None:
        """Return the risk after the trials of a search; None if no failure is known at all."""
        trials = counting(context.trials[-OWN_KEPT:], is_running=True)
        history = (self._others, self._same)
        if not any(trial.cause for trial in trials) and not any(map(_has_any, history)):
            return None
        if self._last[1] is None or self._last[0] != trials:
            own = outcomes_of(trials, self._space, is_running=True)
            self._last = (trials, self._learned((*history, own)))
        return self._last[1]

    def _learned(self, known: tuple[Outcomes, Outcomes, Outcomes]) -> LearnedRisk:
        own, features = known[2], features_of(known[2].points)
        if self._starts is None:
            self._starts = self._from_history()
        ends = [learn(belief, features, own.has_failed) for belief in self._starts]
        evidence = np.array([each for _, each in ends])
        weights = np.exp(evidence - evidence.max())
        beliefs = tuple(belief for belief, _ in ends)
        return LearnedRisk(beliefs, weights / weights.sum(), known, self._space)

    def _from_history(self) -> list[Belief]:
        """Return what history teaches: nothing, this task's part of it, all of it.

        They count alike before the first trial of this search. With 0.4 for nothing, true failures
        of other tasks save half a trial more, and untrue ones cost regret after 10 trials: .295
        instead of .248, and .290 without a memory (s.e. .05; benchmarks/failures).
        """
        nothing = before_any_trial(self._same.points.shape[1])
        found, same = [nothing], features_of(self._same.points)
        if len(self._same):
            found.append(learn(nothing, same, self._same.has_failed)[0])
        if len(self._others):
            others = features_of(self._others.points)
            all_of_it = learn_from_tasks(
                nothing, others, self._others.has_failed, self._others.tasks
            )
            found.append(learn(all_of_it, same, self._same.has_failed)[0])
        return found


def _has_any(outcomes: Outcomes) -> bool:
    return bool(outcomes.has_failed.any())
