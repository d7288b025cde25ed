"""The number of examples behind each number of the report, as far as a task's fingerprint says.

Validation alone: what was measured after the search, on the confirmation part and on the test
split, has its number of examples with it in the trial's run. A fingerprint comes from a store that
others write to, so nothing in it is taken for granted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.data.validation_split import FEWEST, sizes
from models.scores.metric_names import MetricName
from search.history import Search


@dataclass(frozen=True)
class ValidationExamples:
    """Numbers of examples of the validation split; None where they are not known.

    Attributes:
        clean: Behind an objective without an attack. On images the objective part.
        attacked: Behind an objective under attack.
        confirmed: Those that targeted APGD attacked too.
    """

    clean: int | None = None
    attacked: int | None = None
    confirmed: int | None = None

    def behind(self, metric: str) -> int | None:
        """The number behind a metric of the validation split."""
        return self.attacked if MetricName.parse(metric).is_attacked else self.clean


def validation_examples(search: Search) -> ValidationExamples:
    """The numbers of examples that gave a search's objectives."""
    data, threat = (search.fingerprint.get(name) for name in ("data", "robustness"))
    every = _count(data, "validation")
    if every is None or not isinstance(threat, dict):
        return ValidationExamples(every)
    is_of_images = "norm" in threat
    clean = sizes(every)[1] if is_of_images and every >= FEWEST else every
    attacked = _least(clean, _count(threat, "examples"))
    confirmed = _least(attacked, _count(threat, "confirm_examples")) if is_of_images else None
    return ValidationExamples(clean, attacked, confirmed)


def _count(part: Any, name: str) -> int | None:
    found = part.get(name) if isinstance(part, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _least(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else min(first, second)
