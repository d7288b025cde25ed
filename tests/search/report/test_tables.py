"""Text of users stays text in Markdown."""

from __future__ import annotations

import pytest

from search.history import Trial
from search.report.tables import TRIALS_SHOWN, escape, fenced, table, tables_section


@pytest.mark.parametrize("text", ["<b>", "a|b", "[a](javascript:x)", "`x`", "![x](y)", "**x**"])
def test_markup_is_escaped(text: str) -> None:
    assert not set("<>|[]`*!") & set(escape(text))


def test_line_breaks_cannot_end_a_table_row() -> None:
    assert escape("a\n\n# b") == "a # b"
    assert table(["x"], [[escape("a\nb")]]).count("\n") == 2


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fenced("a\n````\nb").startswith("`````\n")
    assert fenced("a", "yaml") == "```yaml\na\n```"


def best(number: int) -> Trial:
    return Trial(number=number, run_id=f"run{number}", state="complete", configuration={})


def test_the_tables_of_the_first_best_trials_are_shown_as_they_are() -> None:
    front = [best(number) for number in (7, 2, 5, 1)]
    tables = {f"run{number}": {"b.txt": f"B{number}", "a.txt": "x | y"} for number in (7, 2, 5, 1)}
    section = tables_section(front, tables)
    assert section.index("Trial 7: a.txt") < section.index("Trial 7: b.txt")
    assert section.index("Trial 7: b.txt") < section.index("Trial 2: a.txt")
    assert "```\nx | y\n```" in section
    assert "B1" not in section, f"the first {TRIALS_SHOWN} alone"


def test_a_table_cannot_end_its_own_fence() -> None:
    section = tables_section([best(0)], {"run0": {"a.txt": "```\n# title"}})
    assert "````\n```\n# title\n````" in section


def test_without_tables_there_is_no_section() -> None:
    assert tables_section([best(0)], {"run0": {}}) == tables_section([], {}) == ""


def test_of_a_long_table_the_beginning_is_shown_and_the_rest_counted() -> None:
    text = "\n".join(f"line {number}" for number in range(100))
    section = tables_section([best(0)], {"run0": {"a.txt": text}})
    assert "line 79\n... and 20 more lines\n```" in section and "line 80" not in section


def test_attacked_texts_come_after_the_metrics() -> None:
    tables = {"attacked_texts.txt": "x", "entities.txt": "y"}
    section = tables_section([best(0)], {"run0": tables})
    assert section.index("entities.txt") < section.index("attacked_texts.txt")
