"""The warnings that the confirmation of a trial raises, read from its metrics.

The metrics travel with the trial, so the search's console, `show` and the report give the same
warnings, also of a search that was resumed or of a store. Imports no torch. The measurements are in
gradient_masking_nearby.py and pixels/confirmation.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from models.adversarial.checks.warning import GradientMaskingWarning
from models.scores.metric_names import unconfirmed

# The warning that an accuracy was replaced; the others say that it may be false all the same.
REPLACED_NAME = "the robust accuracy was replaced"
# Metrics of a confirmed trial.
GAP, REPLACED = "robustness.gap", "robustness.replaced"
BLACK_BOX = "robustness.black_box"  # 1 if Square finds too many errors that gradients miss
JUMPS = "robustness.jumps"  # see gradient_masking_nearby.Nearby, as the next
GRADIENT_ERROR = "robustness.gradient_error"
VANISHED = "robustness.vanished"

# Change of a logit under a jitter of 1e-6, as a share of the logits' spread. In calibration
# (digits, 15 seeds from 100) it was at most 4e-5 in honest networks, steep tanh ones among them,
# which is rounding; with inputs rounded to bytes at most 0.022 in four; networks chosen by a hash
# or at random, with noise, labels alone or inputs of four levels had 0.3 or more near most images.
JUMP = 0.1
JUMPS_MOST = 0.05
# The same networks: at most 0.10 of honest ones (steep tanh), others with rectifiers 0.02 to 0.09,
# with inputs rounded to bytes 0.07 to 0.14 (four); 1 or more where the gradient is detached,
# inverted or random, or inputs are rounded to few levels.
GRADIENT_ERROR_MOST = 0.3
# On digits seven honest networks, robust and very weak ones among them, have none; logits times 20
# behind a softmax have 0.73, times 100 0.99.
VANISHED_MOST = 0.05
# The error of a gradient that cannot be computed or is not finite: metrics are finite numbers.
NO_GRADIENT = 1e9

_REMEDY = (
    "rely on the smaller accuracy, and evaluate the trial by `twentieth attack` and by an attack "
    "that is made for this network (Tramer et al. 2020)"
)


def search_warnings(metrics: Mapping[str, float]) -> list[GradientMaskingWarning]:
    """Return the warnings of a trial whose robust accuracy was confirmed; [] if it was not.

    Args:
        metrics: the metrics of its last epoch, by name.
    """
    found = [
        _replaced(metrics),
        _black_box(metrics),
        jumps_warning(metrics.get(JUMPS, 0.0)),
        gradient_warning(metrics.get(GRADIENT_ERROR, 0.0)),
        vanished_warning(metrics.get(VANISHED, 0.0)),
    ]
    return [warning for warning in found if warning is not None]


def doubts(metrics: Mapping[str, float]) -> list[GradientMaskingWarning]:
    """Return the warnings for which a robust accuracy may be false; [] if it can be relied on.

    All but that of an accuracy replaced by APGD alone. Where gradients mislead, only Square has
    measured the model, which is weaker: two digits networks without a gradient kept 0.56 under it
    in L2, where 0.34 and 0.37 are true.

    Args:
        metrics: the metrics of its last epoch, by name.
    """
    return [each for each in search_warnings(metrics) if each.name != REPLACED_NAME]


def is_only_corrected(names: Iterable[str]) -> bool:
    """Whether warnings, by their names, say that an accuracy was replaced and no more."""
    return set(names) == {REPLACED_NAME}


def jumps_warning(share: float) -> GradientMaskingWarning | None:
    """Return the warning of a share of images near which the outputs jump, if it is too large."""
    if not share > JUMPS_MOST:  # NaN from a store is no warning
        return None
    return GradientMaskingWarning(
        "the outputs jump",
        f"near over {JUMPS_MOST:.0%} of the images a change of 1e-6 in each pixel moves a logit by "
        f"over {JUMP:.0%} of the logits' spread, next to the image or at the boundary between two "
        "classes",
        "the outputs are discontinuous or random, so that no attack by gradients can follow them; "
        "every accuracy under one is too high",
        _REMEDY,
        f"{share:.0%} of the images",
    )


def gradient_warning(error: float) -> GradientMaskingWarning | None:
    """Return the warning of a gradient's relative error, if it is too large."""
    if not error > GRADIENT_ERROR_MOST:
        return None
    return GradientMaskingWarning(
        "the gradient is not that of the outputs",
        "along a random direction the gradient of the margin misses its change by over "
        f"{GRADIENT_ERROR_MOST:.0%} of it, over 1e-3 in each pixel and over two grey levels",
        "part of the outputs has no gradient, or another one (detached, rounded, replaced), so "
        "that attacks by gradients go astray",
        _REMEDY,
        "no finite gradient" if error >= NO_GRADIENT else f"relative error {error:.2f}",
    )


def vanished_warning(share: float) -> GradientMaskingWarning | None:
    """Return the warning of a share of images without a gradient left, if it is too large."""
    if not share > VANISHED_MOST:
        return None
    return GradientMaskingWarning(
        "gradients vanish",
        f"for over {VANISHED_MOST:.0%} of the images the margin's gradient is zero or denormal, "
        "though the model answers several classes",
        "the outputs are flat around these images, as behind a softmax of large logits: attacks by "
        "gradients make no progress, Square sees no slope either, and every accuracy is too high",
        "return the outputs before the softmax, sigmoid or rounding, train and attack again",
        f"{share:.0%} of the images",
    )


def _replaced(metrics: Mapping[str, float]) -> GradientMaskingWarning | None:
    if metrics.get(REPLACED) != 1.0:
        return None
    changes = "; ".join(
        f"{name} was {metrics[unconfirmed(name)]:.4f} and is now {value:.4f}"
        for name, value in metrics.items()
        if unconfirmed(name) in metrics
    )
    return GradientMaskingWarning(
        REPLACED_NAME,
        "stronger attacks (targeted APGD, Square) misclassify more examples than the search's own, "
        "by more than two standard errors",
        "a few steps of PGD, the search's own attack, overstated this model, as they often do by a "
        "little. That alone is no sign of masked gradients, which other warnings name",
        "rely on the smaller accuracy, which is the one that counts, or on AutoAttack's: that of "
        "the test split, or `twentieth attack`",
        f"a gap of {metrics.get(GAP, math.nan):.4f}; {changes}",
    )


def _black_box(metrics: Mapping[str, float]) -> GradientMaskingWarning | None:
    share = metrics.get(BLACK_BOX, 0.0)
    if not share > 0:
        return None
    return GradientMaskingWarning(
        "an attack without gradients beats those with",
        "Square misclassifies at least four images that withstand PGD and targeted APGD, more than "
        "two standard errors",
        "random search finds errors that the gradients hide",
        _REMEDY,
        f"{share:.1%} of the images",
    )
