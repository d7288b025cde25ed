"""Experience as JSON and as a few lines of plain text."""

from __future__ import annotations

import pytest

from search.experience import (
    Agreement,
    Best,
    Category,
    Experience,
    Importance,
    ImportanceAgreement,
    LeftOut,
    Noise,
    ObjectiveCorrelation,
    RankCorrelation,
    Region,
    RelevantSearch,
)
from search.extract.describe import lines

FULL = Experience(
    task="t@1",
    searches=(
        RelevantSearch("s1", "t@1", True, 1.0, ("the same task",), 20, (Best("acc", 0.9, "r1"),)),
        RelevantSearch("s2", "u@2", False, 0.6, ("same model",), 9, (Best("acc", 0.8, "r2"),)),
    ),
    importances=(
        Importance("width", "acc", 0.7, 0.9, ("s1", "s2"), 29),
        Importance("depth", "acc", 0.3, None, ("s1",), 20),
    ),
    regions=(
        Region("width", 16.0, 64.0, 0.5, (), 5, ("r1",), ("s1",)),
        Region("flag", None, None, None,
               (Category(True, 0.8, 0.5), Category(1, 0.1, 0.3), Category("a", 0.1, 0.2)),
               5, ("r1",), ("s1",)),
    ),
    objective_correlations=(ObjectiveCorrelation("acc", "robust", -0.5, 20, ("s1",)),),
    importance_agreements=(
        ImportanceAgreement("acc", 0.8, 2, ("width", "depth", "flag"), ("s1", "s2")),
    ),
    noises=(
        Noise("acc", 0.004, 0.003, 0.007, 12, 0.0123, True, ("r1", "r2"), ("s1",)),
        Noise("robust", 0.0, 0.0, 0.0, 1, 0.0, False, ("r1", "r2"), ("s2",)),
    ),
    agreements=(
        Agreement("s1", "t@1", "acc", 1.0, RankCorrelation(0.6, 0.2, 0.9, 45), 10, 0.7, 20),
        Agreement("s2", "u@2", "acc", 0.6, RankCorrelation(-0.2, -0.5, 0.2, 45), 10, 0.5, 9),
    ),
    left_out=(LeftOut("r9", "n", "no space"), LeftOut("r8", "n", "no space")),
)  # fmt: skip


def test_json_carries_every_statement_with_its_types() -> None:
    again = Experience.from_json(FULL.to_json())
    assert again == FULL
    assert [type(each.value) for each in again.regions[1].categories] == [bool, int, str]
    assert Experience.from_json(Experience("t").to_json()) == Experience("t")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"task": 1}', '{"task": "t", "searches": [{}]}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Experience.from_json(text)


def test_lines_say_where_each_statement_comes_from() -> None:
    text = lines(FULL)
    assert len(text) <= 10
    assert text[0] == "2 earlier searches with 29 complete trials; 1 of this same task."
    assert text[1] == "s1: same task, 20 trials, best acc 0.9000"
    assert "similarity 0.60 (same model)" in text[2]
    assert (
        "What moves acc: width 70%, depth 30% (2 searches, within 10 points of each other); "
        "2 tasks agree (rank correlation +0.80)"
    ) in text
    assert (
        "Repeating a configuration changes acc by 0.004 (standard deviation, 0.003 to 0.007, 12 "
        "repeats); differences below 0.012 are noise"
    ) in text
    assert "Repeating a configuration of similar tasks never changed robust (1 repeat)" in text
    assert any("acc and robust conflict" in line and "-0.50" in line for line in text)
    assert text[-1] == "Left out: 2 runs: no space (2)"


def test_an_empty_experience_says_so_in_one_line() -> None:
    assert lines(Experience("t")) == ["No earlier search to learn from: this search starts cold."]


def test_an_empty_experience_still_says_what_was_left_out() -> None:
    assert lines(Experience("t", left_out=FULL.left_out))[1:] == ["Left out: 2 runs: no space (2)"]


def test_many_searches_and_reasons_stay_short() -> None:
    many = Experience(
        "t",
        searches=tuple(
            RelevantSearch(f"s{index}", "t", True, 1.0, (), 5, ()) for index in range(50)
        ),
        left_out=tuple(LeftOut("r", "n", f"reason {index}") for index in range(50)),
    )
    assert len(lines(many)) <= 7
