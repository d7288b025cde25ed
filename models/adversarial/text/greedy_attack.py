"""The greedy attack on one text, and many of them in lock-step.

A word's importance is how far the model's judgement falls when an unknown word stands in its place
(Gao et al. 2018, "replace-1"; Li et al. 2019, section III). In that order, each word is replaced
by the candidate that lowers the goal most, or left if none does (the papers edit it all the same),
until the example is broken or a cap is reached. The figure is an upper bound: greedy need not find
the worst edit. All examples advance together, so a model judges hundreds of texts at once; what an
example meets does not depend on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.adversarial.text.character_edits import character_edits
from models.adversarial.text.editable_words import EditableText
from models.adversarial.text.goals import TextPrediction, Victim, Weighed
from models.adversarial.text.word_substitution import Synonyms, substitutions
from models.adversarial.threat_model import TextThreat

# Stands for no word in particular, whether a model's vocabulary has it or reads it in pieces.
_UNKNOWN = "[UNK]"


@dataclass(frozen=True)
class Found:
    """What an attack on one example came to."""

    text: tuple[str, ...]
    weighed: Weighed
    words_changed: int
    queries: int


# Yields texts to be judged, and is sent their judgements.
Attack = Generator[list[tuple[str, ...]], list[Weighed], Found]


def _candidates(
    view: EditableText, example: int, threat: TextThreat, synonyms: Synonyms | None
) -> dict[int, tuple[str, ...]]:
    """What each word may become, by its index; words that may become nothing are left out."""
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
    view: EditableText, clean: Weighed, example: int, threat: TextThreat, synonyms: Synonyms | None
) -> Attack:
    """Attack one example: yields texts to judge, is sent their judgements, returns the worst."""
    candidates = _candidates(view, example, threat, synonyms)
    # Half of the queries at most go into the order: in a long text, into words drawn by the seed.
    # A seed sequence ignores zeros at its end; the words' own, above, end in 1 and more.
    drawn = np.random.default_rng([threat.seed, example]).permutation(list(candidates))
    ranked = sorted(int(index) for index in drawn[: threat.queries // 2])
    importance = {}
    if ranked:
        weighed = yield [view.replaced({index: _UNKNOWN}) for index in ranked]
        importance = {index: one.key for index, one in zip(ranked, weighed, strict=True)}
    unranked = [int(index) for index in drawn[threat.queries // 2 :]]
    queries, changes, worst = len(ranked), dict[int, str](), clean
    # Shares such as 0.29 of 100 words fall just below a whole number as floats.
    cap = max(1, math.floor(threat.share * view.count + 1e-9))
    for index in [*sorted(ranked, key=importance.__getitem__), *unranked]:
        if worst.is_broken or len(changes) == cap or queries == threat.queries:
            break
        words = candidates[index][: threat.queries - queries]
        weighed = yield [view.replaced({**changes, index: word}) for word in words]
        queries += len(words)
        best = min(range(len(words)), key=lambda number: weighed[number].key)
        if weighed[best].key < worst.key:
            changes, worst = {**changes, index: words[best]}, weighed[best]
    return Found(view.replaced(changes), worst, len(changes), queries)


def in_lockstep(
    victim: Victim, attacks: Mapping[int, Attack], weigh: Callable[[TextPrediction, int], Weighed]
) -> dict[int, Found]:
    """Run all attacks, judging what they ask at a time in one call."""
    found: dict[int, Found] = {}
    answers: dict[int, list[Weighed]] = {}
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
        judged = iter(
            predictions(victim, [text for texts in asked.values() for text in texts], owners)
        )
        answers = {e: [weigh(next(judged), e) for _ in texts] for e, texts in asked.items()}
    return found


def predictions(
    victim: Victim, texts: Sequence[tuple[str, ...]], examples: Sequence[int]
) -> list[TextPrediction]:
    """The victim's judgements, one a text.

    Raises:
        ValueError: the victim judged another number of texts than it was given.
    """
    judged = victim.judge(texts, examples) if texts else []
    if len(judged) != len(texts):
        raise ValueError(f"the victim judged {len(judged)} of {len(texts)} texts")
    return judged
