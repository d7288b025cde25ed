"""The greedy attack on one text, and many of them in lock-step.

A word's importance is how far the model's score falls when an unknown word replaces it (Gao et al.
2018, "replace-1"; Li et al. 2019, section III). In that order, each word is replaced by the
candidate that lowers the goal most, or left if none does (the papers edit it all the same), until
the example is misclassified or a cap is reached. The robust metric is an upper bound: greedy search
may miss the worst edit. All examples advance together, so a model predicts hundreds of texts at
once; the result for an example does not depend on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.adversarial.text.character_edits import character_edits
from models.adversarial.text.editable_words import EditableText
from models.adversarial.text.goals import Evaluated, TextPrediction, Victim
from models.adversarial.text.word_substitution import Synonyms, substitutions
from models.adversarial.threat_model import TextThreat

# Replaces a word without a meaning of its own, also where a tokenizer splits it.
_UNKNOWN = "[UNK]"


@dataclass(frozen=True)
class Found:
    """The result of an attack on one example."""

    text: tuple[str, ...]
    evaluated: Evaluated
    words_changed: int
    queries: int


# Yields texts to be predicted, and is sent their evaluations.
Attack = Generator[list[tuple[str, ...]], list[Evaluated], Found]


def _candidates(
    view: EditableText, example: int, threat: TextThreat, synonyms: Synonyms | None
) -> dict[int, tuple[str, ...]]:
    """Return the candidates of each word that has any, by the word's index."""
    found = {}
    for index in range(len(view.places)):
        word = view.word(index)
        if synonyms is not None and threat.attack == "words":
            found[index] = substitutions(word, synonyms)
        else:
            generator = np.random.default_rng([threat.seed, example, index + 1])
            found[index] = character_edits(word, generator)
    return {index: words for index, words in found.items() if words}


def greedy(
    view: EditableText,
    clean: Evaluated,
    example: int,
    threat: TextThreat,
    synonyms: Synonyms | None,
) -> Attack:
    """Attack one example: yields texts, is sent their evaluations, returns the worst text."""
    candidates = _candidates(view, example, threat, synonyms)
    # At most half of the queries rank words; in a long text the seed draws which words are ranked.
    # A seed sequence ignores trailing zeros, so the words' own seeds, above, end in 1 or more.
    drawn = np.random.default_rng([threat.seed, example]).permutation(list(candidates))
    ranked = sorted(int(index) for index in drawn[: threat.queries // 2])
    importance = {}
    if ranked:
        evaluated = yield [view.replaced({index: _UNKNOWN}) for index in ranked]
        importance = {index: one.key for index, one in zip(ranked, evaluated, strict=True)}
    unranked = [int(index) for index in drawn[threat.queries // 2 :]]
    queries, changes, worst = len(ranked), dict[int, str](), clean
    # As floats, shares such as 0.29 of 100 words are just below a whole number.
    cap = max(1, math.floor(threat.share * view.count + 1e-9))
    for index in [*sorted(ranked, key=importance.__getitem__), *unranked]:
        if worst.is_misclassified or len(changes) == cap or queries == threat.queries:
            break
        words = candidates[index][: threat.queries - queries]
        evaluated = yield [view.replaced({**changes, index: word}) for word in words]
        queries += len(words)
        best = min(range(len(words)), key=lambda number: evaluated[number].key)
        if evaluated[best].key < worst.key:
            changes, worst = {**changes, index: words[best]}, evaluated[best]
    return Found(view.replaced(changes), worst, len(changes), queries)


def in_lockstep(
    victim: Victim,
    attacks: Mapping[int, Attack],
    evaluate: Callable[[TextPrediction, int], Evaluated],
) -> dict[int, Found]:
    """Run all attacks; each round predicts the texts of all of them in one call."""
    found: dict[int, Found] = {}
    answers: dict[int, list[Evaluated]] = {}
    waiting = list(attacks)
    while waiting:
        asked: dict[int, list[tuple[str, ...]]] = {}
        for example in waiting:
            attack = attacks[example]
            try:
                asked[example] = attack.send(answers[example]) if answers else next(attack)
            except StopIteration as end:
                found[example] = end.value
        waiting = list(asked)
        owners = [example for example, texts in asked.items() for _ in texts]
        predicted = iter(
            predictions(victim, [text for texts in asked.values() for text in texts], owners)
        )
        answers = {e: [evaluate(next(predicted), e) for _ in texts] for e, texts in asked.items()}
    return found


def predictions(
    victim: Victim, texts: Sequence[tuple[str, ...]], examples: Sequence[int]
) -> list[TextPrediction]:
    """Return the victim's predictions, one for each text.

    Raises:
        ValueError: the victim returns another number of predictions than texts.
    """
    predicted = victim.predict(texts, examples) if texts else []
    if len(predicted) != len(texts):
        raise ValueError(f"the victim predicted {len(predicted)} of {len(texts)} texts")
    return predicted
