"""A lineage is put into words; a damaged one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from search.history.lineage import DAMAGED, lineage_in_words, read_lineage

LINEAGE: dict[str, Any] = {
    "source": "s#1", "source_run": "r", "source_task": "t", "base": "gpt@1", "tensors": 3,
    "rows_carried": [], "rows_initialized": [], "ancestors": ["s#1"], "trained_on": [{}],
    "overlap": {"count": 0, "known": 0, "compared": 7}, "merged": True,
}  # fmt: skip


def test_a_language_models_head_goes_as_a_whole() -> None:
    said = lineage_in_words(read_lineage(json.dumps(LINEAGE)))
    assert "on the base gpt@1: 3 tensors, with the whole head." in said


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_a_trial_from_scratch_has_none(text: str | None) -> None:
    assert read_lineage(text) == {} and lineage_in_words({}) == ""


@pytest.mark.parametrize("key", [key for key in LINEAGE if key != "merged"])
def test_a_lineage_that_lacks_a_part_is_damaged(key: str) -> None:
    rest = {name: part for name, part in LINEAGE.items() if name != key}
    with pytest.raises(ValueError, match=DAMAGED):
        read_lineage(json.dumps(rest))


@pytest.mark.parametrize(
    "wrong",
    [{"ancestors": [1]}, {"rows_carried": "0"}, {"trained_on": [3]}, {"overlap": {}}, {"base": 3}],
)
def test_a_lineage_with_a_part_of_another_type_is_damaged(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=DAMAGED):
        read_lineage(json.dumps(LINEAGE | wrong))


@pytest.mark.parametrize("text", ["{", "[1]", "3", "[" * 100_000])
def test_text_that_is_no_lineage_is_damaged(text: str) -> None:
    with pytest.raises(ValueError, match=DAMAGED):
        read_lineage(text)
