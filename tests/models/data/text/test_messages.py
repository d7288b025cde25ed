from typing import Any

import pytest

from models.data.sources import DataError
from models.data.text.messages import read_messages
from models.data.text.splits import TextExamples
from models.data.text.table import TextTable


def says(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def read(*rows: Any) -> tuple[TextExamples, tuple[int, ...]]:
    return read_messages(TextTable("some.jsonl", {"messages": rows}))


HELLO = [says("user", "Hello"), says("assistant", "Hi.")]


def test_every_turn_of_the_assistant_is_an_example() -> None:
    longer = [says("system", "Be brief."), *HELLO, says("user", "Bye"), says("assistant", "Bye.")]
    examples, rows = read(HELLO, longer)
    assert rows == (0, 1, 1)
    assert examples.texts == (
        ("Hello", "Hi."),
        ("Be brief.", "Hello", "Hi."),
        ("Be brief.", "Hello", "Hi.", "Bye", "Bye."),
    )
    assert examples.labels[0] == ("user", "assistant")
    assert examples.labels[2] == ("system", "user", "assistant", "user", "assistant")


def test_what_follows_the_last_answer_is_not_used() -> None:
    assert read([*HELLO, says("user", "Thanks")]) == read(HELLO)


def test_keys_without_a_value_do_not_count() -> None:
    assert read([{**message, "name": None} for message in HELLO]) == read(HELLO)


def test_a_list_of_the_hub_may_be_stored_key_by_key() -> None:
    assert read({"role": ["user", "assistant"], "content": ["Hello", "Hi."]}) == read(HELLO)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("hello", ["messages is 'hello'", "list of messages"]),
        ([], ["messages is []"]),
        (None, ["messages is None"]),
        (["Hello"], ["messages[0]: 'Hello' is no message", "{role, content}"]),
        ([says("human", "Hello")], ["messages[0]: role is 'human'", "write 'user'"]),
        ([says("customer", "Hello")], ["messages[0]: role is 'customer'", "write 'user'"]),
        ([HELLO[0], says("agent", "Hi")], ["messages[1]: role is 'agent'", "write 'assistant'"]),
        ([says("assistent", "Hello")], ["role is 'assistent'", "write 'assistant'"]),
        ([says("tool", "3")], ["role is 'tool'", "use system, user, assistant"]),
        ([{"content": "a"}], ["role is None"]),
        ([says("user", None)], ["messages[0]: content is None", "string"]),
        ([says("user", [{"type": "text"}])], ["content is [{'type': 'text'}]", "string"]),
        ([HELLO[0], says("assistant", " ")], ["messages[1]: content is empty (' ')"]),
        ([{**HELLO[0], "weight": 1}], ["key 'weight' is not read", "role and content only"]),
        ([HELLO[0]], ["no message of the assistant", "add the answer"]),
        ([says("system", "a"), says("user", "b")], ["no message of the assistant"]),
        ([says("system", "a")] * 2, ["messages[1]: a second system message", "join"]),
        ([*HELLO, says("system", "a")], ["messages[2]: a system message after", "put it first"]),
        ([HELLO[0]] * 2, ["messages[1]: two messages of the user", "join"]),
        ([HELLO[1]], ["messages[0]: the assistant speaks before the user", "begin with"]),
    ],
)
def test_messages_that_are_no_dialogue_are_named(row: Any, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        read(HELLO, row)
    assert str(error.value).startswith("some.jsonl, row 1")
    assert all(word in str(error.value) for word in [*words, "fix: "]), error.value
