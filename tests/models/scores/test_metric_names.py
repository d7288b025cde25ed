"""Every name of a metric that our code writes is taken apart into what it was written from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.adversarial.checks.search_warnings import (
    BLACK_BOX,
    GAP,
    GRADIENT_ERROR,
    JUMPS,
    REPLACED,
    VANISHED,
)
from models.adversarial.pixels.metrics import ATTACKS, metric_of
from models.catalog import (
    MODELS,
    AnyThreat,
    TextThreat,
    Threat,
    cheap_metric,
    compared_metric,
    data_kind,
    metrics,
    robust_metric,
)
from models.scores.metric_names import MetricName, PixelAttack, Split, on_split, unconfirmed

PIXELS = [
    Threat(),
    Threat(epsilon=8 / 255),
    Threat(norm="l2", epsilon=0.5, steps=20, restarts=2),
    Threat(norm="l2", epsilon=128 / 255, steps=1, cheap_steps=1),
    Threat(epsilon=1e-05, restarts=10),
    Threat(norm="l2", epsilon=3),
    Threat(epsilon=0.123456789),
    Threat(norm="l2", epsilon=1e20),
]
TEXTS = [
    TextThreat(),
    TextThreat(share=1),
    TextThreat(attack="words", synonyms="table.tsv", share=0.1, cheap_examples=8),
    TextThreat(attack="words", synonyms="table.tsv", share=1e-05),
    TextThreat(share=40 / 255),
]
SPLITS: tuple[Split, ...] = get_args(Split)


def attacked_names(model: str, threat: AnyThreat) -> set[str]:
    """The names of all metrics under attack, without a split, by construction."""
    if isinstance(threat, Threat):
        own = {
            threat.metric(), threat.cheap_metric(), threat.fgsm_metric(), threat.apgd_metric(),
            threat.square_metric(), threat.autoattack_metric(), threat.worst_metric(),
        }  # fmt: skip
        return own | {metric_of(attack, threat) for attack in (*ATTACKS, "worst")}
    return {
        robust_metric(model, threat), cheap_metric(model, threat), *threat.embedding_metrics(),
    }  # fmt: skip


def catalog() -> Iterator[tuple[str, AnyThreat]]:
    for model in MODELS:
        for threat in PIXELS if data_kind(model) == "images" else TEXTS:
            yield model, threat


def written(model: str, threat: AnyThreat) -> set[str]:
    """All names that a trial of a model can have in a store, as the code writes them."""
    attacked = attacked_names(model, threat)
    found = {*metrics(model, threat), *attacked}
    found |= {GAP, REPLACED, BLACK_BOX, JUMPS, GRADIENT_ERROR, VANISHED}
    found |= {compared_metric(model, threat, name) for name in found}
    plain = [name for name in found if not name.startswith("selection.")]
    found |= {on_split(split, name) for split in ("confirmation", "test") for name in plain}
    found |= {"test.examples", "test.attacked_examples", "confirmation.examples"}
    return found | {unconfirmed(name) for name in attacked}


@pytest.mark.parametrize(("model", "threat"), catalog())
def test_every_name_of_the_catalog_is_read_as_it_was_written(model: str, threat: AnyThreat) -> None:
    attacked = attacked_names(model, threat)
    prefixes = ("", "selection.", "confirmation.", "test.", "unconfirmed.")
    expected = {f"{prefix}{name}" for prefix in prefixes for name in attacked}
    for text in written(model, threat):
        name = MetricName.parse(text)
        assert str(name) == text
        assert name.is_attacked == name.is_upper_bound == (text in expected), text
        beginning = text.partition(".")[0]
        assert name.split == (beginning if beginning in SPLITS else "validation")
        assert name.is_unconfirmed == text.startswith("unconfirmed.")


@pytest.mark.parametrize("threat", PIXELS)
def test_a_name_on_pixels_tells_attack_norm_and_epsilon(threat: Threat) -> None:
    for attack in get_args(PixelAttack):
        for split in SPLITS:
            name = MetricName.parse(on_split(split, metric_of(attack, threat)))
            assert (name.measure, name.attack, name.split) == ("accuracy", attack, split)
            assert name.norm == threat.norm and not name.cheap_examples
            assert name.epsilon == pytest.approx(threat.epsilon, rel=1e-9)
    full = MetricName.parse(threat.metric())
    assert (full.steps, full.restarts or 1) == (threat.steps, threat.restarts)
    assert MetricName.parse(threat.cheap_metric()).steps == threat.cheap_steps


@pytest.mark.parametrize("threat", TEXTS)
def test_a_name_on_texts_tells_attack_and_share(threat: TextThreat) -> None:
    measures = {"classification": "accuracy", "ranking": "ndcg_at_10", "entities": "f1"}
    for kind, measure in measures.items():
        full, cheap = (
            MetricName.parse(threat.metric(kind)),
            MetricName.parse(threat.cheap_metric(kind)),
        )
        assert (full.measure, full.attack, full.norm) == (measure, threat.attack, None)
        assert float(full.size) == pytest.approx(threat.share) and full.epsilon is None
        assert (full.cheap_examples, cheap.cheap_examples) == (None, threat.cheap_examples)
        assert (cheap.measure, cheap.attack, cheap.size) == (measure, threat.attack, full.size)


@pytest.mark.parametrize(
    "text",
    [
        "my.loss", "accuracy", "accuracy.words", "accuracy.pgd", "accuracy.pgd10", "words_0.1", "",
        "accuracy.pgd10_linf_", "accuracy.pgd010_linf_0.1", "accuracy.clean_l2_0.01", "accuracy.",
        "accuracy.pgd10_linf_0.1_ema", "my.accuracy.pgd10_linf_0.1", "accuracy.pgd\u0663_linf_0.1",
        "f1.pgd10_linf_0.1", "robust_pgd", "accuracy.corrupted_noise", "test", "test.", "selection",
        "unconfirmed", "test.accuracy.pgd", "accuracy.characters_0.1_cheap", "log10.learning_rate",
    ],
)  # fmt: skip
def test_what_nothing_here_writes_is_a_plain_metric(text: str) -> None:
    name = MetricName.parse(text)
    assert str(name) == text and not name.is_attacked and not name.is_upper_bound
    assert name.attack is None and name.epsilon is None and name.role == text


@pytest.mark.slow
@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert str(MetricName.parse(text)) == text


@pytest.mark.parametrize(
    ("metric", "role"),
    [
        ("accuracy.pgd10x2_linf_8_255", "accuracy.robust"),
        ("accuracy.characters_0.15", "accuracy.robust"),
        ("accuracy.words_0.1_cheap32", "accuracy.robust"),
        ("f1.characters_0.15", "f1.robust"),
        ("f1.clean", "f1.clean"),
        ("f1.macro", "f1.macro"),
        ("accuracy.fgm_0.15", "accuracy.fgm_0.15"),
        ("accuracy.pgd_embedding_0.15", "accuracy.pgd_embedding_0.15"),
        ("f1.pgd10_linf_0.1", "f1.pgd10_linf_0.1"),
        ("selection.accuracy.pgd3_linf_0.1", "selection.accuracy.pgd3_linf_0.1"),
        ("test.accuracy.pgd10_linf_0.1", "test.accuracy.pgd10_linf_0.1"),
        ("confirmation.accuracy.pgd10_linf_0.1", "confirmation.accuracy.pgd10_linf_0.1"),
        ("unconfirmed.accuracy.pgd10_linf_0.1", "unconfirmed.accuracy.pgd10_linf_0.1"),
        ("accuracy.apgdt_linf_0.1", "accuracy.apgdt_linf_0.1"),
        ("accuracy.autoattack_linf_0.1", "accuracy.autoattack_linf_0.1"),
        ("accuracy.worst_linf_0.1", "accuracy.worst_linf_0.1"),
    ],
)
def test_a_metric_has_the_role_of_what_it_measures(metric: str, role: str) -> None:
    assert MetricName.parse(metric).role == role


PGD, BOTH = "accuracy.pgd10_linf_0.1", ("test.examples", "test.attacked_examples")


@pytest.mark.parametrize(
    ("metric", "counted"),
    [
        ("test.accuracy.clean", "test.examples"),
        ("test.accuracy", "test.examples"),
        *(
            (f"test.{name}", "test.attacked_examples")
            for name in sorted(attacked_names("cnn", Threat()))
        ),
        ("confirmation.accuracy.clean", "confirmation.examples"),
        (f"confirmation.{PGD}", "confirmation.examples"),
        *(
            (f"test.{name}", None)
            for name in sorted(attacked_names("text_classifier", TextThreat()))
        ),
        ("test.accuracy.tokens", None),
        ("test.accuracy.corrupted_blur", None),
        ("test.f1.macro", None),
        ("test.loss", None),
        (f"selection.{PGD}", None),
        (f"unconfirmed.{PGD}", None),
        ("accuracy.clean", None),
    ],
)
def test_a_share_knows_what_counts_its_examples(metric: str, counted: str | None) -> None:
    assert MetricName.parse(metric).examples_metric(BOTH) == counted
    is_model_of_language = "test.perplexity", *BOTH
    if metric.startswith("test."):
        assert MetricName.parse(metric).examples_metric(is_model_of_language) is None


def test_corruptions_are_no_attack() -> None:
    names = [name for name in metrics("cnn", Threat()) if MetricName.parse(name).is_corrupted]
    assert names == [name for name in metrics("cnn", Threat()) if "corrupted" in name] != []


def test_counts_are_no_results() -> None:
    counts = {"test.examples", "test.attacked_examples", "confirmation.examples"}
    every = {name for model, threat in catalog() for name in written(model, threat)}
    assert {name for name in every if MetricName.parse(name).is_count} == counts
