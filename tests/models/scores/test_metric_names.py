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
    compared_metric,
    data_kind,
    metrics,
    robust_metric,
)
from models.scores.metric_names import (
    Bound,
    MetricName,
    PixelAttack,
    Split,
    on_split,
    unconfirmed,
)

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
        robust_metric(model, threat), threat.cheap_metric(data_kind(model)),
        *threat.embedding_metrics(),
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
    f1 = [MetricName.parse(name) for name in found if MetricName.parse(name).measure == "f1"]
    found |= {str(name.bounded(bound)) for name in f1 for bound in get_args(Bound)}
    return found | {unconfirmed(name) for name in attacked}


@pytest.mark.parametrize(("model", "threat"), catalog())
def test_every_name_of_the_catalog_is_read_as_it_was_written(model: str, threat: AnyThreat) -> None:
    attacked = attacked_names(model, threat)
    prefixes = ("", "selection.", "confirmation.", "test.", "unconfirmed.")
    ends = ("", ".low_95", ".high_95")
    expected = {f"{prefix}{name}{end}" for prefix in prefixes for name in attacked for end in ends}
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
        ("f1.characters_0.15.low_95", "f1.characters_0.15.low_95"),
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


PGD, TEXTS_ATTACKED = "accuracy.pgd10_linf_0.1", "accuracy.characters_0.15"
# What is reported with a trial's metrics: an image model's, an entity tagger's.
IMAGES = ("test.examples", "test.attacked_examples", "confirmation.examples")
ENTITIES = tuple(
    f"{split}{name}"
    for split in ("", "confirmation.", "test.")
    for name in ("examples", "attacked_examples", "entities", "attacked_entities")
)


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
        # Texts of the confirmation part need not all be attacked, so their number is reported.
        (f"confirmation.{TEXTS_ATTACKED}", None),
        ("test.loss", None),
        (f"selection.{PGD}", None),
        (f"unconfirmed.{PGD}", None),
        ("accuracy.clean", None),
        ("seconds.train", None),
    ],
)
def test_a_metric_knows_what_counts_its_examples(metric: str, counted: str | None) -> None:
    assert MetricName.parse(metric).examples_metric(IMAGES) == counted


@pytest.mark.parametrize(
    ("metric", "examples", "entities"),
    [
        ("f1.clean", "examples", "entities"),
        ("f1.characters_0.15", "attacked_examples", "attacked_entities"),
        ("test.recall.clean", "test.examples", "test.entities"),
        ("confirmation.f1.words_0.1", "confirmation.attacked_examples",
         "confirmation.attacked_entities"),
        ("accuracy.tokens", "examples", None),
        ("test.f1.macro", "test.examples", None),
        # Measured on fewer examples, whose number stands in the name or is that of the cheap ones.
        ("f1.characters_0.15_cheap8", None, None),
        ("accuracy.fgm_0.15", None, None),
        ("seconds.train", None, None),
    ],
)  # fmt: skip
def test_metrics_of_texts_have_their_examples_and_entities(
    metric: str, examples: str | None, entities: str | None
) -> None:
    name = MetricName.parse(metric)
    assert (name.examples_metric(ENTITIES), name.entities_metric(ENTITIES)) == (examples, entities)
    assert name.examples_metric(()) is name.entities_metric(()) is None


@pytest.mark.parametrize(
    ("metric", "is_share"),
    [
        ("test.accuracy.clean", True), ("test.accuracy", True), (f"test.{PGD}", True),
        (f"test.{TEXTS_ATTACKED}", True), ("test.accuracy.tokens", False),
        ("test.accuracy.corrupted_blur", False), ("test.f1.macro", False), ("test.loss", False),
    ],
)  # fmt: skip
def test_a_share_of_examples_is_told_from_others(metric: str, is_share: bool) -> None:
    assert MetricName.parse(metric).is_share_of_examples(ENTITIES) == is_share
    # A language model's accuracy is a share of tokens.
    assert not MetricName.parse(metric).is_share_of_examples((*ENTITIES, "test.perplexity"))


def test_corruptions_are_no_attack() -> None:
    names = [name for name in metrics("cnn", Threat()) if MetricName.parse(name).is_corrupted]
    assert names == [name for name in metrics("cnn", Threat()) if "corrupted" in name] != []


def test_counts_are_no_results() -> None:
    names = ("examples", "attacked_examples", "entities", "attacked_entities")
    counts = {f"{split}{name}" for split in ("", "confirmation.", "test.") for name in names}
    every = {name for model, threat in catalog() for name in written(model, threat)}
    assert {name for name in every if MetricName.parse(name).is_count} == counts
