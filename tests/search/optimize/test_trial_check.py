"""What only a trial would find out about its data and its pretrained model, before any trial."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.cluster.all_checks import examine
from search.cluster.consistency import check_trial
from search.cluster.nodes import ThisMachine
from search.optimize.trial_check import check_setup
from search.review.fingerprint import fingerprint_of
from search.spec import Spec, load_spec
from tests.support.spec_texts import TEXTS, fine_tuning, write_sentences
from tests.support.tiny_models import tiny_bert, wordpiece


def a_spec(folder: Path, *, has_tokenizer: bool = True) -> Spec:
    write_sentences(folder / "data" / "texts")
    tokenizer = wordpiece([text for text, _ in TEXTS]) if has_tokenizer else None
    tiny_bert(folder / "model", tokenizer)
    (folder / "spec.yaml").write_text(fine_tuning())
    return load_spec(folder / "spec.yaml")


@pytest.mark.slow
def test_a_pretrained_folder_without_tokenizer_is_refused_by_review(tmp_path: Path) -> None:
    spec = a_spec(tmp_path, has_tokenizer=False)
    with pytest.raises(ValueError, match=r"model: no tokenizer \(.*fix: save it there with save_p"):
        fingerprint_of(spec)


@pytest.mark.slow
def test_doctor_sets_up_a_trial_and_finds_what_it_would_fail_of(tmp_path: Path) -> None:
    spec = a_spec(tmp_path)
    assert check_trial(spec).found == "the data and the pretrained model make a training"
    file = tmp_path / "model" / "tokenizer.json"
    whole = file.read_text()
    for wrong in (whole[:-200], json.dumps(json.loads(whole) | {"model": {"type": "none"}}), ""):
        file.write_text(wrong)
        found = {each.name: each for each in examine(ThisMachine(), spec, None, None)}
        assert found["a trial"].status == "fail"
        assert "the tokenizer cannot be loaded" in found["a trial"].found
    file.unlink()
    found = {each.name: each for each in examine(ThisMachine(), spec, None, None)}
    assert "no tokenizer" in found["a trial"].found


@pytest.mark.slow
def test_doctor_finds_weights_of_another_shape(tmp_path: Path) -> None:
    spec = a_spec(tmp_path)
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"hidden_size": 32}))
    found = {each.name: each for each in examine(ThisMachine(), spec, None, None)}
    assert found["base model"].status == "pass" and found["a trial"].status == "fail"


@pytest.mark.slow
def test_a_trial_of_the_quick_start_can_be_set_up() -> None:
    place = Path(__file__).resolve().parents[3] / "search" / "specs" / "digits.yaml"
    assert check_setup(load_spec(place)) == "the data make a training"
