"""The metrics of a model without an attack, by its kind of data: the names that each scorer gives.

The catalog lists them before anything is trained, so nothing here imports torch. Not for what they
measure (`classification.py`, `entities.py`, `ranking.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from models.scores.ranking import RANKING_METRICS

CLEAN_METRICS: Mapping[str, tuple[str, ...]] = {
    "images": ("accuracy.clean",),
    "classification": ("accuracy.clean", "f1.macro", "matthews"),
    "ranking": RANKING_METRICS,
    "entities": ("f1.clean", "precision.clean", "recall.clean", "accuracy.tokens"),
    "dialogue": ("perplexity", "accuracy.clean"),
}
