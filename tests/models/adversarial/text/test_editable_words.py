from models.adversarial.text.editable_words import editable


def words(text: tuple[str, ...], kind: str = "classification", tags: tuple[str, ...] = ()) -> list:
    view = editable(text, kind, tags)
    return [view.word(index) for index in range(len(view.places))]


def test_words_stand_between_signs() -> None:
    assert words(('He said: "don\'t!" (well-made)',)) == ["He", "said", "don't", "well-made"]


def test_names_of_accounts_addresses_and_numbers_are_no_words() -> None:
    assert words(("@user see https://x.org/a1 on 3rd #topic 2026 ok",)) == [
        "see", "on", "topic", "ok",
    ]  # fmt: skip


def test_signs_alone_do_not_count_as_words() -> None:
    assert editable(("What is this , then ? 42 !",), "classification").count == 5


def test_of_a_pair_only_the_second_text_is_edited() -> None:
    view = editable(("first target", "second text"), "classification")
    assert [view.word(0), view.word(1)] == ["second", "text"] and view.count == 2
    assert view.replaced({0: "another"}) == ("first target", "another text")


def test_of_a_dialogue_only_the_prompt_is_edited() -> None:
    assert words(("the prompt", "the answer"), "dialogue") == ["the", "prompt"]


def test_of_entities_only_words_outside_are_edited_while_all_count() -> None:
    tags = ("O", "B-PER", "I-PER", "O", "O")
    view = editable(("Then", "Ada", "Lovelace", "wrote", "."), "entities", tags)
    assert [view.word(index) for index in range(len(view.places))] == ["Then", "wrote"]
    assert view.count == 4
    assert view.replaced({1: "wrtoe"}) == ("Then", "Ada", "Lovelace", "wrtoe", ".")


def test_what_is_not_replaced_stays_to_the_last_space() -> None:
    view = editable(("  One,\ttwo  three!\n",), "classification")
    assert view.replaced({}) == view.text
    assert view.replaced({0: "Uno", 2: "tres"}) == ("  Uno,\ttwo  tres!\n",)
