from hypothesis import given
from hypothesis import strategies as st

from models.data.text.deduplication import contradictions, find_repeats, keys, normalised
from models.data.text.splits import TextExamples


def single(*texts: str) -> TextExamples:
    return TextExamples(tuple((text,) for text in texts), (0,) * len(texts))


def splits(train: TextExamples, validation: TextExamples, test: TextExamples) -> dict:
    return {"train": train, "validation": validation, "test": test}


def test_case_and_white_space_are_no_difference() -> None:
    assert normalised("  STRASSE\t und\nHof ") == normalised("straße und hof")


def test_the_first_of_a_repeated_text_stays_and_an_evaluated_one_goes() -> None:
    train = single("a", "B", "a ", "b", "c", "d", "D")
    found = find_repeats(splits(train, single("C"), single("d")), "classification")
    # a and B stay; "a " and "b" are repeated, c and d are in evaluation, D repeats d.
    assert found.unique == (0, 1)
    assert (found.repeated, found.leaked) == (3, 2)


def test_a_pair_is_repeated_only_as_a_whole() -> None:
    train = TextExamples((("x", "a"), ("y", "a"), ("x a", "b")), (0, 1, 0))
    other = TextExamples((("x", "A b"),), (0,))
    assert find_repeats(splits(train, other, other), "classification").unique == (0, 1, 2)


def test_a_sentence_is_its_words_and_a_dialogue_its_prompt() -> None:
    assert keys(TextExamples((("New", "York"),), ((0, 0),)), "entities") == ["new york"]
    assert keys(TextExamples((("Who?", "Me."),), (None,)), "dialogue") == ["who?"]


def test_a_conversation_is_all_that_comes_before_its_answer() -> None:
    texts, roles = ("Hi", "Hello.", "Who?", "Me."), ("user", "assistant") * 2
    assert keys(TextExamples((texts,), (roles,)), "dialogue") == ["hi\nhello.\nwho?"]


def test_texts_with_several_labels_are_found_over_all_splits() -> None:
    train = TextExamples((("a",), ("b",), ("c",)), (0, 1, 0))
    other = TextExamples((("A ",), ("b",)), (1, 1))
    assert contradictions(splits(train, other, other), "classification") == ["a"]
    assert contradictions(splits(train, other, other), "dialogue") == []


@given(*[st.lists(st.sampled_from("aAbBcC "), min_size=1, max_size=8)] * 3)
def test_what_stays_is_unique_and_not_in_evaluation(
    train: list, validation: list, test: list
) -> None:
    parts = splits(single(*train), single(*validation), single(*test))
    found = find_repeats(parts, "classification")
    kept = [normalised(train[index]) for index in found.unique]
    assert len(kept) == len(set(kept))
    assert not set(kept) & set(map(normalised, validation + test))
    assert len(found.unique) + found.repeated + found.leaked == len(train)
