"""One warning that a robustness figure may be false security, in three parts.

The parts are those of RobustBench's and AutoAttack's own warnings (Croce et al. 2021), with what
was measured beside them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SecurityWarning:
    """Why a robust accuracy may be too high.

    Attributes:
        name: of the check, as a short claim: "logits of extreme scale".
        raised_when: the rule, with its threshold.
        meaning: what it says about the figure.
        remedy: what to do.
        measured: the numbers of this model, in words.
    """

    name: str
    raised_when: str
    meaning: str
    remedy: str
    measured: str

    def as_markdown(self) -> str:
        """A section: the three parts, and what was measured."""
        return (
            f"## {self.name}\n\n- Raised when: {self.raised_when}\n"
            f"- What it means: {self.meaning}\n"
            f"- What to do: {self.remedy}\n- Measured: {self.measured}\n"
        )
