"""The evaluation of a model on texts: clean metrics, metrics under attack, and tables.

Attacked examples depend on the threat's seed alone, not on the configuration. Sizes of the
diagnostic attack on embeddings are in units of the *pretrained* table, which no trial changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.adversarial.embeddings.attacks import EmbeddingBatch, embedding_accuracy
from models.adversarial.embeddings.perturbed_logits import perturbed, zero_perturbation
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.text.attack import AttackResult, attack_texts
from models.adversarial.text.attack_table import attack_table
from models.adversarial.text.word_substitution import load_synonyms
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextExamples, TextSplits
from models.scores.classification import classification_scores, classification_table
from models.scores.entities import entity_scores, entity_tables
from models.scores.ranking import (
    RANKING_METRICS,
    Floats,
    RankedGroups,
    popularity,
    rank_groups,
    ranking_table,
)
from models.training.text.collate import collate, length_batches
from models.training.text.encoding import IGNORED, Encoded, Encoder
from models.training.text.predict import (
    class_logits,
    predictions,
    relevance,
    tag_log_probabilities,
)
from models.training.text.victim import TextVictim

# Gradient steps of the diagnostic PGD: more would cost as much as the attack on words.
EMBEDDING_STEPS = 3
_TEXTS_AT_ONCE = 32
_CLEAN = {
    "classification": ("accuracy.clean", "f1.macro", "matthews"),
    "ranking": RANKING_METRICS,
    "entities": ("f1.clean", "precision.clean", "recall.clean", "accuracy.tokens"),
    "dialogue": ("perplexity", "accuracy.clean"),
}


class TextEvaluation:
    """Evaluates models on the validation and test splits of one task."""

    def __init__(self, encoder: Encoder, data: TextSplits, threat: TextThreat, unit: float) -> None:
        self._encoder, self._data, self._threat, self._unit = encoder, data, threat, unit
        self._last: AttackResult | None = None
        self._synonyms = load_synonyms(threat.synonyms) if threat.synonyms else None

    def names(self, *, is_last: bool) -> tuple[str, ...]:
        """Return the names of a report's metrics."""
        threat, kind = self._threat, self._data.kind
        cheap = (threat.cheap_metric(kind),)
        attack = (threat.metric(kind), "queries.mean", "words_changed.share")
        full = (*attack, *threat.embedding_metrics()) if is_last else ()
        return ("loss.validation", *_CLEAN[kind], *cheap, *full)

    def clean(self, model: nn.Module, split: str) -> dict[str, float]:
        """Return the mean loss in nats (per text, word or answer token) and the metrics of a split.

        The loss is plain cross-entropy, whatever the training loss is; a dialogue's perplexity is
        its exponential.
        """
        examples: TextExamples = getattr(self._data, split)
        if self._data.kind == "classification":
            return self._clean_classes(model, examples)
        if self._data.kind == "ranking":
            return self._clean_ranking(model, examples)
        if self._data.kind == "entities":
            truth, predicted, loss = self._tags(model, examples)
            return {"loss.validation": loss, **entity_scores(truth, predicted)}
        encoded = self._encoder.encode(examples.texts, examples.labels)
        answers = predictions(model, self._encoder, encoded)
        tokens = sum(answer.tokens for answer in answers)
        loss = -sum(answer.log_probability for answer in answers) / tokens
        # A perplexity above 1e300 would overflow, and means the same: the model predicts nothing.
        perplexity = math.exp(min(loss, 690.0))
        hits = sum(answer.hits for answer in answers) / tokens
        return {"loss.validation": loss, "perplexity": perplexity, "accuracy.clean": hits}

    def attacked(self, model: nn.Module, *, is_last: bool) -> dict[str, float]:
        """Return the metric under attack on the validation split, and the costs of the attack.

        The cheap metric is always included: a scheduler compares it at every rung, and a training
        that ended early is represented at later rungs by its last value.
        """
        kind, threat = self._data.kind, self._threat
        cheap = self._attack(model, "validation", threat.cheap())
        metrics = {threat.cheap_metric(kind): cheap.robust}
        if not is_last:
            return metrics
        self._last = self._attack(model, "validation", threat)
        metrics |= self._last.metrics(threat.metric(kind))
        return metrics | self._embedding_accuracies(model)

    def test(self, model: nn.Module) -> dict[str, float]:
        """Return clean metrics of the test split and the full attack on `threat.examples` of it."""
        clean = self.clean(model, "test")
        del clean["loss.validation"]
        robust = self._attack(model, "test", self._threat).robust
        examples = len(self._data.test.texts)
        return clean | {self._threat.metric(self._data.kind): robust, "examples": float(examples)}

    def tables(self, model: nn.Module) -> dict[str, str]:
        """Return the tables of the validation split by file name."""
        examples, names = self._data.validation, self._data.label_names
        # After a restore of an ended training there is no attack in this process yet.
        attack = self._last or self._attack(model, "validation", self._threat)
        tables = {"attacked_texts.txt": attack_table(attack)}
        if self._data.kind == "classification":
            truth = np.asarray(examples.labels, dtype=np.int64)
            predicted = self._logits(model, examples).argmax(dim=-1).numpy()
            tables["classes.txt"] = classification_table(truth, predicted, names)
        if self._data.kind == "ranking":
            ranked = self._ranked(self._logits(model, examples), examples)
            popular = self._popular(examples)
            tables["ranking.txt"] = ranking_table({"model": ranked, "popularity": popular})
        if self._data.kind == "entities":
            truth_tags, tags, _ = self._tags(model, examples)
            tables["entities.txt"] = entity_tables(truth_tags, tags, names)
        return tables

    def _clean_classes(self, model: nn.Module, examples: TextExamples) -> dict[str, float]:
        truth = np.asarray(examples.labels, dtype=np.int64)
        logits = self._logits(model, examples)
        loss = float(functional.cross_entropy(logits, torch.from_numpy(truth)))
        predicted = logits.argmax(dim=-1).numpy()
        scores = classification_scores(truth, predicted, len(self._data.label_names))
        return {"loss.validation": loss, **scores}

    def _clean_ranking(self, model: nn.Module, examples: TextExamples) -> dict[str, float]:
        logits = self._logits(model, examples)
        loss = float(functional.cross_entropy(logits, torch.tensor(examples.labels)))
        return {"loss.validation": loss, **self._ranked(logits, examples).means()}

    def _ranked(self, logits: torch.Tensor, examples: TextExamples) -> RankedGroups:
        scores = relevance(logits, self._data.label_names).numpy()
        return rank_groups(self._grades(examples), scores, examples.groups or ())

    def _popular(self, examples: TextExamples) -> RankedGroups:
        train = self._data.train
        items = [texts[-1] for texts in train.texts]
        scores = popularity(items, self._grades(train), [texts[-1] for texts in examples.texts])
        return rank_groups(self._grades(examples), scores, examples.groups or ())

    def _grades(self, examples: TextExamples) -> Floats:
        return np.array([float(self._data.label_names[label]) for label in examples.labels])

    def _logits(self, model: nn.Module, examples: TextExamples) -> torch.Tensor:
        return class_logits(model, self._encoder, self._encoder.encode(examples.texts))

    def _tags(
        self, model: nn.Module, examples: TextExamples
    ) -> tuple[list[list[str]], list[list[str]], float]:
        """Return true and predicted tags, sentence by sentence, and the mean loss per word."""
        names, lengths = self._data.label_names, [len(words) for words in examples.texts]
        answers = tag_log_probabilities(
            model, self._encoder, self._encoder.encode(examples.texts), lengths
        )
        predicted = [[names[tag] for tag in found.argmax(dim=-1)] for found in answers]
        truth = [[names[tag] for tag in tags] for tags in examples.labels]
        at = torch.tensor([tag for tags in examples.labels for tag in tags])[:, None]
        loss = -float(torch.cat(answers).gather(1, at).mean())
        return truth, predicted, loss

    def _attack(self, model: nn.Module, split: str, threat: TextThreat) -> AttackResult:
        examples: TextExamples = getattr(self._data, split)
        victim = TextVictim(model, self._encoder, examples)
        return attack_texts(
            victim, examples, self._data.label_names, threat, self._data.kind, self._synonyms
        )

    def _embedding_accuracies(self, model: nn.Module) -> dict[str, float]:
        """Return accuracies (of texts, words or answer tokens) under attacks on the embeddings."""
        examples, threat = self._data.validation, self._threat
        chosen = fixed_subset(len(examples.texts), threat.cheap_examples, threat.seed)
        few = examples.take(chosen)
        encoded = self._encoder.encode(few.texts, few.labels)
        steps = (1, EMBEDDING_STEPS)
        return {
            name: embedding_accuracy(
                model, self._embedding_batches(model, encoded), threat.share * self._unit, steps=n
            )
            for name, n in zip(threat.embedding_metrics(), steps, strict=True)
        }

    def _embedding_batches(
        self, model: nn.Module, encoded: Sequence[Encoded]
    ) -> Iterator[EmbeddingBatch]:
        device = next(model.parameters()).device
        lengths = [len(item.input_ids) for item in encoded]
        for index in length_batches(lengths, _TEXTS_AT_ONCE, None):
            batch = collate([encoded[number] for number in index], self._encoder.tokenizer)
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            labels, mask = batch.pop("labels"), batch["attention_mask"]
            forward = perturbed(model, batch, exactly=True)
            if self._data.kind == "dialogue":
                # A decoder's logits predict the next token.
                labels = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
            yield EmbeddingBatch(forward, labels, mask, zero_perturbation(model, mask))
