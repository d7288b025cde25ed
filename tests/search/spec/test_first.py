"""First configurations of a spec: what they are completed with, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from search.space import values as space_values
from search.spec import Spec, SpecError, load_spec, spec_from_yaml, with_first
from tests.support.launches import ROOT, hills

DIGITS = ROOT / "search" / "specs" / "digits.yaml"


def with_given(*configurations: Any, **changes: Any) -> Spec:
    record = yaml.safe_load(DIGITS.read_text()) | changes
    return spec_from_yaml(yaml.safe_dump(record | {"first": list(configurations)}))


def test_what_is_missing_is_the_models_default_or_the_middle_of_the_range() -> None:
    (completed,) = with_given({"sgd.learning_rate": 0.1, "width": 8}).first_configurations()
    assert completed == {
        "optimizer": "sgd", "sgd.learning_rate": 0.1, "width": 8, "normalisation": "none",
        "dropout": 0.0, "adversarial_training": "none",
    }  # fmt: skip
    own = spec_from_yaml(yaml.safe_dump(hills("two_hills", first=[{}])))
    assert own.first_configurations() == [{"x": 0.5}]


def test_a_default_taken_from_another_follows_what_is_given_or_fixed() -> None:
    kind = {"type": "float", "low": 1e-5, "high": 1.0, "log": True}
    record = yaml.safe_load(DIGITS.read_text())
    searched = {"adversarial_weight_decay": kind}

    def completed(settings: dict[str, Any], space: dict[str, Any], **given: Any) -> Any:
        task = record["task"] | {"settings": record["task"]["settings"] | settings}
        given = {"adversarial_training": "pgd", **given}
        spec = with_given(given, task=task, space=record["space"] | searched | space)
        return spec.first_configurations()[0]["adversarial_weight_decay"]

    assert completed({}, {"weight_decay": kind}, weight_decay=0.3) == 0.3
    assert completed({"weight_decay": 0.2}, {}) == 0.2
    assert completed({}, {}) == 1e-4  # the default of weight_decay


def test_a_choice_is_the_one_that_makes_a_given_value_active() -> None:
    (completed,) = with_given({"pgd.steps": 3}).first_configurations()
    assert completed["adversarial_training"] == "pgd"
    assert space_values.is_number(completed["pgd.epsilon"])


def test_every_completed_configuration_is_one_of_the_space() -> None:
    spec = with_given({}, {"optimizer": "sgd"}, {"fgsm.epsilon": 0.1}, {"pgd.epsilon": 0.2})
    space = spec.search_space()
    assert [space.problems(each) for each in spec.first_configurations()] == [[]] * 4


def test_values_have_the_type_of_their_hyperparameter() -> None:
    given = {"sgd.learning_rate": np.float32(0.125), "width": np.int64(16), "dropout": 0}
    (kept,) = with_first(load_spec(DIGITS), [given], "run(first=...)").first
    assert kept == {"sgd.learning_rate": 0.125, "width": 16, "dropout": 0.0}
    assert [type(value) for value in kept.values()] == [float, int, float]


def test_a_stored_spec_keeps_them_as_they_were_given_and_without_them_has_no_such_key() -> None:
    spec = with_given({"width": 8}, {"width": 8})
    again = spec_from_yaml(spec.to_yaml())
    assert again == spec and again.first == ({"width": 8}, {"width": 8})
    assert "first" not in yaml.safe_load(load_spec(DIGITS).to_yaml())


def test_they_are_no_part_of_what_identifies_the_task() -> None:
    assert with_given({"width": 8}).fingerprint(None) == load_spec(DIGITS).fingerprint(None)


WRONG = """\
- {optimizer: adam, width: 200}
- optimizer: sgd
  adamw.learning_rate: 0.01
- {learning_rate: 0.1}
- 7
- {width: 9.5}
- {batch_size: 32}
- {dropout: }
- {dropout: "0.2"}
- {pgd.steps: 3, adversarial_training: fgsm}
"""
SAID = [
    "1  first[0].optimizer = 'adam': must be one of the choices in space. Did you mean `adamw`?",
    "1  first[0].width = 200: must be in the range in space: 8 to 24 in steps of 8",
    "3  first[1].adamw.learning_rate = 0.01: has no effect under optimizer = 'sgd'; remove it, or "
    "set optimizer to 'adamw'",
    "4  first[2].learning_rate: is no hyperparameter of this space. Did you mean `sgd.learning_",
    "5  first[3] = 7: must map hyperparameters to values, such as {width: 16}",
    "6  first[4].width = 9.5: must be in the range",
    "7  first[5].batch_size: is fixed to 64 in task.settings; leave it out",
    "8  first[6].dropout = 'null': must be in the range in space: 0.0 to 0.4",
    "9  first[7].dropout = '0.2': must be in the range in space: 0.0 to 0.4",
    "10  first[8].pgd.steps = 3: has no effect under adversarial_training = 'fgsm'",
]


def test_every_mistake_of_a_file_is_said_with_its_line_place_key_and_value(tmp_path: Path) -> None:
    file = tmp_path / "first.yaml"
    file.write_text(WRONG)
    with pytest.raises(SpecError) as raised:
        load_spec(DIGITS, first=file)
    said = str(raised.value).splitlines()
    assert len(said) == len(SAID)
    for line, start in zip(said, SAID, strict=True):
        assert line.startswith(f"{file}:{start}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("width: 8", "the file holds a dict, not a list: begin each entry with `- `"),
        ("", "the file is empty"),
        ("- {width: [8}", "not YAML"),
        ("- {width: 8, width: 16}", "first[0].width: given twice"),
        ("- {width: 8}\n- {width: 16}", "first: has 2 configurations, more than budget.trials (1)"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "first.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as raised:
        load_spec(DIGITS, ["budget.trials=1"], first=file)
    assert said in str(raised.value) and str(file) in str(raised.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no\.yaml: there is no such file"):
        load_spec(DIGITS, first=tmp_path / "no.yaml")


def test_a_file_replaces_those_of_the_spec_and_can_be_overridden(tmp_path: Path) -> None:
    file = tmp_path / "first.yaml"
    file.write_text("- {width: 8}\n")
    spec = load_spec(DIGITS, ["first[0].width=16"], first=file)
    assert spec.first == ({"width": 16},)


def test_a_control_arm_and_first_configurations_exclude_each_other() -> None:
    with pytest.raises(SpecError, match=r"first: .*remove this key, or sampler\.options\.control"):
        with_given({}, sampler={"name": "warm", "options": {"control": 2}})


def test_from_python_a_message_names_the_argument() -> None:
    with pytest.raises(SpecError, match=r"run\(first=\.\.\.\)  first\[0\] = 3: must map"):
        with_first(load_spec(DIGITS), [3], "run(first=...)")  # type: ignore[list-item]
