import ast
from pathlib import Path

import pytest

import models.threats
from models.threats import TextThreat


def test_a_threat_names_its_metric_by_kind_attack_and_share() -> None:
    threat = TextThreat()
    assert threat.metric("classification") == "accuracy.characters_0.15"
    assert threat.metric("dialogue") == "accuracy.characters_0.15"
    assert threat.metric("entities") == "f1.characters_0.15"
    words = TextThreat(attack="words", share=0.1, synonyms="table.tsv", cheap_examples=8)
    assert words.metric("entities") == "f1.words_0.1"
    assert words.cheap_metric("classification") == "accuracy.words_0.1_cheap8"


def test_the_cheap_threat_differs_in_its_examples_alone() -> None:
    threat = TextThreat(examples=50, cheap_examples=20, seed=3, queries=7, share=0.5)
    assert threat.cheap() == TextThreat(
        examples=20, cheap_examples=20, seed=3, queries=7, share=0.5
    )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"attack": "sentences"}, "choose 'characters' or 'words'"),
        ({"share": 0.0}, "share is 0.0"),
        ({"share": 1.5}, "share is 1.5"),
        ({"share": float("nan")}, "share is nan"),
        ({"queries": 0}, "queries is 0: give at least 1"),
        ({"examples": 0}, "examples is 0: give at least 1"),
        ({"cheap_examples": 0}, "cheap_examples is 0: give at least 1"),
        ({"seed": -1}, "seed is -1: give 0 or more"),
        ({"examples": 10}, r"cheap_examples \(32\) must not exceed examples \(10\)"),
        ({"attack": "words"}, "needs a synonym table"),
        ({"synonyms": "table.tsv"}, "does not use"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TextThreat(**settings)  # type: ignore[arg-type]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind of text task 'images'"):
        TextThreat().metric("images")


def test_threats_need_no_torch() -> None:
    tree = ast.parse(Path(models.threats.__file__).read_text())
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {"__future__", "dataclasses", "math", "typing"}
