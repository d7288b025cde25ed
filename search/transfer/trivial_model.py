"""Whether a trained model is better than one that has learned nothing, by its stored scores.

A classifier has learned something if its accuracy is above the share of the most frequent class,
or Matthews' coefficient above 0, beyond noise. Of two classes n times the squared coefficient is
Pearson's chi-squared; of more, its variance without learning is at most 1/n, so the same bound is
cautious. A tagger has if it finds any entity, a language model if its perplexity is below that of
equally likely tokens. Not for judging how good a model is, nor what fine-tuning added to a base.
"""

from __future__ import annotations

import math

from scipy.stats import binomtest

from models.scores.metric_names import on_split
from models.scores.trivial import TrivialScores
from search.history import Trial

# One-sided 5 %: of models that learned nothing, one in twenty passes unnoticed for each of the two
# scores.
_LEVEL, _SIGMAS = 0.05, 1.645


def why_trivial(trial: Trial, trivial: TrivialScores, sizes: dict[str, int]) -> str:
    """Return why a model is no better than a trivial one; empty if it is, or nothing is known.

    Args:
        trial: With its metrics. Those on the test split count, where it was evaluated there.
        trivial: Scores without learning.
        sizes: Split -> number of its examples. Where a score rests on part of them, its noise is
            underestimated, and fewer models are called trivial.
    """
    for split in ("test", "validation"):
        of = {
            name: _last(trial, on_split(split, name))
            for name in ("accuracy.clean", "matthews", "f1.clean", "perplexity")
        }
        if not math.isnan(of["f1.clean"]):
            found = "it finds no entity of the {} split correctly (F1 0)"
            return found.format(split) if of["f1.clean"] <= 0 else ""
        if not math.isnan(of["perplexity"]):
            return _of_language(split, of["perplexity"], trivial.perplexity)
        accuracy = of["accuracy.clean"]  # from a store, which may hold a share of 1.5
        if 0.0 <= accuracy <= 1.0 and split in trivial.shares and sizes.get(split):
            share, number = trivial.shares[split], sizes[split]
            return _of_classes(split, accuracy, of["matthews"], share, number)
    return ""


def _of_classes(split: str, accuracy: float, matthews: float, share: float, number: int) -> str:
    right = round(accuracy * number)
    is_above = binomtest(right, number, share, alternative="greater").pvalue < _LEVEL
    if is_above or matthews * math.sqrt(number) > _SIGMAS:  # of NaN neither
        return ""
    return (
        f"its accuracy on the {split} split is {accuracy:.3f}, and always answering the most "
        f"frequent class reaches {share:.3f}: of {number} examples no difference beyond noise"
    )


def _of_language(split: str, perplexity: float, uniform: float | None) -> str:
    if uniform is None or perplexity < uniform:
        return ""
    return (
        f"its perplexity on the {split} split is {perplexity:.4g}, and {uniform:.4g} if all tokens "
        "are equally likely"
    )


def _last(trial: Trial, metric: str) -> float:
    if metric in trial.by_metric:
        return float(trial.by_metric[metric])
    return trial.last(metric) if trial.curves.get(metric) else math.nan
