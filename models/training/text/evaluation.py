"""The evaluation of a training on texts: clean metrics, metrics under attack, and tables.

The validation split is cut into parts as that of images (`data/validation_split.py`). After every
epoch the model is evaluated on the selection part, which steers the scheduler and `patience`; the
weights that are kept are evaluated once on the objective part, which gives the objectives. After a
search the confirmation part and the test split follow, which selected nothing.

Attacked examples depend on the threat's seed alone, not on the configuration. Sizes of the
diagnostic attack on embeddings are in units of the *pretrained* table, which no trial changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn import functional

from models.adversarial.embeddings.attacks import (
    EmbeddingBatch,
    embedding_accuracy,
    missing_gradient,
)
from models.adversarial.embeddings.perturbed_logits import perturbed, zero_perturbation
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.text.attack import AttackResult, attack_texts
from models.adversarial.text.attack_table import attack_table
from models.adversarial.text.word_substitution import load_synonyms
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextExamples, TextSplits
from models.data.text.validation_parts import validation_parts
from models.kinds import KINDS
from models.scores.metric_names import MetricName, Split, on_split
from models.training.text.clean import Measured, entities_interval, measure
from models.training.text.collate import collate, length_batches
from models.training.text.encoding import IGNORED, Encoder
from models.training.text.ranked import attacked_interval, measure_ranking
from models.training.text.victim import TextVictim

# Gradient steps of the diagnostic PGD: more would cost as much as the attack on words.
EMBEDDING_STEPS = 3
_TEXTS_AT_ONCE = 32


class TextEvaluation:
    """Evaluates models on the parts of the validation split and on the test split of one task.

    Raises:
        DataError: the validation split is too small to be cut.
    """

    def __init__(self, encoder: Encoder, data: TextSplits, threat: TextThreat, unit: float) -> None:
        self._encoder, self._threat, self._unit = encoder, threat, unit
        self._kind, self._label_names = data.kind, data.label_names
        parts = validation_parts(data.validation, data.kind, threat.seed)
        self._examples: dict[str, TextExamples] = {**parts, "test": data.test}
        self._train = data.train  # the popularity of items
        self._last: AttackResult | None = None
        self._synonyms = load_synonyms(threat.synonyms) if threat.synonyms else None

    def names(self) -> tuple[str, ...]:
        """Return the names of the metrics of `observe` and `conclude`, without the counts."""
        threat, clean = self._threat, KINDS[self._kind].metrics
        observed = (*clean, threat.cheap_metric(self._kind))
        attack = (threat.metric(self._kind), "queries.mean", "words_changed.share")
        return (
            "loss.validation", *(on_split("selection", each) for each in observed),
            *clean, *attack, *threat.embedding_metrics(),
        )  # fmt: skip

    def observe(self, model: nn.Module) -> dict[str, float]:
        """Return metrics of the selection part: clean, and under the cheap attack."""
        measured = self._measure(model, "selection")
        cheap = self._attack(model, "selection", self._threat.cheap())
        found = {**measured.metrics(), self._threat.cheap_metric(self._kind): cheap.robust}
        observed = {on_split("selection", name): value for name, value in found.items()}
        return {"loss.validation": measured.loss, **observed}

    def conclude(self, model: nn.Module) -> dict[str, float]:
        """Return metrics of the objective part, clean and attacked, and the costs of the attack."""
        clean = self._measure(model, "objective")
        self._last = self._attack(model, "objective", self._threat)
        return {
            **clean.metrics(),
            **self._last.metrics(self._threat.metric(self._kind)),
            **self._embedding_accuracies(model),
            **self._counts(self._examples["objective"], self._last),
        }

    def held_out(self, model: nn.Module, split: Split) -> dict[str, float]:
        """Return clean and attacked metrics of "confirmation" or "test", under their names there.

        With them come their numbers of examples, and the bounds of the intervals of an F1 and of
        the metrics of a ranking.
        """
        clean, attack = self._measure(model, split), self._attack(model, split, self._threat)
        robust, seed = self._threat.metric(self._kind), self._threat.seed
        metrics = {**clean.metrics(), robust: attack.robust}
        examples, names, intervals = self._examples[split], self._label_names, clean.intervals(seed)
        metrics |= self._counts(examples, attack)
        if self._kind == "entities":
            truth = [[names[tag] for tag in examples.labels[text.example]] for text in attack.texts]
            predicted = [text.attacked.tags for text in attack.texts]
            intervals[robust] = entities_interval(truth, predicted, seed)
        elif self._kind == "ranking":
            intervals[robust] = attacked_interval(examples, attack, names, seed)
        for name, (low, high) in intervals.items():
            parsed = MetricName.parse(name)
            metrics |= {str(parsed.bounded("low")): low, str(parsed.bounded("high")): high}
        return {on_split(split, name): value for name, value in metrics.items()}

    def tables(self, model: nn.Module) -> dict[str, str]:
        """Return the tables of the objective part by file name."""
        # After a restore of an ended training there is no attack in this process yet.
        attack = self._last or self._attack(model, "objective", self._threat)
        found = {
            "attacked_texts.txt": attack_table(attack),
            **self._measure(model, "objective").table(),
        }
        if missing := missing_gradient(model, next(self._embedding_batches(model))):
            measured = " and ".join(self._threat.embedding_metrics())
            found["embeddings.txt"] = (
                f"No gradient reaches the embeddings: {missing}.\n{measured} are therefore the "
                "accuracy without an attack, and say nothing about robustness.\n"
            )
        return found

    def test_tables(self, model: nn.Module) -> dict[str, str]:
        """Return the tables of the test split by file name: `classes_test.txt`."""
        found = self._measure(model, "test").table()
        return {name.replace(".", "_test."): text for name, text in found.items()}

    def _measure(self, model: nn.Module, part: str) -> Measured:
        if self._kind == "ranking":
            return measure_ranking(model, self._encoder, self._examples[part], self._train)
        return measure(model, self._encoder, self._examples[part], self._label_names)

    def _attack(self, model: nn.Module, part: str, threat: TextThreat) -> AttackResult:
        examples = self._examples[part]
        victim = TextVictim(model, self._encoder, examples)
        return attack_texts(victim, examples, self._label_names, threat, self._kind, self._synonyms)

    def _counts(self, examples: TextExamples, attack: AttackResult) -> dict[str, float]:
        """Return how many examples, and of entities how many of these, were measured on."""
        attacked = examples.take(text.example for text in attack.texts)
        counts = {"examples": len(examples), "attacked_examples": len(attacked)}
        if self._kind == "entities":
            counts |= {"entities": self._entities(examples),
                       "attacked_entities": self._entities(attacked)}  # fmt: skip
        return {name: float(count) for name, count in counts.items()}

    def _entities(self, examples: TextExamples) -> int:
        tags = [self._label_names[tag] for labels in examples.labels for tag in labels]
        return sum(tag.startswith("B-") for tag in tags)

    def _embedding_accuracies(self, model: nn.Module) -> dict[str, float]:
        """Return accuracies (of texts, words or answer tokens) under attacks on the embeddings."""
        size, steps = self._threat.share * self._unit, (1, EMBEDDING_STEPS)
        return {
            name: embedding_accuracy(model, self._embedding_batches(model), size, steps=n)
            for name, n in zip(self._threat.embedding_metrics(), steps, strict=True)
        }

    def _embedding_batches(self, model: nn.Module) -> Iterator[EmbeddingBatch]:
        """Yield the batches of the examples whose embeddings are attacked."""
        examples, threat = self._examples["objective"], self._threat
        few = examples.take(fixed_subset(len(examples.texts), threat.cheap_examples, threat.seed))
        encoded = self._encoder.encode(few.texts, few.labels)
        device = next(model.parameters()).device
        lengths = [len(item.input_ids) for item in encoded]
        for index in length_batches(lengths, _TEXTS_AT_ONCE, None):
            batch = collate([encoded[number] for number in index], self._encoder.tokenizer)
            batch = {name: tensor.to(device) for name, tensor in batch.items()}
            labels, mask = batch.pop("labels"), batch["attention_mask"]
            forward = perturbed(model, batch, exactly=True)
            if self._kind == "dialogue":
                # A decoder's logits predict the next token.
                labels = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
            yield EmbeddingBatch(forward, labels, mask, zero_perturbation(model, mask))
