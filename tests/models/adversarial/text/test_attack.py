import dataclasses
import hashlib
import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.adversarial.text.attack import AttackResult, TextPrediction, attack_texts
from models.adversarial.text.attack_table import attack_table
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextExamples
from tests.support.victims import Scripted, Text

SYNONYMS = {"wonderful": ("fine", "great")}


def keyword(text: Text, example: int) -> TextPrediction:
    """Class 1 if and only if "wonderful" stands there; the truth is always class 1."""
    margin = 1.0 if "wonderful" in text[-1].split() else -2.0
    return TextPrediction(margin, margin > 0, ())


def hashed(text: Text, example: int, scale: float = 1.0) -> TextPrediction:
    """A margin that depends on every letter, mostly positive."""
    digest = hashlib.sha256(repr((text, example)).encode()).digest()
    margin = scale * (digest[0] - 60.0)
    return TextPrediction(margin, margin > 0, (), share_correct=digest[1] % 5 / 4, tokens=4)


def examples(*texts: Text) -> TextExamples:
    return TextExamples(texts, tuple(1 for _ in texts))


def attacked(
    predict: Callable[[Text, int], TextPrediction], data: TextExamples, **values: object
) -> AttackResult:
    defaults = {"cheap_examples": 1, "share": 0.5}
    threat = TextThreat(**(defaults | values))  # type: ignore[arg-type]
    synonyms = SYNONYMS if threat.attack == "words" else None
    return attack_texts(Scripted(predict), data, (), threat, "classification", synonyms)


def test_the_attack_on_a_keyword_edits_the_keyword_alone() -> None:
    result = attacked(keyword, examples(("This film was wonderful today!",)))
    # Four words have four letters or more: four queries find the keyword, its four typos break it.
    (found,) = result.texts
    assert found.queries == 4 + 4 and result.queries == 8.0
    assert (result.clean, result.robust) == (1.0, 0.0)
    assert found.words_changed == 1 and result.words_changed == pytest.approx(1 / 5)
    words, before = found.adversarial[0].split(), found.text[0].split()
    assert [index for index in range(5) if words[index] != before[index]] == [3]
    assert found.is_worse and found.is_misclassified and not found.attacked.is_correct


def test_the_attack_by_synonyms_asks_for_the_words_of_the_table_alone() -> None:
    result = attacked(
        keyword, examples(("This film was Wonderful and wonderful today!",)),
        attack="words", synonyms="table.tsv",
    )  # fmt: skip
    # Two words in the table are ranked, the second is the keyword and has two synonyms.
    assert result.queries == 2 + 2 and result.robust == 0.0
    assert result.texts[0].adversarial == ("This film was Wonderful and fine today!",)


def test_what_was_wrong_before_counts_as_misclassified_without_a_query() -> None:
    result = attacked(keyword, examples(("wonderful",), ("dreadful",), ("no",)))
    assert result.clean == pytest.approx(1 / 3) and result.robust == 0.0
    assert [text.queries for text in result.texts] == [1 + 4, 0, 0]
    assert result.queries == 5.0  # the mean over the one that was attacked
    assert [text.is_attacked for text in result.texts] == [True, False, False]
    assert result.words_changed == 1.0


def test_a_text_that_cannot_be_edited_withstands() -> None:
    def right(text: Text, example: int) -> TextPrediction:
        return TextPrediction(1.0, True, ())

    result = attacked(right, examples(("a b 12",), ("no",), ("",)))
    assert result.robust == 1.0 and result.queries == 0.0 and result.words_changed == 0.0


def test_words_are_edited_in_the_order_of_their_importance() -> None:
    weights = {"alpha": 1.0, "bravo": 3.0, "delta": 2.0}

    def predict(text: Text, example: int) -> TextPrediction:
        margin = 0.5 + sum(weights.get(word, 0.0) for word in text[0].split())
        return TextPrediction(margin, margin > 0, ())

    # Two words of six may change: 6.5 falls by 3 and then by 2, never below zero.
    (found,) = attacked(
        predict, examples(("alpha bravo charlie delta echoes foxtrot",)), share=0.4
    ).texts
    assert found.attacked.score == 0.5 + 1.0 and found.words_changed == 2
    assert found.adversarial[0].split()[0] == "alpha" and not found.is_misclassified
    assert found.queries == 6 + 4 + 4


def test_an_edit_that_does_not_lower_the_score_is_not_made() -> None:
    def predict(text: Text, example: int) -> TextPrediction:
        return TextPrediction(3.0 if text == ("alpha bravo",) else 4.0, True, ())

    (found,) = attacked(predict, examples(("alpha bravo",))).texts
    assert found.adversarial == found.text and found.words_changed == 0
    assert found.queries == 2 + 4 + 4  # a word that was left leaves the cap to the next


