"""What trials cost, in hours of the GPUs, or else of the CPU cores, that a trial is given.

The cost is what was reserved, the time trained times the resources of a trial, as a cluster charges
it. How busy the cores were is not measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from search.history.plurals import counted
from search.spec.load import stored_document
from search.spec.sections import Resources


@dataclass(frozen=True)
class Cost:
    """What one trial occupies while it runs: `amount` of "GPU" or of "core"."""

    amount: float
    unit: str

    def hours(self, seconds: float) -> float:
        """GPU-hours or core-hours that this many seconds of trials take."""
        return self.amount * seconds / 3600

    def in_words(self, hours: float) -> str:
        """Hours without their sign, in a readable unit: "3.2 GPU-hours", "40 core-seconds"."""
        factor, unit = self.readable_unit(hours)
        size = abs(hours) * factor
        return f"{size:.{1 if size < 10 and factor < 3600 else 0}f} {unit}"

    def readable_unit(self, hours: float) -> tuple[int, str]:
        """The unit that hours are read in, and how many of it an hour has."""
        for name, factor in (("hours", 1), ("minutes", 60)):
            if abs(hours) * factor >= 1:
                return factor, f"{self.unit}-{name}"
        return 3600, f"{self.unit}-seconds"


def cost_of(spec_yaml: str) -> Cost | None:
    """Reads the cost of a trial from a stored spec; None if the spec does not state it.

    The rest of the spec is not read: a report must not fail because a data set has moved.
    """
    try:
        resources = Resources.model_validate(stored_document(spec_yaml)["resources"])
    except (ValueError, KeyError, RecursionError):  # an anchor may contain itself
        return None
    return cost_of_resources(resources)


def cost_of_resources(resources: Resources) -> Cost:
    """What one trial with these resources occupies."""
    if resources.gpus > 0:
        return Cost(resources.gpus, "GPU")
    return Cost(resources.cpus, "core")


def saved_in_words(trials: float, hours: float | None, cost: Cost | None) -> str:
    """What was saved or lost: "saved 3 trials and 2.1 GPU-hours"."""
    count = f"{_verb(trials)} {counted(abs(trials), 'trial') if trials else 'no trial'}"
    if hours is None or cost is None or abs(hours) * 3600 < 0.5:
        return count
    if trials * hours > 0:
        return f"{count} and {cost.in_words(hours)}"
    return f"{count}, and {_verb(hours)} {cost.in_words(hours)}"


def _verb(number: float) -> str:
    return "lost" if number < 0 else "saved"
