"""What the first trial of a new search will cost: the first configuration is known beforehand.

On a task that was searched before it is usually the best known one, whose cost was measured. The
cost of another one is that of the cost model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from scipy.stats import norm

from search.apply.prior_data import PriorData
from search.extract.costs import cost_model, costs_of
from search.extract.noise import configuration_key
from search.space import SearchSpace, Value
from search.space.encoding import encode
from search.transfer.cost_interval import LEAST_DEVIATION
from search.transfer.past_costs import LEAST_SECONDS, MOST_SECONDS, PastCosts


@dataclass(frozen=True)
class FirstTrial:
    """The cost of the first trial.

    Attributes:
        seconds: The seconds expected.
        deviation: Standard deviation of their natural logarithm.
    """

    seconds: float
    deviation: float

    @property
    def least_seconds(self) -> float:
        """The lower end of its 95 % interval."""
        return self.seconds * math.exp(-float(norm.ppf(0.975)) * self.deviation)


def first_trial(
    configuration: Mapping[str, Value],
    task: str,
    costs: PastCosts,
    prior: PriorData,
    space: SearchSpace,
) -> FirstTrial | None:
    """The cost of the first configuration of a search; None if nothing tells it.

    Args:
        configuration: The configuration.
        task: The id of the search's task.
        costs: What earlier searches cost.
        prior: The earlier trials in the search's space.
        space: That space.
    """
    key = configuration_key(configuration)
    before = [
        trial.seconds
        for each in costs.of_task(task)
        for trial in each.trials
        if trial.state == "complete" and configuration_key(trial.configuration) == key
    ]
    if before:
        deviation = LEAST_DEVIATION * math.sqrt(1.0 + 1.0 / len(before))
        return FirstTrial(math.exp(fmean(map(math.log, before))), deviation)
    others = costs_of([], space) if prior.costs is None else prior.costs
    model = cost_model(others, costs_of(prior.same_task, space))
    if model is None or math.isnan(model.level):
        return None
    logarithm = float(model.log_cost(encode(space, [configuration]))[0])
    if model.unit == "work":
        if costs.speed is None:
            return None
        logarithm -= math.log(costs.speed.flop_per_second)
    if not math.log(LEAST_SECONDS) <= logarithm <= math.log(MOST_SECONDS):
        return None  # no training takes that long: the model is wrong here
    return FirstTrial(math.exp(logarithm), max(model.error, LEAST_DEVIATION))
