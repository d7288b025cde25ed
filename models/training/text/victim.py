"""A fine-tuned model under attack: texts in, predictions compared with the truth out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from models.adversarial.text.attack import TextPrediction
from models.data.text.splits import TextExamples
from models.training.text.encoding import Encoder
from models.training.text.predict import (
    class_logits,
    is_answer,
    likeliest,
    likeliest_tags,
    predictions,
    relevance,
    tag_log_probabilities,
)


class TextVictim:
    """Predicts texts and compares them with the labels of `data`; the protocol `Victim`.

    Args:
        model: takes a batch's tensors, returns an object with `.logits`.
        encoder: encoder with the model's tokenizer; its kind is the kind of task.
        data: examples whose labels are the truth.
    """

    def __init__(self, model: nn.Module, encoder: Encoder, data: TextExamples) -> None:
        self._model, self._encoder, self._data = model, encoder, data

    def predict(
        self, texts: Sequence[tuple[str, ...]], examples: Sequence[int]
    ) -> list[TextPrediction]:
        """Return a prediction for each text; `examples[i]` is the example of text i."""
        if not texts:
            return []
        labels = [self._data.labels[example] for example in examples]
        if self._encoder.kind == "classification":
            return self._predict_classes(texts, labels)
        if self._encoder.kind == "ranking":
            return self._predict_relevance(texts, labels)
        if self._encoder.kind == "entities":
            return self._predict_tags(texts, labels)
        # A dialogue's text contains the answer, which is predicted.
        encoded = self._encoder.encode(texts, labels)
        return [
            TextPrediction(
                score=found.log_probability / max(found.tokens, 1),
                is_correct=found.hits == found.tokens,
                tags=(),
                share_correct=found.hits / max(found.tokens, 1),
                tokens=found.tokens,
            )
            for found in predictions(self._model, self._encoder, encoded)
        ]

    def _predict_classes(
        self, texts: Sequence[tuple[str, ...]], labels: Sequence[int]
    ) -> list[TextPrediction]:
        logits = class_logits(self._model, self._encoder, self._encoder.encode(texts))
        truth = torch.tensor(labels)[:, None]
        others = logits.scatter(1, truth, -torch.inf).amax(dim=1)
        margins = (logits.gather(1, truth)[:, 0] - others).where(is_answer(logits), torch.nan)
        # A tie counts as wrong.
        return [TextPrediction(score=float(m), is_correct=bool(m > 0), tags=()) for m in margins]

    def _predict_relevance(
        self, texts: Sequence[tuple[str, ...]], labels: Sequence[int]
    ) -> list[TextPrediction]:
        names = self._encoder.label_names
        logits = class_logits(self._model, self._encoder, self._encoder.encode(texts))
        answers, grades = relevance(logits, names), likeliest(logits).tolist()
        found = answers.where(is_answer(logits), torch.nan).tolist()
        signs = (1.0 if label > 0 else -1.0 for label in labels)
        return [
            TextPrediction(score=sign * each, is_correct=grade == label, tags=())
            for sign, each, grade, label in zip(signs, found, grades, labels, strict=True)
        ]

    def _predict_tags(
        self, texts: Sequence[tuple[str, ...]], labels: Sequence[Sequence[int]]
    ) -> list[TextPrediction]:
        lengths = [len(words) for words in texts]
        names = self._encoder.label_names
        answers = tag_log_probabilities(
            self._model, self._encoder, self._encoder.encode(texts), lengths
        )
        compared = []
        for found, truth in zip(answers, labels, strict=True):
            tags = likeliest_tags(found, names)
            score = float(found.gather(1, torch.tensor(truth)[:, None]).mean())
            if not bool(is_answer(found).all()):
                score = math.nan
            is_correct = tags == tuple(names[tag] for tag in truth)
            compared.append(TextPrediction(score=score, is_correct=is_correct, tags=tags))
        return compared
