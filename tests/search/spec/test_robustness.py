"""The section `robustness`: attacks on pixels of images and words of texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.catalog import TextThreat, Threat
from search.spec import SpecError, load_spec, spec_from_yaml, task_id
from tests.support.spec_documents import DATA, FLOAT, GOOD, changed
from tests.support.spec_texts import fine_tuning, place


def attacked(model: str = "text_classifier", **robustness: Any) -> str:
    text = yaml.safe_load(fine_tuning(robustness=robustness))
    text["task"]["model"] = model
    if model == "entity_tagger":
        text["objectives"][0]["metric"] = "f1.clean"
        text["objectives"][1]["metric"] = "f1.robust"
    return yaml.safe_dump(text)


def said(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(text)
    return str(caught.value)


def test_texts_are_attacked_by_the_defaults_of_their_threat() -> None:
    spec = spec_from_yaml(fine_tuning())
    assert spec.robustness == TextThreat()
    assert spec.objectives[1].metric == "accuracy.characters_0.15"
    assert spec_from_yaml(spec.to_yaml()) == spec


def test_images_are_attacked_by_their_pixels_whatever_the_model() -> None:
    text = yaml.safe_load(fine_tuning(robustness={"epsilon": "8/255"}))
    text["task"] |= {"model": "vision_transformer", "data": "digits", "settings": {}}
    spec = spec_from_yaml(yaml.safe_dump(text))
    assert spec.robustness == Threat(epsilon=8 / 255)
    assert spec.objectives[1].metric == "accuracy.pgd10_linf_8_255"


@pytest.mark.parametrize(
    ("data", "norm", "epsilon"),
    [
        ("digits", "linf", 0.1),
        ({"name": "digits"}, "l2", 0.2),
        ({"hub": "ylecun/mnist"}, "linf", 0.3),
        ("hub:ylecun/mnist", "l2", 2.0),
        ({"path": "/data/fashion_mnist_10k"}, "linf", 0.1),
        ({"path": "/data/fashion_mnist_10k", "image_size": 14}, "l2", 0.35),
        ({"path": "/data/kmnist_t10k"}, "linf", 0.3),
        ({"hub": "uoft-cs/cifar10"}, "linf", 8 / 255),
        ({"hub": "uoft-cs/cifar10"}, "l2", 0.5),
    ],
)
def test_the_default_epsilon_is_the_usual_one_of_the_data_set_and_the_norm(
    data: Any, norm: str, epsilon: float
) -> None:
    text = changed("task/data", data, changed("robustness/norm", norm))
    spec = spec_from_yaml(text)
    assert spec.robustness == Threat(norm=norm, epsilon=epsilon)  # type: ignore[arg-type]
    assert spec_from_yaml(spec.to_yaml()) == spec


@pytest.mark.parametrize(("steps", "cheap_steps"), [(2, 1), (3, 2), (4, 3), (20, 3)])
def test_the_default_cheap_attack_on_images_has_fewer_steps_than_the_full_one(
    steps: int, cheap_steps: int
) -> None:
    spec = spec_from_yaml(changed("robustness/steps", steps))
    assert isinstance(spec.robustness, Threat)
    assert (spec.robustness.steps, spec.robustness.cheap_steps) == (steps, cheap_steps)
    assert spec_from_yaml(spec.to_yaml()) == spec


def test_unknown_images_need_an_epsilon() -> None:
    for data in ({"path": "/data/leaves"}, {"hub": "uoft-cs/cifar100"}):
        text = changed("task/data", data)
        message = said(text)
        assert "robustness.epsilon: is missing, and no size of attack is usual" in message
        assert "give one in pixels [0, 1]" in message
        assert spec_from_yaml(changed("robustness/epsilon", "4/255", text)).robustness == Threat(
            epsilon=4 / 255
        )
    assert "robustness.epsilon: is empty" in said(changed("robustness/epsilon", None))


@pytest.mark.parametrize(
    "metric",
    ["accuracy.fgsm_linf_0.1", "selection.accuracy.clean", "selection.accuracy.pgd3_linf_0.1"],
)
def test_an_easily_deceived_metric_or_one_that_picked_the_epoch_is_no_objective(
    metric: str,
) -> None:
    message = said(changed("objectives/1/metric", metric))
    assert "objectives[1].metric = '" in message and "accuracy.robust" in message
    assert "is measured, but may be no objective" in message


def test_accuracy_on_corrupted_images_may_be_an_objective() -> None:
    spec = spec_from_yaml(changed("objectives/1/metric", "accuracy.corrupted"))
    assert spec.objectives[1].metric == "accuracy.corrupted"


def test_whether_trials_in_doubt_count_is_a_setting_and_no_part_of_the_task() -> None:
    kept = spec_from_yaml(changed("robustness/doubtful", "keep"))
    usual = spec_from_yaml(changed("robustness/norm", "linf"))
    assert usual.excludes_doubtful and not kept.excludes_doubtful
    assert task_id(kept.fingerprint(DATA)) == task_id(usual.fingerprint(DATA))
    assert spec_from_yaml(kept.to_yaml()) == kept
    assert "exclude" in said(changed("robustness/doubtful", "maybe"))
    reported = spec_from_yaml(changed("objectives/1/role", "report"))
    assert not reported.excludes_doubtful, "a value that is only reported excludes nothing"


def test_the_final_evaluation_is_no_part_of_the_task() -> None:
    ids = {
        task_id(spec_from_yaml(changed(f"robustness/{key}", value)).fingerprint(DATA))
        for key, value in (("final_examples", 0), ("final_examples", 9), ("norm", "linf"))
    }
    assert len(ids) == 1
    other = spec_from_yaml(changed("robustness/confirm_examples", 9))
    assert task_id(other.fingerprint(DATA)) not in ids


def test_texts_of_the_objective_part_are_another_task_than_the_whole_split() -> None:
    spec = spec_from_yaml(fine_tuning())
    fingerprint = spec.fingerprint(None)
    assert fingerprint["measured_on"] == "objective part"
    before = {name: value for name, value in fingerprint.items() if name != "measured_on"}
    assert task_id(fingerprint) != task_id(before)
    # Images have been measured on it from the first.
    assert "measured_on" not in spec_from_yaml(GOOD).fingerprint(DATA)


def test_entities_have_a_robust_f1() -> None:
    spec = spec_from_yaml(attacked("entity_tagger", share=0.2, examples=50))
    assert [each.metric for each in spec.objectives] == ["f1.clean", "f1.characters_0.2"]
    text = attacked("entity_tagger").replace("f1.robust", "accuracy.robust")
    message = said(text)
    assert "this model reports no such metric" in message and "f1.robust" in message


@pytest.mark.parametrize(
    ("robustness", "words"),
    [
        ({"epsilon": 0.1}, ["robustness.epsilon: unknown key", "share, queries"]),
        ({"querys": 9}, ["robustness.querys: unknown key", "Did you mean `queries`?"]),
        ({"share": 0}, ["robustness.share = 0", "greater than 0"]),
        ({"share": 1.5}, ["robustness.share = 1.5", "at most 1"]),
        ({"attack": "typos"}, ["robustness.attack = 'typos'", "characters, words"]),
        ({"attack": "words"}, ["robustness.synonyms", "set synonyms to its file"]),
        ({"synonyms": "table.tsv"}, ["robustness.synonyms = 'table.tsv'", "attack: words"]),
        ({"examples": 8, "cheap_examples": 9}, ["cheap_examples = 9", "not exceed examples (8)"]),
    ],
)
def test_a_wrong_threat_to_texts_is_refused(robustness: dict[str, Any], words: list[str]) -> None:
    message = said(attacked(**robustness))
    assert all(each in message for each in words)


def test_a_threat_to_texts_means_nothing_for_images() -> None:
    text = yaml.safe_load(fine_tuning(robustness={"share": 0.1}))
    text["task"] |= {"model": "cnn", "data": "digits", "settings": {}}
    assert "robustness.share: unknown key" in said(yaml.safe_dump(text))


def test_a_default_cheap_metric_attacks_no_more_texts_than_the_full_one() -> None:
    threat = spec_from_yaml(attacked(examples=10)).robustness
    assert isinstance(threat, TextThreat) and threat.cheap_examples == 10


THREAT_SETTINGS = [each.name for each in dataclasses.fields(Threat)]


@pytest.mark.parametrize("where", ["space", "task/settings"])
@pytest.mark.parametrize("name", [*THREAT_SETTINGS, "robustness.epsilon", "robustness.steps"])
def test_no_trial_on_images_may_change_its_evaluation(name: str, where: str) -> None:
    value = FLOAT if where == "space" else 3
    message = said(changed(f"{where}/{name}", value))
    assert f"{where.replace('/', '.')}.{name}" in message
    assert "the evaluation is the same for every trial" in message


@pytest.mark.parametrize("where", ["space", "task/settings"])
@pytest.mark.parametrize("name", ["image_size", "train_examples", "split_seed", "data.image_size"])
def test_no_trial_may_change_the_images_of_its_evaluation(name: str, where: str) -> None:
    value = FLOAT if where == "space" else 3
    assert f"{where.replace('/', '.')}.{name}" in said(changed(f"{where}/{name}", value))


@pytest.mark.parametrize("name", ["share", "queries", "attack", "epsilon"])
def test_no_trial_may_change_its_evaluation(name: str) -> None:
    text = yaml.safe_load(fine_tuning())
    text["space"][name] = {"type": "float", "low": 0.1, "high": 0.5}
    assert "the evaluation is the same for every trial" in said(yaml.safe_dump(text))


def test_the_table_of_synonyms_lies_beside_the_spec_and_counts_by_its_content(
    tmp_path: Path,
) -> None:
    ids = []
    for name, table in (("one", "warm\tmild\n"), ("two", "warm\tmild\n"), ("six", "warm\thot\n")):
        path = place(tmp_path / name, attacked(attack="words", synonyms="table.tsv"))
        (tmp_path / name / "table.tsv").write_text(table)
        spec = load_spec(path)
        assert isinstance(spec.robustness, TextThreat)
        assert spec.robustness.synonyms == str(tmp_path / name / "table.tsv")
        assert spec.objectives[1].metric == "accuracy.words_0.15"
        ids.append(task_id(spec.fingerprint(None)))
    assert ids[0] == ids[1] != ids[2]


def test_a_table_of_synonyms_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = place(tmp_path, attacked(attack="words", synonyms="table.tsv"))
    with pytest.raises(SpecError, match=r"robustness\.synonyms.*cannot be read"):
        load_spec(path)
    (tmp_path / "table.tsv").write_text("warm\twarm\n")
    with pytest.raises(SpecError, match="its own synonym"):
        load_spec(path)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("robustness.share=0.1", ""),
        ("robustness.epsilon=0.1", "unknown key `epsilon`"),
        ("task.base=other", "no folder"),
        ("task.data.deduplicate=true", ""),
    ],
)
def test_overrides_know_the_keys_of_the_model(tmp_path: Path, override: str, words: str) -> None:
    text = yaml.safe_load(fine_tuning())
    text["task"]["data"] = {"path": "data/texts"}
    path = place(tmp_path, yaml.safe_dump(text))
    if not words:
        load_spec(path, [override])
        return
    with pytest.raises(SpecError) as caught:
        load_spec(path, [override])
    assert words in str(caught.value)


def test_a_training_functions_robust_accuracy_is_that_of_its_own_threat() -> None:
    """It gets the threat as `trial.threat`; without the section the name is the function's own."""
    text = (
        "name: x\ntask: {train: 'python:tests.support.functions:two_hills'}\n"
        "objectives: [{metric: accuracy.robust, direction: maximize}]\n"
        "space: {x: {type: float, low: 0, high: 1}}\nbudget: {trials: 1, epochs: 3}\n"
    )
    plain, attacked = spec_from_yaml(text), spec_from_yaml(f"{text}robustness: {{epsilon: 8/255}}")
    assert plain.metrics == ("accuracy.robust",)
    assert attacked.metrics == ("accuracy.pgd10_linf_8_255",)
    assert attacked.robustness.epsilon == 8 / 255  # type: ignore[union-attr]
    assert spec_from_yaml(attacked.to_yaml()) == attacked
    assert "robustness" not in plain.fingerprint(None)
    assert attacked.fingerprint(None)["robustness"]["epsilon"] == 8 / 255
