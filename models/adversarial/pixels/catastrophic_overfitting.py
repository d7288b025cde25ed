"""Catastrophic overfitting: a network becomes robust to single-step attacks only.

In training by single steps this can happen within an epoch: the accuracy under FGSM rises, the one
under PGD collapses and does not recover (Wong et al. 2020, section 5.4; Andriushchenko & Flammarion
2020). The check does not apply to plain training, whose two accuracies differ as well.

NOTE: None of 21 trainings by FGSM on digits (L-infinity 0.1 to 0.3, steps of 1.25 to 4 epsilon, 12
to 40 epochs, several shapes) collapsed: the accuracy under FGSM was up to 0.3 above PGD's, but
PGD's did not fall. So the rule has raised no false alarm; that it detects a collapse rests on its
sources.
"""

from __future__ import annotations

from dataclasses import dataclass

# FGSM's accuracy must exceed PGD's, and PGD's must have fallen from its best, by more than this:
# the code of Wong et al. 2020 stops at a fall by 0.2. It is over three standard errors for 74
# images.
_FALL = 0.2
# PGD's accuracy must be below this share of its best. Robust overfitting (Rice et al. 2020) costs
# less than that and is no collapse.
_LEFT = 0.5


@dataclass(frozen=True)
class Collapse:
    """Whether a training has collapsed so far, and its best PGD accuracy."""

    seen: bool = False
    best: float = 0.0

    def after(self, fgsm: float, pgd: float) -> Collapse:
        """Return the state after an epoch with these accuracies; a collapse stays seen."""
        has_fallen = self.best - pgd > _FALL and pgd < _LEFT * self.best
        collapsed = has_fallen and fgsm - pgd > _FALL
        return Collapse(self.seen or collapsed, max(self.best, pgd))