def test_of_a_pair_the_second_text_alone_is_edited() -> None:
    result = attacked(hashed, examples(*[("the target text", f"some words {n}") for n in "abcdef"]))
    assert all(text.adversarial[0] == "the target text" for text in result.texts)
    assert any(text.words_changed for text in result.texts)


def test_nan_does_not_make_a_model_robust() -> None:
    def predict(text: Text, example: int) -> TextPrediction:
        return TextPrediction(1.0 if text == ("alpha bravo",) else float("nan"), True, ())

    assert attacked(predict, examples(("alpha bravo",))).robust == 0.0


@pytest.mark.parametrize("kind", ["classification", "entities", "dialogue", "ranking"])
def test_a_model_whose_outputs_are_not_finite_counts_zero_and_is_not_attacked(kind: str) -> None:
    calls: list[Text] = []

    def predict(text: Text, example: int) -> TextPrediction:
        calls.append(text)
        # Whatever an argmax makes of NaN: here it would be right.
        return TextPrediction(math.nan, True, ("B-x", "O") if kind == "entities" else (), 1.0)

    texts = (("alpha", "bravo"), ("charlie", "delta"))
    labels: dict[str, tuple[object, ...]] = {
        "entities": ((1, 0), (0, 0)), "ranking": (1, 0), "classification": (0, 0),
        "dialogue": (0, 0),
    }  # fmt: skip
    data = TextExamples(texts, labels[kind], ("g", "g") if kind == "ranking" else None)  # type: ignore[arg-type]
    names = ("0", "1") if kind == "ranking" else ("O", "B-x")
    found = attack_texts(Scripted(predict), data, names, TextThreat(cheap_examples=1), kind, None)
    # The relevant item of two is ranked second: 1 / log2(3).
    worst = 1 / math.log2(3) if kind == "ranking" else 0.0
    assert found.robust == found.clean == pytest.approx(worst)
    assert sorted(calls) == list(texts) and found.queries == 0  # no edit is tried
    assert not any(text.is_attacked for text in found.texts)
    first, warning, *_ = attack_table(found).splitlines()
    assert "2 misclassified before the attack" in first
    assert warning.startswith("Warning: outputs are not finite (NaN or infinite) for 2 of 2")


def test_an_edit_that_ranks_an_item_by_nan_is_kept_and_warned_of() -> None:
    def predict(text: Text, example: int) -> TextPrediction:
        return TextPrediction(0.5 if text == ("alpha bravo",) else math.nan, True, ())

    data = TextExamples((("alpha bravo",), ("alpha bravo",)), (1, 0), ("g", "g"))
    found = attack_texts(
        Scripted(predict), data, ("0", "1"), TextThreat(cheap_examples=1), "ranking", None
    )
    assert all(text.is_worse and text.words_changed == 1 for text in found.texts)
    assert found.robust == pytest.approx(1 / math.log2(3))
    assert "for 0 of 2 examples, and for 2 more after an edit" in attack_table(found)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text("abcdefgh ,.", min_size=1, max_size=60), min_size=1, max_size=4),
    st.floats(0.01, 1.0), st.integers(1, 30), st.integers(0, 3),
)  # fmt: skip
def test_no_cap_is_exceeded(texts: list[str], share: float, queries: int, seed: int) -> None:
    data = examples(*[(text,) for text in texts])
    result = attacked(hashed, data, share=share, queries=queries, seed=seed)
    assert result.robust <= result.clean
    for found in result.texts:
        assert found.queries <= queries
        assert found.words_changed <= max(1, share * found.words + 1e-6)
        pairs = zip(found.text[0].split(), found.adversarial[0].split(), strict=True)
        assert sum(before != after for before, after in pairs) == found.words_changed
        assert hashed(found.adversarial, found.example) == found.attacked


def test_a_share_that_floats_miss_by_a_hair_is_the_whole_number() -> None:
    # 0.29 of 100 words is 28.999999999999996 in floats.
    text = " ".join(f"word{a}{b}" for a in "abcdefghij" for b in "abcdefghij")

    def falling(text: Text, example: int) -> TextPrediction:
        intact = sum(word in original for word in text[0].split())
        return TextPrediction(float(intact), True, ())

    original = set(text.split())
    (found,) = attacked(falling, examples((text,)), share=0.29, queries=1000).texts
    assert found.words == 100 and found.words_changed == 29


