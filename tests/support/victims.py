"""A victim of attacks on texts whose every answer is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.adversarial.text.attack import TextPrediction

Text = tuple[str, ...]


class Scripted:
    """A victim by a function of text and example; remembers how many texts each call held."""

    def __init__(self, predict: Callable[[Text, int], TextPrediction]) -> None:
        self._predict = predict
        self.calls: list[int] = []

    def predict(self, texts: Sequence[Text], examples: Sequence[int]) -> list[TextPrediction]:
        self.calls.append(len(texts))
        return [self._predict(*pair) for pair in zip(texts, examples, strict=True)]
