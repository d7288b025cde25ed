"""Metrics of a classifier's predictions, by scikit-learn, and the table of its classes.

Macro-F1 gives every class the same weight; the Matthews correlation (Gorodkin 2004 for more than
two classes) is 0 for random guesses whatever the class balance. Accuracy has neither property.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Classes = npt.NDArray[np.int64]  # (n,)


def classification_scores(truth: Classes, predicted: Classes, classes: int) -> dict[str, float]:
    """Return accuracy, macro-F1 in [0, 1] and Matthews correlation in [-1, 1]; larger is better.

    Macro-F1 is over all `classes`; one that neither occurs nor is predicted counts as 0, so that
    values are comparable between splits.

    Raises:
        ValueError: there are no examples, or the lengths differ.
    """
    # Imported here: scikit-learn takes a second, and images are evaluated without it.
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    if not len(truth):
        raise ValueError("no examples to score")
    every = list(range(classes))
    macro = f1_score(truth, predicted, labels=every, average="macro", zero_division=0)
    return {
        "accuracy.clean": float(accuracy_score(truth, predicted)),
        "f1.macro": float(macro),
        "matthews": float(matthews_corrcoef(truth, predicted)),
    }


def classification_table(truth: Classes, predicted: Classes, label_names: Sequence[str]) -> str:
    """Return precision, recall, F1 and support of every class, with averages, as text."""
    from sklearn.metrics import classification_report

    return str(
        classification_report(
            truth, predicted, labels=list(range(len(label_names))),
            target_names=list(label_names), digits=4, zero_division=0,
        )
    )  # fmt: skip
