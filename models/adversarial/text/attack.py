"""Attacks on texts: a task's metric on fixed examples under capped edits, and the edits found.

Examples and candidate typos depend on the threat's seed alone, so they are the same for every
model. The metric covers all examples; those that are misclassified without an attack count as
misclassified and cost no query. An attack needs only a model's predictions. greedy_attack.py holds
the algorithm, goals.py the objectives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.text.editable_words import EditableText, editable
from models.adversarial.text.goals import (
    Evaluated,
    Goal,
    TextPrediction,
    Victim,
    classification_goal,
    dialogue_goal,
    entities_goal,
    ranking_goal,
)
from models.adversarial.text.greedy_attack import Found, greedy, in_lockstep, predictions
from models.adversarial.text.word_substitution import Synonyms
from models.adversarial.threat_model import TextThreat
from models.data.text.relevance import relevant_groups, whole_groups
from models.data.text.splits import TextExamples
from models.kinds import TEXT_KINDS

__all__ = ["AttackResult", "AttackedText", "TextPrediction", "Victim", "attack_texts"]


@dataclass(frozen=True)
class AttackedText:
    """One example before and after the attack; `adversarial` equals `text` if no edit helped.

    `is_attacked` is false for examples misclassified before; `is_worse` says that the edits lowered
    the metric. `words` are counted as in `EditableText`.
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
    is_misclassified: bool


@dataclass(frozen=True)
class AttackResult:
    """Metrics on the same fixed examples, in [0, 1], and the texts behind them.

    `clean` and `robust` are accuracy, NDCG@10, entity F1 or the share of answer tokens predicted.
    `queries` is the mean number of edited texts for each attacked example, `words_changed` the mean
    share of words changed in those that became worse; each is 0 if there are none.
    """

    clean: float
    robust: float
    queries: float
    words_changed: float
    texts: tuple[AttackedText, ...]

    def metrics(self, name: str) -> dict[str, float]:
        """Return the attacked metric as `name`, and the costs of the attack."""
        shares = {"queries.mean": self.queries, "words_changed.share": self.words_changed}
        return {name: self.robust, **shares}


def attack_texts(
    victim: Victim,
    data: TextExamples,
    tag_names: Sequence[str],
    threat: TextThreat,
    kind: str,
    synonyms: Synonyms | None,
) -> AttackResult:
    """Attack the threat's fixed examples of `data`; of a ranking whole groups of them.

    Args:
        victim: the model; a prediction must not depend on the other texts of a call.
        data: texts and labels, of which `threat.examples` are attacked.
        tag_names: the tag of each tag id, for entities; the grade of each class, for ranking;
            unused for other kinds.
        threat: attack, caps and seed.
        kind: one of `models.kinds.TEXT_KINDS`.
        synonyms: the loaded table, for the attack "words".

    Raises:
        ValueError: there are no examples, the kind is unknown, the table for "words" is missing,
            or the victim returns another number of predictions than texts.
    """
    if threat.attack == "words" and synonyms is None:
        raise ValueError(
            "the attack 'words' needs synonyms; fix: pass load_synonyms(threat.synonyms)"
        )
    if not data.texts:
        raise ValueError("there are no texts to attack")
    examples = _examples(data, threat, kind)
    predicted = predictions(victim, [data.texts[example] for example in examples], examples)
    goal = _goal(kind, data, tag_names, predicted, examples)
    clean = {e: goal.evaluate(one, e) for e, one in zip(examples, predicted, strict=True)}
    tags = {e: _tags(data, tag_names, e) if kind == "entities" else () for e in examples}
    views = {example: editable(data.texts[example], kind, tags[example]) for example in examples}
    attacks = {
        example: greedy(views[example], clean[example], example, threat, synonyms)
        for example in examples
        if not clean[example].is_misclassified
    }
    found = in_lockstep(victim, attacks, goal.evaluate)
    texts = tuple(_attacked(e, views[e], clean[e], found.get(e)) for e in examples)
    return _result(texts, goal)


def _examples(data: TextExamples, threat: TextThreat, kind: str) -> list[int]:
    """Return the indices of the examples to attack, the same for every model."""
    if kind != "ranking":
        return [int(i) for i in fixed_subset(len(data.texts), threat.examples, threat.seed)]
    groups, relevant = data.groups or (), relevant_groups(data)
    judged = [index for index, group in enumerate(groups) if group in relevant]
    chosen = whole_groups([groups[each] for each in judged], threat.examples, threat.seed)
    return [judged[place] for place in chosen]


def _tags(data: TextExamples, tag_names: Sequence[str], example: int) -> tuple[str, ...]:
    return tuple(tag_names[tag] for tag in data.labels[example])


def _goal(
    kind: str,
    data: TextExamples,
    names: Sequence[str],
    clean: Sequence[TextPrediction],
    examples: Sequence[int],
) -> Goal:
    if kind == "classification":
        return classification_goal()
    if kind == "dialogue":
        return dialogue_goal()
    if kind == "entities":
        return entities_goal(lambda example: _tags(data, names, example), clean, examples)
    if kind == "ranking":
        groups = data.groups or ()
        return ranking_goal(
            lambda example: float(names[data.labels[example]]), groups.__getitem__, clean, examples
        )
    raise ValueError(f"unknown kind {kind!r}; fix: choose one of {list(TEXT_KINDS)}")


def _attacked(
    example: int, view: EditableText, clean: Evaluated, found: Found | None
) -> AttackedText:
    end = found or Found(view.text, clean, 0, 0)
    return AttackedText(
        example, view.text, end.text, clean.prediction, end.evaluated.prediction, view.count,
        end.words_changed, end.queries, is_attacked=found is not None,
        is_worse=end.evaluated.metric < clean.metric,
        is_misclassified=end.evaluated.is_misclassified,
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
