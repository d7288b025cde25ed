"""Attacks on texts: a task's figure on fixed examples under capped edits, and the edits found.

The examples depend on the threat's seed alone, and so do the typos an attack may choose from: every
model meets the same. Examples already broken count as such, without a query, for a rate of
successes flatters models that are wrong. Nothing of a model is needed but its judgements; how the
attack proceeds is greedy_attack.py's, what it wants goals.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.text.editable_words import EditableText, editable
from models.adversarial.text.goals import (
    Goal,
    TextPrediction,
    Victim,
    Weighed,
    classification_goal,
    dialogue_goal,
    entities_goal,
)
from models.adversarial.text.greedy_attack import Found, greedy, in_lockstep, predictions
from models.adversarial.text.word_substitution import Synonyms
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextExamples

__all__ = ["AttackResult", "AttackedText", "TextPrediction", "Victim", "attack_texts"]


@dataclass(frozen=True)
class AttackedText:
    """One example before and after: `adversarial` is the text as it was if nothing helped.

    `is_attacked` is false for what was broken before; `is_worse` says that the edits lowered the
    figure (classification: broke the example). `words` are counted as in `EditableText`.
    """

    example: int
    text: tuple[str, ...]
    adversarial: tuple[str, ...]
    clean: TextPrediction
    attacked: TextPrediction
    words: int
    words_changed: int
    queries: int
    is_attacked: bool
    is_worse: bool
    is_broken: bool


@dataclass(frozen=True)
class AttackResult:
    """Figures on the same fixed examples, in [0, 1], and the texts behind them.

    `clean` and `robust` are accuracy, entity F1 or the share of answer tokens predicted. `queries`
    is the mean number of edited texts judged for an example that was attacked, `words_changed`
    the mean share of words changed in those that the edits made worse; each is 0 if there are
    none.
    """

    clean: float
    robust: float
    queries: float
    words_changed: float
    texts: tuple[AttackedText, ...]

    def metrics(self, name: str) -> dict[str, float]:
        """The attacked figure as `name`, and what the attack took."""
        shares = {"queries.mean": self.queries, "words_changed.share": self.words_changed}
        return {name: self.robust, **shares}

    def rows(self) -> list[dict[str, Any]]:
        """The texts as plain values, one dict each, fit for JSON."""
        return [asdict(text) for text in self.texts]


def attack_texts(
    victim: Victim,
    data: TextExamples,
    tag_names: Sequence[str],
    threat: TextThreat,
    kind: str,
    synonyms: Synonyms | None,
) -> AttackResult:
    """Attack the threat's fixed examples of `data`.

    Args:
        victim: judges texts; the same for each, whatever else is judged with it.
        data: texts and labels, of which `threat.examples` are attacked.
        tag_names: entities: the tag of each tag id; unused for other kinds.
        threat: attack, caps and seed.
        kind: "classification", "entities" or "dialogue".
        synonyms: the loaded table, for the attack "words".

    Raises:
        ValueError: no examples, an unknown kind, no table for the attack "words", or the victim
            judged another number of texts than it was given.
    """
    if threat.attack == "words" and synonyms is None:
        raise ValueError("the attack 'words' needs synonyms: give load_synonyms(threat.synonyms)")
    if not data.texts:
        raise ValueError("there are no texts to attack")
    examples = [int(i) for i in fixed_subset(len(data.texts), threat.examples, threat.seed)]

    def truth(example: int) -> tuple[str, ...]:
        return tuple(tag_names[tag] for tag in data.labels[example]) if kind == "entities" else ()

    judged = predictions(victim, [data.texts[example] for example in examples], examples)
    goal = _goal(kind, truth, judged, examples)
    clean = {e: goal.weigh(one, e) for e, one in zip(examples, judged, strict=True)}
    views = {example: editable(data.texts[example], kind, truth(example)) for example in examples}
    attacks = {
        example: greedy(views[example], clean[example], example, threat, synonyms)
        for example in examples
        if not clean[example].is_broken
    }
    found = in_lockstep(victim, attacks, goal.weigh)
    texts = tuple(_attacked(e, views[e], clean[e], found.get(e)) for e in examples)
    return _result(texts, goal)


def _goal(
    kind: str,
    truth: Callable[[int], Sequence[str]],
    clean: Sequence[TextPrediction],
    examples: Sequence[int],
) -> Goal:
    if kind == "classification":
        return classification_goal()
    if kind == "dialogue":
        return dialogue_goal()
    if kind == "entities":
        return entities_goal(truth, clean, examples)
    raise ValueError(f"unknown kind {kind!r}: choose classification, entities or dialogue")


def _attacked(
    example: int, view: EditableText, clean: Weighed, found: Found | None
) -> AttackedText:
    end = found or Found(view.text, clean, 0, 0)
    return AttackedText(
        example, view.text, end.text, clean.judged, end.weighed.judged, view.count,
        end.words_changed, end.queries, is_attacked=found is not None,
        is_worse=end.weighed.figure < clean.figure, is_broken=end.weighed.is_broken,
    )  # fmt: skip


def _result(texts: tuple[AttackedText, ...], goal: Goal) -> AttackResult:
    examples = [text.example for text in texts]
    queries = [text.queries for text in texts if text.is_attacked]
    shares = [text.words_changed / text.words for text in texts if text.is_worse]
    return AttackResult(
        clean=goal.total([text.clean for text in texts], examples),
        robust=goal.total([text.attacked for text in texts], examples),
        queries=sum(queries) / max(len(queries), 1),
        words_changed=sum(shares) / max(len(shares), 1),
        texts=texts,
    )
