"""Predictions of a model for texts: in eval mode, float32, batched by length.

There are three kinds: the logits of a text, the log-probabilities of every word's tags, and how
well each answer of a dialogue is predicted. Batch sizes change only the last bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.adversarial.embeddings.perturbed_logits import logits_of
from models.training.text.collate import collate, length_batches
from models.training.text.encoding import IGNORED, Encoded, Encoder

# Batch size without gradients: on two CPU cores 64 short texts keep the matrix products busy; more
# gain nothing and need more padding.
_TEXTS_AT_ONCE = 64


@dataclass(frozen=True)
class Prediction:
    """How well a model predicts a dialogue's answer, each token given the true ones before it.

    `log_probability` is the sum over the answer's `tokens`, in nats; `hits` were ranked first.
    """

    log_probability: float
    tokens: int
    hits: int


def class_logits(model: nn.Module, encoder: Encoder, encoded: Sequence[Encoded]) -> Tensor:
    """Return logits (texts, classes) on the CPU, in the order of `encoded`."""
    rows: dict[int, Tensor] = {}
    for index, _, logits in _forward(model, encoder, encoded):
        rows.update(zip(index, logits, strict=True))
    return torch.stack([rows[number] for number in range(len(encoded))])


def is_answer(logits: Tensor) -> Tensor:
    """Return whether all logits (..., classes) are finite, (...)."""
    return torch.isfinite(logits).all(dim=-1)


def likeliest(logits: Tensor) -> Tensor:
    """Return the likeliest class (...) of logits (..., classes); -1, which is none, for no answer.

    `argmax` would take the place of a NaN for a class.
    """
    return logits.argmax(dim=-1).where(is_answer(logits), -1)


def likeliest_tags(log_probabilities: Tensor, names: Sequence[str]) -> tuple[str, ...]:
    """Return the likeliest tag of each word of a sentence (words, tags); "O" for no answer.

    A single word without an answer leaves the sentence without one, as a pixel does an image.
    """
    if not bool(is_answer(log_probabilities).all()):
        return ("O",) * len(log_probabilities)
    return tuple(names[tag] for tag in log_probabilities.argmax(dim=-1).tolist())


def relevance(logits: Tensor, label_names: Sequence[str]) -> Tensor:
    """Return the expected grade (texts,), float64, of logits (texts, grades): what ranks items."""
    grades = torch.tensor(
        [float(name) for name in label_names], dtype=torch.float64, device=logits.device
    )
    return torch.softmax(logits.double(), dim=-1) @ grades


def tag_log_probabilities(
    model: nn.Module, encoder: Encoder, encoded: Sequence[Encoded], lengths: Sequence[int]
) -> list[Tensor]:
    """Return for each sentence log-probabilities (words, tags) on the CPU; `lengths` in words.

    They are those of a word's first sub-token, in the window that predicts it.
    """
    sentences: dict[int, Tensor] = {}
    for index, _, logits in _forward(model, encoder, encoded):
        for number, row in zip(index, torch.log_softmax(logits, dim=-1), strict=True):
            window = encoded[number]
            empty = torch.full((lengths[window.example], row.shape[-1]), torch.nan)
            at = [(token, word) for token, word in enumerate(window.words) if word is not None]
            tokens, words = [token for token, _ in at], [word for _, word in at]
            sentences.setdefault(window.example, empty)[words] = row[tokens]
    return [sentences[number] for number in range(len(lengths))]


def predictions(model: nn.Module, encoder: Encoder, encoded: Sequence[Encoded]) -> list[Prediction]:
    """Return how well each dialogue's answer is predicted, in the order of `encoded`."""
    found: dict[int, Prediction] = {}
    for index, batch, logits in _forward(model, encoder, encoded):
        # The logits at a token predict the next one.
        ahead, labels = logits[:, :-1], batch["labels"][:, 1:]
        counted = labels != IGNORED
        probability = torch.log_softmax(ahead, dim=-1)
        # Not times `counted`: padding may have NaN, which is no fault of the answer.
        truth = probability.gather(-1, labels.clamp(min=0)[..., None])[..., 0].where(counted, 0.0)
        hits = (likeliest(ahead) == labels) & counted
        for row, number in enumerate(index):
            found[number] = Prediction(
                float(truth[row].sum()), int(counted[row].sum()), int(hits[row].sum())
            )
    return [found[number] for number in range(len(encoded))]


def _forward(
    model: nn.Module, encoder: Encoder, encoded: Sequence[Encoded]
) -> Iterator[tuple[list[int], dict[str, Any], Tensor]]:
    """Yield batches of similar length: indices, the batch, logits on the CPU in float32."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    lengths = [len(item.input_ids) for item in encoded]
    with torch.inference_mode():
        for index in length_batches(lengths, _TEXTS_AT_ONCE, None):
            batch = collate([encoded[number] for number in index], encoder.tokenizer)
            inputs = {k: v.to(device) for k, v in batch.items() if k != "labels"}
            yield index, batch, logits_of(model, inputs).float().cpu()
    model.train(training)
