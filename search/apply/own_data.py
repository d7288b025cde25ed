"""The data of this task: the trials of a study, kept up to date, and what a model sees of them.

Prior trials of the very same task come first, as they are, and this search's own trials last, one
row a trial. Not for other tasks: these are `task_models.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.apply.gaussian_process import Floats
from search.apply.objective_model import unfolded, with_constraints
from search.apply.scores import losses_of
from search.apply.source import Context, Proposal, Tried
from search.history import Trial
from search.history.states import FROM_OPTUNA
from search.space import SearchSpace, Value
from search.space.encoding import encode
from search.space.restating import restate


class OwnTrials:
    """A study's trials, restated in one space.

    Attributes:
        space: That space.
        asked: What the study asked for.
        tried: The same, and what the caller adds: what was tried elsewhere.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Starts without trials."""
        self.space = space
        self.asked, self.tried = Tried(), Tried()
        self._finished: dict[int, Trial] = {}

    def update(
        self,
        study: optuna.Study,
        proposals: Mapping[int, Proposal],
        values: Mapping[int, Mapping[str, Value]],
        without: int | None = None,
    ) -> tuple[Trial, ...]:
        """The study's trials now, by number, except the one being asked for.

        Args:
            study: Waiting trials in it do not count; they have no configuration yet.
            proposals: Those for running trials; they stand for what these have not asked yet.
            values: What trials were given. Where two choices are equal in Python, as 0 and False
                are, Optuna records the first one, whichever was tried.
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
            trials.append(own)
        return tuple(trials)

    def _restated(self, frozen: FrozenTrial, asked: Mapping[str, Value]) -> Trial:
        state = FROM_OPTUNA[frozen.state]
        values = tuple(frozen.values or ()) if state == "complete" else ()
        if not all(math.isfinite(value) for value in values):
            state, values = "failed", ()
        configuration = restate(self.space, asked, moves_inside=True).configuration
        # A trial still asking, or one that crashed while asking, lacks hyperparameters it would
        # have had: as tried it would block all that agree with the few it has.
        if state in ("complete", "stopped") or self.space.contains(configuration):
            for tried in (self.asked, self.tried):
                tried.add(self.space, configuration)
        return Trial(
            number=frozen.number, state=state, configuration=configuration, values=values,
            constraints=dict(frozen.constraints),
        )  # fmt: skip


@dataclass(frozen=True)
class ObservedData:
    """What was measured on this task, one row a trial.

    Attributes:
        points: Encoded configurations.
        losses: What is modelled: the objectives, and where roles say so constraints behind them.
        judged: The objectives alone, those that violate constraints last.
        own: How many of the rows are this search's own, at the end.
    """

    configurations: Sequence[Mapping[str, Value]]
    points: Floats
    losses: Floats
    judged: Floats
    own: int


def observed_data(context: Context, same_task: Sequence[Trial], space: SearchSpace) -> ObservedData:
    """What was seen when a proposal is asked for.

    Args:
        context: This search; its trials without a result or a configuration are no rows.
        same_task: Prior trials of this very task with comparable values.
        space: Encodes the configurations.
    """
    own = [trial for trial in context.trials if trial.state in ("complete", "stopped")]
    own = [trial for trial in own if trial.configuration]
    rows = with_constraints([*same_task, *own], context.steering)
    configurations = [row.configuration for row in rows]
    points = encode(space, configurations)
    judged = losses = losses_of(rows, context.objectives)
    if context.steering is not None:
        losses = losses_of(unfolded(rows), context.steering.modelled)
    return ObservedData(configurations, points, losses, judged, len(own))
