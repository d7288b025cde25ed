"""The data of this task: the trials of a study, and the arrays that a model is fitted to.

Prior trials of the same task come first, as they are, then this search's own trials, one row for
each trial. Not for other tasks: `task_models.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from search.apply.gaussian_process import Floats
from search.apply.objective_model import unfolded, with_constraints
from search.apply.predicted_ends import REPORTED, predicted_ends
from search.apply.proposal_source import Context, Proposal, Tried
from search.apply.scores import losses_of
from search.history import Trial
from search.history.states import FROM_OPTUNA
from search.history.studies import stated_cost, stated_reason
from search.space import SearchSpace, Value
from search.space.encoding import encode
from search.space.restating import restate

# The attribute of a study's trial with its curves, metric -> epoch -> value: Optuna takes reported
# values where there is one objective only.
CURVES = "twentieth.curves"


class OwnTrials:
    """A study's trials, restated in one space.

    Attributes:
        space: The space.
        asked: The configurations of the study.
        tried: The same, and those tried elsewhere, which the caller adds.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Starts without trials."""
        self.space = space
        self.asked, self.tried = Tried(), Tried()
        self._finished: dict[int, Trial] = {}
        self._params: dict[int, frozenset[str]] = {}  # of finished trials
        self._counted: set[int] = set()  # numbers of trials whose proposals count as tried

    def update(
        self,
        study: optuna.Study,
        proposals: Mapping[int, Proposal],
        values: Mapping[int, Mapping[str, Value]],
        without: int | None = None,
    ) -> tuple[Trial, ...]:
        """Returns the study's trials, by number, except the one being asked for.

        Args:
            study: Its waiting trials do not count; they have no configuration yet.
            proposals: By trial number; a running trial has the values that it has not asked for
                yet from its proposal.
            values: Values that trials were given, by trial number. Where two choices are equal in
                Python, as 0 and False are, Optuna records the first one, whichever was tried.
            without: Number of the trial being asked for.
        """
        trials = []
        for frozen in study.get_trials(deepcopy=False):
            if frozen.number == without or frozen.state == TrialState.WAITING:
                continue
            own = self._finished.get(frozen.number)
            if own is None:
                asked = {**frozen.params, **values.get(frozen.number, {})}
                if frozen.number in proposals and frozen.state == TrialState.RUNNING:
                    asked = {**proposals[frozen.number].configuration, **asked}
                own = self._restated(frozen, asked)
                if frozen.state.is_finished():
                    self._finished[frozen.number] = own
                    self._params[frozen.number] = frozenset(frozen.params)
            trials.append(own)
        self._count(proposals, values, without)
        return tuple(trials)

    def _count(
        self,
        proposals: Mapping[int, Proposal],
        values: Mapping[int, Mapping[str, Value]],
        without: int | None,
    ) -> None:
        """Counts proposals as tried that were answered as far as the objective allows.

        Where its ranges are narrower, or it asks for less, the same proposal would be answered by
        the same again. Not those of trials that had some values before, as enqueued ones have, nor
        of those that failed on the way. Optuna's `HyperbandPruner` shows only some trials.
        """
        for number in proposals.keys() - self._counted - {without}:
            configuration, given = proposals[number].configuration, values.get(number, {})
            own, asked = self._finished.get(number), self._params.get(number, frozenset())
            is_ended = own is not None and own.state in ("complete", "stopped")
            if configuration.keys() <= given.keys() or (is_ended and asked <= given.keys()):
                self._counted.add(number)
                # One that was made in a smaller space would block all that agree with it.
                if self.space.contains(configuration):
                    for tried in (self.asked, self.tried):
                        tried.add(self.space, configuration)

    def _restated(self, frozen: FrozenTrial, asked: Mapping[str, Value]) -> Trial:
        state = FROM_OPTUNA[frozen.state]
        values = tuple(frozen.values or ()) if state == "complete" else ()
        if not all(math.isfinite(value) for value in values):
            state, values = "failed", ()
        configuration = restate(self.space, asked, moves_inside=True).configuration
        # A trial that still asks, or crashed while asking, lacks hyperparameters: counted as tried
        # it would block all configurations that agree with it in the few that it has.
        if state in ("complete", "stopped") or self.space.contains(configuration):
            for tried in (self.asked, self.tried):
                tried.add(self.space, configuration)
        return Trial(
            number=frozen.number, state=state, configuration=configuration, values=values,
            constraints=dict(frozen.constraints), curves=_curves(frozen),
            reason=stated_reason(frozen), **stated_cost(frozen),
        )  # fmt: skip


def _curves(frozen: FrozenTrial) -> dict[str, dict[int, float]]:
    """Returns what a trial's study has of its curves: attribute CURVES, or reported values."""
    told = frozen.user_attrs.get(CURVES)
    if told:
        return {name: {int(e): float(v) for e, v in each.items()} for name, each in told.items()}
    if frozen.intermediate_values:
        return {REPORTED: dict(frozen.intermediate_values)}
    return {}


@dataclass(frozen=True)
class ObservedData:
    """The results on this task, one row for each trial.

    Attributes:
        configurations: What was tried.
        points: Encoded configurations, `(n, columns)`.
        losses: What is modelled, `(n, k)`: the objectives, then the constraints if roles make any.
        objective_losses: The objectives alone, `(n, objectives)`; infeasible trials are last.
        own: The number of this search's own rows, which come last.
        variances: Of values that are predicted (`predicted_ends.py`), on the models' scale, `(n,)`.
        is_measured: Which rows are of complete trials, `(n,)`.
    """

    configurations: Sequence[Mapping[str, Value]]
    points: Floats
    losses: Floats
    objective_losses: Floats
    own: int
    variances: Floats
    is_measured: NDArray[np.bool_]


def observed_data(context: Context, same_task: Sequence[Trial], space: SearchSpace) -> ObservedData:
    """Returns the results that are known when a proposal is asked for.

    Args:
        context: This search; its trials without a result or a configuration do not count.
        same_task: Prior trials of this task with comparable values.
        space: The space that encodes the configurations.
    """
    own = [
        trial
        for trial in context.trials
        if trial.state in ("complete", "stopped") and trial.configuration
    ]
    ends = predicted_ends([*same_task, *own], context.objectives)
    is_measured = np.array([each.state == "complete" for each in ends.trials], dtype=bool)
    rows = with_constraints(ends.trials, context.objective_model)
    configurations = [row.configuration for row in rows]
    objective_losses = losses = losses_of(rows, context.objectives)
    if context.objective_model is not None:
        losses = losses_of(unfolded(rows), context.objective_model.modelled)
    points = encode(space, configurations)
    return ObservedData(
        configurations, points, losses, objective_losses, len(own), ends.variances,
        is_measured,
    )  # fmt: skip
