"""What was measured on this task so far, one row a trial, as a model wants it.

Prior trials of the very same task come first, as they are, and this search's own trials last. Not
for other tasks: these are `past_tasks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.apply.constraints import beside_each_other, unfolded
from search.apply.gaussian_process import Floats
from search.apply.scores import losses_of
from search.apply.source import Situation
from search.history import Trial
from search.space import SearchSpace, Value
from search.space.encoding import encode


@dataclass(frozen=True)
class Seen:
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


def seen_in(situation: Situation, same_task: Sequence[Trial], space: SearchSpace) -> Seen:
    """What was seen when a proposal is asked for.

    Args:
        situation: This search; its trials without a result or a configuration are no rows.
        same_task: Prior trials of this very task with comparable values.
        space: Encodes the configurations.
    """
    own = [trial for trial in situation.trials if trial.state in ("complete", "stopped")]
    own = [trial for trial in own if trial.configuration]
    rows = beside_each_other([*same_task, *own], situation.steering)
    configurations = [row.configuration for row in rows]
    points = encode(space, configurations)
    judged = losses = losses_of(rows, situation.objectives)
    if situation.steering is not None:
        losses = losses_of(unfolded(rows), situation.steering.modelled)
    return Seen(configurations, points, losses, judged, len(own))
