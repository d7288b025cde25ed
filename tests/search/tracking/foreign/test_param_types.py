from __future__ import annotations

import pytest

from search.tracking.foreign.param_types import parsed, typed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("0", 0), ("0.1", 0.1), ("1e-3", 0.001), (".5", 0.5), ("1.", 1.0),
        ("True", True), ("false", False), ("None", None), ("adam", "adam"), ("", ""),
        ("nan", "nan"), ("inf", "inf"), ("1e999", "1e999"), ("007", "007"), ("1_000", "1_000"),
        ("0x10", "0x10"), (" 1", " 1"), ("٣", "٣"), ("1" * 30, float("1" * 30)),
        ("9" * 5000, "9" * 5000), ("[1, 2]", "[1, 2]"), ("__import__('os')", "__import__('os')"),
    ],
)  # fmt: skip
def test_a_param_gets_the_type_its_text_reads_as(text: str, value: object) -> None:
    assert parsed(text) == value and type(parsed(text)) is type(value)


def test_integers_among_floats_are_floats() -> None:
    first, second = typed([{"lr": "1", "width": "16"}, {"lr": "0.1", "width": "32"}])
    assert (type(first["lr"]), first["lr"], type(first["width"])) == (float, 1.0, int)
    assert second == {"lr": 0.1, "width": 32}


def test_words_among_numbers_leave_the_numbers_alone() -> None:
    found = typed([{"gamma": "scale"}, {"gamma": "0.1"}, {"gamma": "None"}])
    assert [each["gamma"] for each in found] == ["scale", 0.1, None]