def test_a_long_text_spends_half_of_its_queries_on_the_order() -> None:
    text = " ".join(["lengthy"] * 300)
    victim = Scripted(lambda text, example: TextPrediction(1.0, True, ()))
    threat = TextThreat(queries=21, cheap_examples=1)
    result = attack_texts(victim, examples((text,)), (), threat, "classification", None)
    assert result.queries == 21.0
    assert victim.calls == [1, 10, 4, 4, 3]


def test_the_same_seed_gives_the_same_attack_and_another_one_another() -> None:
    data = examples(*[(f"some longer words in number {n} follow",) for n in "abcdefgh"])
    assert attacked(hashed, data, examples=4) == attacked(hashed, data, examples=4)
    other = attacked(hashed, data, examples=4, seed=1)
    assert [t.example for t in other.texts] != [
        t.example for t in attacked(hashed, data, examples=4).texts
    ]


def test_what_an_example_meets_does_not_depend_on_the_others() -> None:
    data = examples(*[(f"some longer words in number {n} follow",) for n in "abcdefgh"])
    alone = {text.example: text for text in attacked(hashed, data, examples=3).texts}
    together = {text.example: text for text in attacked(hashed, data, examples=8).texts}
    assert len(together) == 8 and len(alone) == 3
    assert all(together[example] == text for example, text in alone.items())


def test_every_model_may_choose_from_the_same_typos() -> None:
    asked: dict[str, set[Text]] = {"first": set(), "second": set()}

    def model(name: str, favourite: str) -> Callable[[Text, int], TextPrediction]:
        def predict(text: Text, example: int) -> TextPrediction:
            asked[name].add(text)
            return TextPrediction(1.0 + (favourite in text[0].split()), True, ())

        return predict

    # Models that need other words meet the same typos of each word while the rest is intact.
    for name, favourite in (("first", "longer"), ("second", "words")):
        attacked(model(name, favourite), examples(("some longer words",)), share=0.01, seed=5)
    typos = {
        name: {text[0].split()[1] for text in texts if text[0].split()[::2] == ["some", "words"]}
        for name, texts in asked.items()
    }
    assert len(typos["first"] - {"longer", "[UNK]"}) == 4
    assert typos["second"] == {"longer", "[UNK]"}  # its favourite was edited first, up to the cap
    asked["third"] = set()
    attacked(model("third", "anything"), examples(("some longer words",)), share=0.01, seed=5)
    third = {text[0].split()[1] for text in asked["third"]}
    assert third == typos["first"]


def test_multiplied_logits_change_nothing() -> None:
    data = examples(*[(f"some longer words in number {n} follow",) for n in "abcdefgh"])
    plain = attacked(hashed, data)
    scaled = attacked(lambda text, example: hashed(text, example, scale=30.0), data)
    assert plain.robust == scaled.robust and plain.queries == scaled.queries
    assert [t.adversarial for t in plain.texts] == [t.adversarial for t in scaled.texts]


def test_all_examples_are_predicted_in_few_large_calls() -> None:
    data = examples(*[(f"some longer words in number {n} follow",) for n in "abcdefgh"])
    victim = Scripted(lambda text, example: TextPrediction(1.0, True, ()))
    threat = TextThreat(cheap_examples=1, share=0.2)
    attack_texts(victim, data, (), threat, "classification", None)
    # Clean, the order, and one call for each of the five words with four letters or more.
    assert victim.calls[0] == 8 and victim.calls[1] == 40 and len(victim.calls) == 7


def test_the_metrics_carry_the_name_of_the_robust_metric_and_its_costs() -> None:
    result = attacked(keyword, examples(("wonderful day",)))
    name = TextThreat().metric("classification")
    assert result.metrics(name) == {name: 0.0, "queries.mean": 5.0, "words_changed.share": 0.5}


def test_wrong_input_is_refused() -> None:
    data, threat = examples(("alpha bravo",)), TextThreat(cheap_examples=1)
    words = dataclasses.replace(threat, attack="words", synonyms="table.tsv")
    with pytest.raises(ValueError, match="pass load_synonyms"):
        attack_texts(Scripted(keyword), data, (), words, "classification", None)
    with pytest.raises(ValueError, match="no texts to attack"):
        attack_texts(Scripted(keyword), examples(), (), threat, "classification", None)
    with pytest.raises(ValueError, match="unknown kind 'images'"):
        attack_texts(Scripted(keyword), data, (), threat, "images", None)

    class Silent:
        def predict(self, texts: Sequence[Text], examples: Sequence[int]) -> list[TextPrediction]:
            return []

    with pytest.raises(ValueError, match="predicted 0 of 1 texts"):
        attack_texts(Silent(), data, (), threat, "classification", None)
