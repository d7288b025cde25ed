"""Attacks on entities and dialogues: predictions, and words that are never edited."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

from models.adversarial.text.attack import AttackResult, TextPrediction, attack_texts
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextExamples
from tests.support.victims import Scripted, Text

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def attacked(
    predict: Callable[[Text, int], TextPrediction],
    data: TextExamples,
    kind: str,
    **values: object,
) -> AttackResult:
    threat = TextThreat(cheap_examples=1, **values)  # type: ignore[arg-type]
    return attack_texts(Scripted(predict), data, TAGS, threat, kind, None)


SENTENCE = ("Mister", "Obama", "visited", "Paris", "yesterday")
ENTITIES = TextExamples((SENTENCE,), ((0, 3, 0, 1, 0),))


def triggered(text: Text, example: int) -> TextPrediction:
    """Finds the person behind "Mister" and the place behind "visited", right on clean text."""
    person = "B-PER" if text[0] == "Mister" else "O"
    place = "B-LOC" if text[2] == "visited" else "O"
    wrong = (person == "O") + (place == "O")
    return TextPrediction(-float(wrong), wrong == 0, ("O", person, "O", place, "O"))


def test_entities_are_lost_through_edits_of_the_words_around_them() -> None:
    result = attacked(triggered, ENTITIES, "entities", share=0.4)
    (found,) = result.texts
    assert (result.clean, result.robust) == (1.0, 0.0)
    changed = [i for i in range(5) if found.adversarial[i] != SENTENCE[i]]
    assert changed == [0, 2] and found.words_changed == 2 and found.is_misclassified
    assert found.queries == 3 + 4 + 4  # the order of three words, the typos of two


def test_f1_counts_the_entities_that_are_left_under_the_cap() -> None:
    # A fifth of five words is one: of two true entities one is left, F1 = 2 * 1 / (2 + 1).
    result = attacked(triggered, ENTITIES, "entities", share=0.2)
    assert result.robust == pytest.approx(2 / 3)
    assert result.texts[0].is_worse and not result.texts[0].is_misclassified
    assert result.words_changed == pytest.approx(1 / 5)


def test_a_sentence_without_entities_is_misclassified_once_one_is_predicted() -> None:
    def predict(text: Text, example: int) -> TextPrediction:
        intact = text[0] == "nothing"
        return TextPrediction(-float(not intact), intact, ("O" if intact else "B-LOC", "O"))

    data = TextExamples((("nothing", "here"), SENTENCE), ((0, 0), (0, 3, 0, 1, 0)))

    def both(text: Text, example: int) -> TextPrediction:
        return predict(text, 0) if example == 0 else triggered(text, 1)

    result = attacked(both, data, "entities", share=0.2)
    assert result.texts[0].is_misclassified
    # One entity right of two, and two predicted: 2 * 1 / (2 + 2).
    assert result.robust == pytest.approx(1 / 2)


def random_tags(text: Text, example: int) -> TextPrediction:
    digest = hashlib.sha256(repr((text, example)).encode()).digest()
    tags = tuple(TAGS[digest[index] % 5] for index in range(len(text)))
    return TextPrediction(-float(digest[-1]), False, tags)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.text("abcdefgh", min_size=3, max_size=7), st.sampled_from([0, 0, 0, 1, 2, 3])
            ),
            min_size=1, max_size=8,
        ),
        min_size=1, max_size=5,
    ),
    st.floats(0.05, 1.0),
)  # fmt: skip
def test_entity_words_stay_and_f1_never_rises(
    sentences: list[list[tuple[str, int]]], share: float
) -> None:
    data = TextExamples(
        tuple(tuple(word for word, _ in sentence) for sentence in sentences),
        tuple(tuple(tag for _, tag in sentence) for sentence in sentences),
    )
    result = attacked(random_tags, data, "entities", share=share, queries=60)
    assert result.robust <= result.clean
    truth = [[TAGS[tag] for tag in data.labels[text.example]] for text in result.texts]
    for text, tags in zip(result.texts, truth, strict=True):
        assert len(text.adversarial) == len(text.text)
        for before, after, tag in zip(text.text, text.adversarial, tags, strict=True):
            assert before == after or tag == "O"
    predicted = [list(text.attacked.tags) for text in result.texts]
    _, _, expected, _ = precision_recall_fscore_support(
        truth, predicted, average="micro", scheme=IOB2, zero_division=0
    )
    assert result.robust == pytest.approx(float(expected))


def test_an_entity_lost_together_with_many_false_ones_is_no_gain_to_the_attacker() -> None:
    # Clean: 3 entities right of 3, 8 predicted, F1 = 6 / 11. Any typo in "trigger" would lose one
    # of them, but the five false ones as well: F1 = 4 / 5.
    words = ("trigger", "Rome", "Oslo", "Bern", "a", "b", "c", "d", "e")
    data = TextExamples((words,), ((0, 1, 1, 1, 0, 0, 0, 0, 0),))

    def predict(text: Text, example: int) -> TextPrediction:
        if text[0] == "trigger":
            return TextPrediction(-1.0, False, ("O", *["B-LOC"] * 3, *["B-PER"] * 5))
        return TextPrediction(-2.0, False, ("O", "B-LOC", "B-LOC", *["O"] * 6))

    result = attacked(predict, data, "entities")
    assert result.clean == result.robust == pytest.approx(6 / 11)
    assert result.texts[0].adversarial == words and result.queries == 1 + 4


def test_a_dialogue_is_attacked_through_its_prompt() -> None:
    def predict(text: Text, example: int) -> TextPrediction:
        share = 0.75 if "please" in text[0] else 0.25
        return TextPrediction(-1.0, False, (), share_correct=share, tokens=4)

    data = TextExamples((("Answer this please", "please wait here"),), (None,))
    result = attacked(predict, data, "dialogue")
    (found,) = result.texts
    assert (result.clean, result.robust) == (0.75, 0.25)
    assert found.adversarial[1] == "please wait here" and found.words_changed == 1
    assert found.is_worse and not found.is_misclassified


def test_answers_count_by_their_tokens() -> None:
    def predict(text: Text, example: int) -> TextPrediction:
        return TextPrediction(
            -1.0, False, (), share_correct=(1.0, 0.5)[example], tokens=(1, 6)[example]
        )

    data = TextExamples((("a", "b"), ("c", "d")), (None, None))
    assert attacked(predict, data, "dialogue").clean == pytest.approx((1 + 3) / 7)
