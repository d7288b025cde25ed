"""Control: an arm of trials that know nothing of history, to measure what history is worth.

Of the first `2 * trials` trials every second is proposed as a search without history would propose
it, from the control trials alone; the others do not see these until the arm is full. Both arms can
then be compared at equal numbers of trials. Afterwards all trials serve one model.

Source: the randomised control of any trial; Fisher 1935, "The design of experiments", chapter 2.
"""

from __future__ import annotations

from dataclasses import replace

from search.apply.history_model import HistoryModel
from search.apply.opening import Opening
from search.apply.positions import Positions
from search.apply.source import Proposal, Situation, Tried, seed_of


class Control:
    """A source for the control trials; None for all others."""

    def __init__(self, trials: int, positions: Positions, seed: int) -> None:
        self._trials = trials
        self._sources = (
            Opening(positions),
            HistoryModel([], {}, positions, [], seed_of(seed, "control")),
        )

    def holds(self, number: int) -> bool:
        """Whether a trial belongs to the arm, by its number."""
        return number < 2 * self._trials and number % 2 == 1

    def propose(self, situation: Situation) -> Proposal | None:
        """What a search of the control trials alone would try next; None to leave it to chance."""
        arm = tuple(trial for trial in situation.trials if self.holds(trial.number))
        tried = Tried()
        for trial in arm:
            tried.add(situation.space, trial.configuration)
        for source in self._sources:
            proposal = source.propose(replace(situation, trials=arm, tried=tried))
            if proposal is not None:
                return proposal
        return None

    def hidden(self, situation: Situation) -> Situation:
        """The situation of a trial that is not of the arm: without it until it is full."""
        if situation.number >= 2 * self._trials:
            return situation
        others = tuple(trial for trial in situation.trials if not self.holds(trial.number))
        return replace(situation, trials=others)
