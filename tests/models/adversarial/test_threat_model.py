import ast
import dataclasses
import pickle
from pathlib import Path

import pytest

import models.adversarial.threat_model
from models.adversarial.threat_model import TextThreat, Threat


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
        ({"attack": "sentences"}, "attack\n.*'characters' or 'words'"),
        ({"share": 0.0}, r"share\n.*greater than 0 .*0\.0"),
        ({"share": 1.5}, r"share\n.*less than or equal to 1 .*1\.5"),
        ({"share": float("nan")}, r"share\n.*finite number .*nan"),
        ({"queries": 0}, r"queries\n.*greater than or equal to 1 .*0"),
        ({"examples": 0}, r"\nexamples\n.*greater than or equal to 1 .*0"),
        ({"cheap_examples": 0}, r"cheap_examples\n.*greater than or equal to 1 .*0"),
        ({"seed": -1}, r"seed\n.*greater than or equal to 0 .*-1"),
        ({"examples": 10}, r"cheap_examples\n.*must not exceed examples \(10\) .*32"),
        ({"attack": "words"}, "synonyms\n.*needs a table of synonyms; fix: set synonyms"),
        ({"synonyms": "table.tsv"}, r"synonyms\n.*uses no table; fix: remove synonyms.*table\.tsv"),
        ({"share": "0.1"}, r"share\n.*valid number .*0\.1"),
        ({"examples": True}, "examples\n.*valid integer .*True"),
        ({"querys": 9}, "querys\n.*Unexpected keyword"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TextThreat(**settings)  # type: ignore[arg-type]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind of text task 'images'"):
        TextThreat().metric("images")


def test_threats_need_no_torch() -> None:
    tree = ast.parse(Path(models.adversarial.threat_model.__file__).read_text())
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported == {
        "__future__", "dataclasses", "typing", "pydantic", "pydantic.dataclasses",
        "models.scores.metric_names", "models.kinds",
        "models.hyperparameters.hyperparameter",
    }  # fmt: skip


@pytest.mark.parametrize("threat", [Threat(norm="l2", epsilon=0.5), TextThreat(share=0.2)])
def test_a_threat_is_frozen_and_goes_to_a_worker(threat: Threat | TextThreat) -> None:
    assert pickle.loads(pickle.dumps(threat)) == threat and len({threat, threat}) == 1
    assert type(threat)(**dataclasses.asdict(threat)) == threat
    with pytest.raises(dataclasses.FrozenInstanceError):
        threat.seed = 1  # type: ignore[misc]


def test_what_is_replaced_is_checked_again() -> None:
    with pytest.raises(ValueError, match="epsilon"):
        Threat().at(0.0)
    with pytest.raises(ValueError, match=r"cheap_steps\n.*must not exceed steps \(2\) .*3"):
        dataclasses.replace(Threat(), steps=2)


def test_epsilon_may_be_written_in_grey_levels() -> None:
    assert Threat(epsilon="8/255") == Threat(epsilon=8 / 255)  # type: ignore[arg-type]
    for wrong in ("8/0", "8", "8/255/2", "-8/255"):
        with pytest.raises(ValueError, match="epsilon"):
            Threat(epsilon=wrong)  # type: ignore[arg-type]
