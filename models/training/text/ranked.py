"""A model's ranking of groups of texts: its metrics, their intervals, and its table.

What `clean.py` has for the other kinds of task. The table sets the model next to popularity, for a
model that ranks no better than it has learned nothing about its users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.adversarial.text.attack import AttackResult
from models.adversarial.text.goals import ranked_by
from models.data.text.splits import TextExamples
from models.scores.bootstrap import mean_interval
from models.scores.ranking import (
    ROBUST_CUTOFF,
    Floats,
    RankedGroups,
    popularity,
    rank_groups,
    ranking_table,
)
from models.training.text.encoding import Encoder
from models.training.text.predict import class_logits, relevance


@dataclass(frozen=True, eq=False)
class MeasuredRanking:
    """The metrics of every group, those of popularity, and the mean loss per text in nats."""

    ranked: RankedGroups
    popular: RankedGroups
    loss: float

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name."""
        return self.ranked.means()

    def table(self) -> dict[str, str]:
        """Return the table of both rankings by file name."""
        return {"ranking.txt": ranking_table({"model": self.ranked, "popularity": self.popular})}

    def intervals(self, seed: int) -> dict[str, tuple[float, float]]:
        """Return the bounds of each metric's 95 % interval."""
        return {name: mean_interval(each, seed) for name, each in self.ranked.values.items()}


def measure_ranking(
    model: nn.Module, encoder: Encoder, examples: TextExamples, train: TextExamples
) -> MeasuredRanking:
    """Return a model's ranking of examples, and that by popularity in `train`."""
    names = encoder.label_names
    logits = class_logits(model, encoder, encoder.encode(examples.texts))
    loss = float(functional.cross_entropy(logits, torch.tensor(examples.labels)))
    grades, groups = _grades(examples.labels, names), examples.groups or ()
    wanted = popularity(
        [texts[-1] for texts in train.texts],
        _grades(train.labels, names),
        [texts[-1] for texts in examples.texts],
    )
    ranked = rank_groups(grades, relevance(logits, names).numpy(), groups)
    return MeasuredRanking(ranked, rank_groups(grades, wanted, groups), loss)


def attacked_interval(
    examples: TextExamples, attack: AttackResult, label_names: Sequence[str], seed: int
) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of the NDCG@10 of attacked groups."""
    grades = _grades([examples.labels[text.example] for text in attack.texts], label_names)
    groups = [(examples.groups or ())[text.example] for text in attack.texts]
    name = f"ndcg_at_{ROBUST_CUTOFF}.clean"
    found = [
        rank_groups(grades, ranked_by(grades, predicted), groups).values[name]
        for predicted in (
            [text.clean for text in attack.texts],
            [text.attacked for text in attack.texts],
        )
    ]
    return mean_interval(np.minimum(*found), seed)


def _grades(labels: Sequence[int], names: Sequence[str]) -> Floats:
    return np.array([float(names[label]) for label in labels])
