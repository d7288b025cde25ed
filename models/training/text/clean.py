"""A model's predictions for texts without an attack: metrics, tables, and what an F1 counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.adversarial.text.entity_spans import count_entities
from models.data.text.splits import TextExamples
from models.scores.bootstrap import count_classes, count_sentences, f1_interval
from models.scores.classification import Classes, classification_scores, classification_table
from models.scores.entities import Tags, entity_scores, entity_tables
from models.training.text.encoding import Encoder
from models.training.text.predict import (
    class_logits,
    likeliest,
    likeliest_tags,
    predictions,
    tag_log_probabilities,
)
from models.training.text.ranked import MeasuredRanking


@dataclass(frozen=True, eq=False)
class MeasuredClasses:
    """True and predicted classes (n,), -1 for no answer, and the mean loss per text in nats."""

    truth: Classes
    predicted: Classes
    label_names: tuple[str, ...]
    loss: float

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name."""
        return classification_scores(self.truth, self.predicted, len(self.label_names))

    def table(self) -> dict[str, str]:
        """Return the table of classes by file name."""
        return {"classes.txt": classification_table(self.truth, self.predicted, self.label_names)}

    def intervals(self, seed: int) -> dict[str, tuple[float, float]]:
        """Return the bounds of the 95 % interval of the F1, by its metric."""
        truth, predicted = self.truth.tolist(), self.predicted.tolist()
        counted = count_classes(truth, predicted, len(self.label_names))
        return {"f1.macro": f1_interval(counted, seed)}


@dataclass(frozen=True, eq=False)
class MeasuredEntities:
    """True and predicted tags, sentence by sentence, and the mean loss per word in nats."""

    truth: Tags
    predicted: Tags
    loss: float

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name."""
        return entity_scores(self.truth, self.predicted)

    def table(self) -> dict[str, str]:
        """Return the tables of entity types and of tags by file name."""
        return {"entities.txt": entity_tables(self.truth, self.predicted)}

    def intervals(self, seed: int) -> dict[str, tuple[float, float]]:
        """Return the bounds of the 95 % interval of the F1, by its metric."""
        return {"f1.clean": entities_interval(self.truth, self.predicted, seed)}


@dataclass(frozen=True)
class MeasuredAnswers:
    """The share of answer tokens predicted, and the mean loss per token in nats."""

    accuracy: float
    loss: float

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name; the perplexity is the exponential of the loss."""
        # A perplexity above 1e300 would overflow, and means the same: the model predicts nothing.
        return {"perplexity": math.exp(min(self.loss, 690.0)), "accuracy.clean": self.accuracy}

    def table(self) -> dict[str, str]:
        """Return no table."""
        return {}

    def intervals(self, seed: int) -> dict[str, tuple[float, float]]:
        """Return nothing: there is no F1."""
        return {}


Measured = MeasuredClasses | MeasuredRanking | MeasuredEntities | MeasuredAnswers


def entities_interval(truth: Tags, predicted: Tags, seed: int) -> tuple[float, float]:
    """Return the bounds of the 95 % interval of the F1 of entities, given all words' tags."""
    found = [count_entities(*pair) for pair in zip(truth, predicted, strict=True)]
    counts = count_sentences((each.right, each.predicted, each.true) for each in found)
    return f1_interval(counts, seed)


def measure(
    model: nn.Module, encoder: Encoder, examples: TextExamples, label_names: Sequence[str]
) -> Measured:
    """Return a model's predictions for examples, at least one.

    The loss is plain cross-entropy, whatever the training loss is.
    """
    if encoder.kind == "classification":
        return _classes(model, encoder, examples, label_names)
    if encoder.kind == "entities":
        return _tags(model, encoder, examples, label_names)
    answers = predictions(model, encoder, encoder.encode(examples.texts, examples.labels))
    tokens = sum(answer.tokens for answer in answers)
    loss = -sum(answer.log_probability for answer in answers) / tokens
    return MeasuredAnswers(sum(answer.hits for answer in answers) / tokens, loss)


def _classes(
    model: nn.Module, encoder: Encoder, examples: TextExamples, label_names: Sequence[str]
) -> MeasuredClasses:
    truth = np.asarray(examples.labels, dtype=np.int64)
    logits = class_logits(model, encoder, encoder.encode(examples.texts))
    loss = float(functional.cross_entropy(logits, torch.from_numpy(truth)))
    return MeasuredClasses(truth, likeliest(logits).numpy(), tuple(label_names), loss)


def _tags(
    model: nn.Module, encoder: Encoder, examples: TextExamples, names: Sequence[str]
) -> MeasuredEntities:
    lengths = [len(words) for words in examples.texts]
    answers = tag_log_probabilities(model, encoder, encoder.encode(examples.texts), lengths)
    predicted = [likeliest_tags(found, names) for found in answers]
    truth = [[names[tag] for tag in tags] for tags in examples.labels]
    at = torch.tensor([tag for tags in examples.labels for tag in tags])[:, None]
    loss = -float(torch.cat(answers).gather(1, at).mean())
    return MeasuredEntities(truth, predicted, loss)
