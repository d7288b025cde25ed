"""A warning that a robust accuracy may be too high because gradients are masked.

Its three parts are those of RobustBench's and AutoAttack's own warnings (Croce et al. 2021); the
measured values are added.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GradientMaskingWarning:
    """Why a robust accuracy may be too high.

    Attributes:
        name: name of the check, as a short claim: "logits of extreme scale".
        raised_when: the rule and its threshold.
        meaning: what it says about the accuracy.
        remedy: what to do.
        measured: the values of this model.
    """

    name: str
    raised_when: str
    meaning: str
    remedy: str
    measured: str

    def as_markdown(self) -> str:
        """Return a section with the three parts and the measured values."""
        return (
            f"## {self.name}\n\n- Raised when: {self.raised_when}\n"
            f"- What it means: {self.meaning}\n"
            f"- What to do: {self.remedy}\n- Measured: {self.measured}\n"
        )
