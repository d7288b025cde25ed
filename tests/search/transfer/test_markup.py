"""Text of users stays text in Markdown."""

from __future__ import annotations

import pytest

from search.transfer.markup import escape, fenced, table


@pytest.mark.parametrize("text", ["<b>", "a|b", "[a](javascript:x)", "`x`", "![x](y)", "**x**"])
def test_markup_is_escaped(text: str) -> None:
    assert not set("<>|[]`*!") & set(escape(text))


def test_line_breaks_cannot_end_a_table_row() -> None:
    assert escape("a\n\n# b") == "a # b"
    assert table(["x"], [[escape("a\nb")]]).count("\n") == 2


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fenced("a\n````\nb").startswith("`````\n")
    assert fenced("a", "yaml") == "```yaml\na\n```"
