"""The card of an exported trial is read by a hub, and calls accuracies under attack bounds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from models.adversarial.checks.search_warnings import JUMPS
from models.catalog import MODELS, Threat
from models.scores.cost_names import MODEL_COSTS
from models.scores.trivial import TrivialScores
from models.weights.export import Exported
from models.weights.usage import Usage
from search.transfer.model_card import model_card
from search.transfer.sources import WeightSource
from tests.support.synthetic_history import CLEAN, FINGERPRINT, ROBUST, history, points, row, search

ATTACKED = (
    ROBUST, Threat().fgsm_metric(), Threat().apgd_metric(), "accuracy.square_linf_0.1",
    Threat().autoattack_metric(), Threat().worst_metric(),
)  # fmt: skip

TASK = {
    "name": "digits-cnn", "model": "cnn", "trains": "cnn", "network": None, "catalog_name": "cnn",
    "data": {"name": "digits"},
}  # fmt: skip
BASE = {"name": "hub:google/tiny@abc", "digest": "0123456789ab"}


def card(*curves: dict[str, Any], warning: str = "", **task: Any) -> str:
    values = [0.9, 0.5]
    known = history([row(0, values, curves=list(curves))], [search()])
    (trial,) = known.prior_trials(state=None, search="cold")
    about: Any = SimpleNamespace(**(TASK | task))
    source = WeightSource(
        SimpleNamespace(search="cold"), SimpleNamespace(task=about),
        FINGERPRINT | ({"base": BASE} if task else {}), trial, {}, Path("gone"), {},
    )  # type: ignore[arg-type]  # fmt: skip
    exported = Exported(
        ("zero", "one"), "peft" if task else "pytorch", not task, Usage("load()"), TrivialScores()
    )
    return model_card(source, exported, {}, warning)


@pytest.mark.parametrize("prefix", ["", "test.", "confirmation.", "unconfirmed.", "selection."])
@pytest.mark.parametrize("metric", ATTACKED)
def test_every_accuracy_under_attack_is_called_an_upper_bound(metric: str, prefix: str) -> None:
    text = card(*points(prefix + metric, {5: 0.25}))
    shown = metric if prefix == "test." else prefix + metric
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {shown}")]
    assert line.startswith(f"| {shown}, upper bound |")


def test_a_robust_accuracy_in_doubt_is_said_to_be_and_does_not_reach_the_hub() -> None:
    attacked = "test." + Threat().autoattack_metric()
    scores = (*points("test." + CLEAN, {5: 0.875}), *points(attacked, {5: 0.75}))
    sound, doubtful = card(*scores), card(*scores, *points(JUMPS, {5: 0.5}))
    assert "masked" not in sound and "the outputs jump (50% of the images)" in doubtful
    for text, values in ((sound, [0.875, 0.75]), (doubtful, [0.875])):
        (result,) = ModelCard(text).data.to_dict()["model-index"][0]["results"]
        assert sorted(each["value"] for each in result["metrics"]) == sorted(values)


def test_accuracies_without_an_attack_are_not_bounds() -> None:
    corrupted = "accuracy.corrupted_noise"
    text = card(*points(corrupted, {5: 0.5}), *points("test." + CLEAN, {5: 0.875}))
    assert f"| {corrupted} | 0.5000 |  |" in text
    assert f"| {CLEAN} | 0.9000 | 0.8750 |" in text


def test_costs_and_counts_are_not_shown() -> None:
    hidden = (
        "seconds.train", "loss.train", "memory.peak_mb", "test.examples", "queries.mean",
        "gradients.train", *MODEL_COSTS,
    )  # fmt: skip
    text = card(*(point for name in hidden for point in points(name, {5: 2.0})))
    assert not [name for name in hidden if name.removeprefix("test.") in text.split("## Data")[0]]


def test_the_hub_reads_scores_of_the_test_split_with_their_attacks() -> None:
    attacked = "test." + ROBUST
    text = card(*points("test." + CLEAN, {5: 0.875}), *points(attacked, {5: 0.25}))
    data = ModelCard(text).data
    assert data.library_name == "pytorch" and data.pipeline_tag == "image-classification"
    assert data.datasets == [FINGERPRINT["data"]["name"]] and data.base_model is None
    results = {each.metric_name: each for each in data.eval_results}
    clean = results[CLEAN]
    assert (clean.metric_type, clean.metric_value, clean.dataset_split) == (
        "accuracy", 0.875, "test",
    )  # fmt: skip
    (name,) = [each for each in results if each != CLEAN]
    assert "under the attack pgd" in name and "upper bound" in name
    assert results[name].metric_value == 0.25 and results[name].metric_args["attack"] == "pgd"


def test_a_base_of_the_hub_is_named_by_its_id() -> None:
    text = card(catalog_name="text_classifier", data={"hub": "org/moods@main"})
    data = ModelCard(text).data
    assert data.base_model == "google/tiny" and data.datasets == ["org/moods"]
    assert data.library_name == "peft" and data.pipeline_tag == "text-classification"
    assert data.to_dict()["base_model_relation"] == "adapter"


def test_every_model_of_the_catalog_has_a_task_of_the_hub() -> None:
    tasks = {model: ModelCard(card(catalog_name=model)).data.pipeline_tag for model in MODELS}
    assert tasks["text_ranker"] == "text-ranking" and None not in tasks.values()


def test_a_name_that_is_no_id_of_the_hub_has_a_comment() -> None:
    (line,) = [each for each in card().splitlines() if each.startswith("datasets:")]
    assert line.endswith("# no id of the hub: put it here")


def test_a_model_that_learned_nothing_is_called_that_first() -> None:
    text = card(warning="its accuracy is that of one class")
    body = text.split("---\n")[2]
    assert body.index("this model has learned nothing") < body.index("## Use")
    assert "learned nothing" not in card()
