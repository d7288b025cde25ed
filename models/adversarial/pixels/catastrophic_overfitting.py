"""Catastrophic overfitting: a network that has learned to withstand one step of an attack only.

Training by single steps can turn within an epoch: the network bends its loss so that one step
ends nowhere, FGSM's accuracy soars and PGD's collapses, and it does not come back (Wong et al.
2020, section 5.4; Andriushchenko & Flammarion 2020). Plain training is never called so: it has no
robustness to lose, though its figures part likewise.

NOTE: None of 21 trainings by FGSM on digits (L-infinity 0.1 to 0.3, steps of 1.25 to 4 epsilon, 12
to 40 epochs, several shapes) collapsed or was called so: FGSM stood up to 0.3 above PGD, but PGD
did not fall. The rule is known to be silent there; that it fires rests on its sources.
"""

from __future__ import annotations

from dataclasses import dataclass

# By how much FGSM's accuracy must exceed PGD's, and PGD's have fallen from its best: the code of
# Wong et al. 2020 stops at a fall by 0.2. It is over three standard errors of a share of 74 images.
_FALL = 0.2
# What may be left of the best PGD accuracy. Robust overfitting (Rice et al. 2020) is no collapse:
# it costs a fraction of that.
_LEFT = 0.5


@dataclass(frozen=True)
class Collapse:
    """Whether a training has collapsed so far, and the best PGD accuracy before."""

    seen: bool = False
    best: float = 0.0

    def after(self, fgsm: float, pgd: float) -> Collapse:
        """With an epoch's accuracies in [0, 1] on the same examples; once seen it stays seen."""
        has_fallen = self.best - pgd > _FALL and pgd < _LEFT * self.best
        collapsed = has_fallen and fgsm - pgd > _FALL
        return Collapse(self.seen or collapsed, max(self.best, pgd))
