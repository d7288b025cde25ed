"""Dialogues of several turns: each turn of the assistant is an example.

Its prompt is what came before. A row is a list of messages with `role` and `content`: perhaps one
of the system, then user and assistant by turns. What follows the last answer is not used.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from models.data.sources import DataError
from models.data.text.splits import TextExamples
from models.data.text.table import TextTable

_ROLES = ("system", "user", "assistant")
# Roles of other formats and of logs of a help desk.
_SYNONYMS = {
    **dict.fromkeys(("human", "customer", "client", "visitor"), "user"),
    **dict.fromkeys(("gpt", "bot", "model", "agent", "support", "advisor"), "assistant"),
}


class _WrongMessages(ValueError):
    """What is wrong with the messages of a row, with its fix, without the row's place."""


def read_messages(table: TextTable) -> tuple[TextExamples, tuple[int, ...]]:
    """Return the examples of the column "messages", and the row of each.

    Raises:
        DataError: a row is no list of messages, or their roles are not in this order.
    """
    texts, roles, rows = [], [], []
    for row, value in enumerate(table.columns["messages"]):
        try:
            turns = _turns(table.name("messages"), value)
        except _WrongMessages as error:
            raise DataError(f"{table.row(row)}, {error}") from None
        for end, (role, _) in enumerate(turns, start=1):
            if role == "assistant":
                texts.append(tuple(content for _, content in turns[:end]))
                roles.append(tuple(role for role, _ in turns[:end]))
                rows.append(row)
    return TextExamples(tuple(texts), tuple(roles)), tuple(rows)


def _turns(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):  # a column of lists of the hub, as older versions wrote it
        lists = {key: each for key, each in value.items() if isinstance(each, list)}
        count = max(map(len, lists.values()), default=0)
        value = [{k: each[i] for k, each in lists.items() if i < len(each)} for i in range(count)]
    if not isinstance(value, list | tuple) or not value:
        raise _WrongMessages(f"{name} is {reprlib.repr(value)}; fix: give a list of messages, "
                             "each {role, content}")  # fmt: skip
    turns: list[tuple[str, str]] = []
    for index, message in enumerate(value):
        where = f"{name}[{index}]"
        role, content = _checked(where, message)
        _check_order(where, role, [before for before, _ in turns])
        turns.append((role, content))
    if not any(role == "assistant" for role, _ in turns):
        raise _WrongMessages(f"{name}: no message of the assistant; fix: remove the row, or add "
                             "the answer")  # fmt: skip
    return turns


def _checked(where: str, message: Any) -> tuple[str, str]:
    if not isinstance(message, Mapping):
        raise _WrongMessages(f"{where}: {message!r} is no message; fix: give {{role, content}}")
    # Tables give every message the keys of all, with None where it has none.
    given = {key: value for key, value in message.items() if value is not None}
    unknown = [key for key in given if key not in ("role", "content")]
    if unknown:
        raise _WrongMessages(f"{where}: key {unknown[0]!r} is not read; fix: give role and content "
                             "only")  # fmt: skip
    role, content = given.get("role"), given.get("content")
    if role not in _ROLES:
        close = difflib.get_close_matches(str(role), _ROLES, n=1)
        meant = _SYNONYMS.get(str(role)) or next(iter(close), None)
        fix = f"write {meant!r}" if meant else f"use {', '.join(_ROLES)}"
        raise _WrongMessages(f"{where}: role is {role!r}; fix: {fix}")
    if not isinstance(content, str):
        raise _WrongMessages(f"{where}: content is {content!r}; fix: store a string")
    if not content.strip():
        raise _WrongMessages(f"{where}: content is empty ({content!r}); fix: remove the row or "
                             "fill it in")  # fmt: skip
    return str(role), content


def _check_order(where: str, role: str, before: Sequence[str]) -> None:
    if role == "system":
        if "system" in before:
            raise _WrongMessages(f"{where}: a second system message; fix: join them in the first")
        if before:
            raise _WrongMessages(f"{where}: a system message after the first; fix: put it first")
    elif before and role == before[-1]:
        raise _WrongMessages(f"{where}: two messages of the {role} in succession; fix: join them")
    elif role == "assistant" and "user" not in before:
        raise _WrongMessages(
            f"{where}: the assistant speaks before the user; fix: begin with the user"
        )
