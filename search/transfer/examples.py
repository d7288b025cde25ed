"""The number of examples behind each metric of a search's trials.

Trainings on texts report them with their metrics, and every final evaluation does. Those behind the
objectives of images follow from the task's fingerprint. Both come from a store that others write
to, so nothing in them is taken for granted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.data.validation_split import FEWEST, sizes
from models.hyperparameters.hyperparameter import LARGEST_COUNT
from models.scores.metric_names import MetricName
from search.history import Search, Trial
from search.spec.spec import MEASURED_ON


@dataclass(frozen=True)
class Examples:
    """How many examples are behind a metric: "149", or "505 sentences, 467 entities".

    Attributes:
        count: Number of examples.
        entities: Number of true entities in them, where the metric counts entities.
    """

    count: int
    entities: int | None = None

    def __str__(self) -> str:
        if self.entities is None:
            return str(self.count)
        return f"{self.count} sentences, {self.entities} entities"


@dataclass(frozen=True)
class ValidationExamples:
    """Numbers of examples of the validation split; None where they are not known.

    Attributes:
        clean: Behind an objective without an attack, the objective part.
        attacked: Behind an objective under attack.
        confirmed: Those that targeted APGD attacked too.
        reported: Metric -> last value of a trial that reports the numbers itself, which count.
    """

    clean: int | None = None
    attacked: int | None = None
    confirmed: int | None = None
    reported: Mapping[str, float] = field(default_factory=dict)

    def behind(self, metric: str) -> Examples | None:
        """The number behind a metric of the validation split."""
        name = MetricName.parse(metric)
        if (found := reported_examples(self.reported, name)) is not None:
            return found
        count = self.attacked if name.is_attacked else self.clean
        return None if count is None else Examples(count)


def reported_examples(values: Mapping[str, float], name: MetricName) -> Examples | None:
    """The number of examples behind a metric among a trial's last values; None if not reported."""
    count = _number(values, name.examples_metric(values))
    return None if count is None else Examples(count, _number(values, name.entities_metric(values)))


def validation_examples(search: Search, trials: Sequence[Trial] = ()) -> ValidationExamples:
    """The numbers of examples that gave a search's objectives.

    Args:
        search: The search.
        trials: Trials of it, which all have the same numbers.
    """
    values = (trial.last_values for trial in trials)
    reported = next((each for each in values if "examples" in each), {})
    data, threat = (search.fingerprint.get(name) for name in ("data", "robustness"))
    every = stated_count(data, "validation")
    if every is None or not isinstance(threat, dict):
        return ValidationExamples(every, reported=reported)
    is_of_images = "norm" in threat
    is_cut = is_of_images or MEASURED_ON in search.fingerprint
    clean = sizes(every)[1] if is_cut and every >= FEWEST else every
    attacked = _least(clean, stated_count(threat, "examples"))
    confirmed = _least(attacked, stated_count(threat, "confirm_examples")) if is_of_images else None
    return ValidationExamples(clean, attacked, confirmed, reported)


def _number(values: Mapping[str, float], metric: str | None) -> int | None:
    value = math.nan if metric is None else values[metric]
    return int(value) if 1 <= value < LARGEST_COUNT else None


def stated_count(part: Any, name: str) -> int | None:
    """The number of examples that a part of a fingerprint states; None if it is none."""
    found = part.get(name) if isinstance(part, dict) else None
    is_count = isinstance(found, int) and not isinstance(found, bool) and 0 < found < LARGEST_COUNT
    return found if is_count else None


def _least(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else min(first, second)
