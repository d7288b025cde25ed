"""Explained texts: values of words add up, and the word that decides has the largest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.adversarial.threat_model import TextThreat
from models.catalog import complete
from models.explanations.text_page import exactness, text_page
from models.explanations.texts import ExplainedText, explain_texts
from models.networks.tokenizer import load_tokenizer
from models.training.text.encoding import Encoder
from models.training.text_fine_tuning import TextFineTuning
from tests.support.tiny_texts import tiny_base, tiny_texts

pytest.importorskip("captum", reason="the extra `explain` is not installed")
pytestmark = pytest.mark.slow

THREAT = TextThreat(examples=12, cheap_examples=2, queries=20)
MODELS = {
    "classification": "text_classifier", "ranking": "text_ranker", "entities": "entity_tagger",
    "dialogue": "causal_model",
}  # fmt: skip
NOUNS = {"oslo", "paris", "rome", "lima", "cairo", "bread", "soup", "rice", "cake", "plums"}


def explained(kind: str, folder: Path, epochs: int, **settings: object) -> list[ExplainedText]:
    data = tiny_texts(kind)
    base = tiny_base(folder, kind, data.label_names)
    configuration = complete(
        MODELS[kind], {"batch_size": 8, "max_length": 32, "adaptation": "full",
                       "full.learning_rate": 5e-3, **settings},
    )  # fmt: skip
    training = TextFineTuning(configuration, data, epochs=epochs, seed=0, threat=THREAT, base=base)
    list(training.run())
    encoder = Encoder(load_tokenizer(base.base.folder), kind, data.label_names, 32)
    return explain_texts(training.model, encoder, data.test, THREAT, count=3)


@pytest.mark.parametrize("kind", MODELS)
def test_the_words_of_a_text_add_up_to_the_difference_of_outputs(kind: str, tmp_path: Path) -> None:
    found = explained(kind, tmp_path / kind, epochs=1)
    assert found and {each.group for each in found} <= {"right", "wrong", "attacked"}
    for each in found:
        assert (each.attacked is not None) == (each.group == "attacked")
        for reading in each.readings:
            # Special tokens are those of the baseline, so words have all of it.
            total = sum(value for _, value in reading.words)
            assert total == pytest.approx(
                reading.attribution.difference + reading.attribution.delta, abs=1e-4
            )
            assert reading.attribution.is_complete
            assert not any(word.startswith("[") for word, _ in reading.words)


def test_the_word_that_tells_the_class_has_the_largest_value(tmp_path: Path) -> None:
    found = explained("classification", tmp_path / "bert", epochs=10, dropout=0.0)
    right = [each for each in found if each.group == "right"]
    assert right
    for each in right:
        largest = max(each.clean.words, key=lambda pair: abs(pair[1]))
        assert largest[0] in NOUNS
        assert each.clean.explained == f"class {each.truth}"


def test_prefixes_and_adapters_are_explained_too(tmp_path: Path) -> None:
    found = explained("classification", tmp_path / "bert", epochs=1, adaptation="prefix")
    assert all(each.clean.attribution.is_complete for each in found)


def test_a_page_escapes_what_texts_hold(tmp_path: Path) -> None:
    found = explained("classification", tmp_path / "bert", epochs=1)
    page = text_page(found, "<script>alert(1)</script> & more")
    assert "<script" not in page and "&lt;script&gt;" in page
    assert page.count("<p><span") == sum(len(each.readings) for each in found)
    assert "of padding" in page and exactness(found, "padding").startswith("Integrated gradients")
    assert torch.is_grad_enabled()
