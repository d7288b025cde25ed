"""What trials cost: hours of the GPUs, or else of the CPUs, that a trial is given.

A trial's seconds are those between the start and the end of its run, so a trial that was
interrupted and resumed also counts the time between.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from search.spec.parts import Resources


@dataclass(frozen=True)
class Cost:
    """What one trial occupies while it runs: `amount` of "GPU" or of "CPU"."""

    amount: float
    unit: str

    def hours(self, seconds: float) -> float:
        """GPU-hours or CPU-hours of that many seconds of trials."""
        return self.amount * seconds / 3600

    def in_words(self, hours: float) -> str:
        """Hours without their sign in a unit that reads well: "3.2 GPU-hours", "40 CPU-seconds"."""
        size = abs(hours)
        for name, factor in (("hour", 1.0), ("minute", 60.0)):
            if size * factor >= 1:
                return f"{_rounded(size * factor)} {self.unit}-{name}s"
        return f"{size * 3600:.0f} {self.unit}-seconds"


def cost_of(spec_yaml: str) -> Cost | None:
    """The cost of a trial of a stored spec; None if the spec does not say it.

    The rest of the spec is not looked at: a report must not fail because a data set has moved.
    """
    try:
        document = yaml.safe_load(spec_yaml)
        resources = Resources.model_validate(document["resources"])
    except (yaml.YAMLError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if resources.gpus > 0:
        return Cost(resources.gpus, "GPU")
    return Cost(resources.cpus, "CPU")


def saved_in_words(trials: float, hours: float | None, cost: Cost | None) -> str:
    """What was saved or lost: "saved 3 trials and 2.1 GPU-hours"."""
    unit = "trial" if abs(trials) == 1 else "trials"
    count = _signed(trials, "no trial", f"{abs(trials):g} {unit}")
    if not hours or cost is None:
        return count
    if trials * hours > 0:
        return f"{count} and {cost.in_words(hours)}"
    return f"{count}, and {_signed(hours, '', cost.in_words(hours))}"


def _signed(number: float, nothing: str, text: str) -> str:
    if number == 0:
        return f"saved {nothing}"
    return f"{'saved' if number > 0 else 'lost'} {text}"


def _rounded(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
