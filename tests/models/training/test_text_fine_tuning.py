"""Fine-tuning on texts: what it reports, that it learns, repeats, resumes and ends."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch

from models.adversarial.threat_model import TextThreat
from models.catalog import complete, metrics
from models.data.sources import DataError
from models.data.text.validation_parts import validation_parts
from models.hyperparameters.transformer import METHODS
from models.networks.transformer import LoadedBase
from models.training.text_fine_tuning import TextFineTuning
from tests.support.image_trainings import OF_THE_TRIAL, comparable, is_same
from tests.support.tiny_classifiers import NoWayBack
from tests.support.tiny_texts import tiny_base, tiny_texts

THREAT = TextThreat(examples=6, cheap_examples=3, queries=20)
MODEL_OF = {
    "classification": "text_classifier",
    "entities": "entity_tagger",
    "dialogue": "causal_model",
}
TEXT_KINDS = tuple(MODEL_OF)
# One that learns the tiny sets in a few epochs: rates are higher than a large model's.
LEARNS = {"adaptation": "full", "full.learning_rate": 5e-3, "batch_size": 8, "max_length": 24}


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedBase]:
    return {
        kind: tiny_base(tmp_path_factory.mktemp(kind), kind, tiny_texts(kind).label_names)
        for kind in TEXT_KINDS
    }


def _training(base: LoadedBase, epochs: int = 2, seed: int = 0, **changes: Any) -> TextFineTuning:
    configuration = complete(MODEL_OF[base.kind], LEARNS | changes)
    data = tiny_texts(base.kind)
    return TextFineTuning(configuration, data, epochs=epochs, seed=seed, threat=THREAT, base=base)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_it_reports_what_the_catalog_says_and_the_full_attack_last(
    bases: dict[str, LoadedBase], kind: str
) -> None:
    first, last = list(_training(bases[kind]).run())
    known = set(metrics(MODEL_OF[kind], THREAT)) | {"epoch"}
    assert set(first) | set(last) == known - OF_THE_TRIAL
    cheap = f"selection.{THREAT.cheap_metric(kind)}"
    assert cheap in first and THREAT.metric(kind) not in first
    # The cheap metric too: it represents a training that ended early at later rungs.
    assert {THREAT.metric(kind), cheap} <= set(last)
    assert all(math.isfinite(value) for value in last.values())
    # Of 16 examples 4 pick the epoch, 8 give the objectives, and 4 are left to confirm them.
    assert (last["examples"], last["attacked_examples"]) == (8, 6)


@pytest.mark.slow
def test_what_selected_nothing_is_measured_after_the_search(bases: dict[str, LoadedBase]) -> None:
    training, data = _training(bases["entities"], epochs=4), tiny_texts("entities")
    list(training.run())
    found = training.evaluate_confirmation() | training.evaluate_test()
    parts = validation_parts(data.validation, "entities", THREAT.seed)
    for split, examples in (("confirmation", parts["confirmation"]), ("test", data.test)):
        assert found[f"{split}.examples"] == len(examples)
        assert found[f"{split}.attacked_examples"] == min(6, len(examples))
        # Every sentence of the tiny set has one entity.
        assert found[f"{split}.entities"] == len(examples)
        for name in ("f1.clean", THREAT.metric("entities")):
            bounds = [found[f"{split}.{name}.{bound}_95"] for bound in ("low", "high")]
            assert 0 <= bounds[0] <= found[f"{split}.{name}"] <= bounds[1] <= 1
    tables = training.test_tables()
    assert set(tables) == {"entities_test.txt"}
    assert (
        "B-place" in tables["entities_test.txt"] and "weighted avg" in tables["entities_test.txt"]
    )


def test_a_validation_split_too_small_to_be_cut_is_refused(bases: dict[str, LoadedBase]) -> None:
    data = tiny_texts("entities", sizes={"train": 8, "validation": 2, "test": 4})
    configuration = complete("entity_tagger", LEARNS)
    with pytest.raises(DataError, match="has 2 examples"):
        TextFineTuning(configuration, data, epochs=1, seed=0, threat=THREAT, base=bases["entities"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_it_learns(bases: dict[str, LoadedBase], kind: str) -> None:
    rate = 0.02 if kind == "dialogue" else 5e-3  # more classes to tell apart: a whole vocabulary
    *_, last = _training(bases[kind], epochs=10, dropout=0.0, **{"full.learning_rate": rate}).run()
    assert last["f1.clean" if kind == "entities" else "accuracy.clean"] >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_training_interrupted_and_resumed_equals_one_that_was_not(
    bases: dict[str, LoadedBase], method: str
) -> None:
    # Dropout and adversarial noise are on: their random state must come back as well.
    changes = {"adaptation": method, "adversarial_training": "freelb", "patience": 2}
    whole = _training(bases["entities"], epochs=4, **changes)
    entries = list(whole.run())
    stopped = _training(bases["entities"], epochs=4, **changes)
    running = stopped.run()
    before = [next(running), next(running)]
    file = io.BytesIO()
    torch.save(stopped.state_dict(), file)
    file.seek(0)
    resumed = _training(bases["entities"], epochs=4, **changes)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert comparable(before + list(resumed.run())) == comparable(entries)
    assert is_same(resumed.state_dict(), whole.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_accumulated_small_batches_are_one_large_batch(
    bases: dict[str, LoadedBase], kind: str
) -> None:
    results = []
    for size, accumulation in ((8, 1), (2, 4)):
        training = _training(
            bases[kind], epochs=1, batch_size=size, accumulation=accumulation, dropout=0.0
        )
        (entry,) = training.run()
        results.append((entry["loss.train"], entry["loss.validation"]))
    # Not the weights: Adam blows the rounding of a gradient that is 0 (a key's bias) up to a step.
    assert results[0] == pytest.approx(results[1], rel=1e-4)


@pytest.mark.slow
def test_patience_ends_a_training_at_its_best_epoch_and_evaluates_that_one(
    bases: dict[str, LoadedBase],
) -> None:
    # So high a rate that the loss on the validation split rises after the first epochs.
    changes = {"full.learning_rate": 0.05, "schedule": "constant", "warmup_share": 0.0}
    training = _training(bases["classification"], epochs=20, patience=2, **changes)
    entries = list(training.run())
    assert training.ended and len(entries) < 20
    losses = [entry["loss.validation"] for entry in entries]
    assert losses[-1] == min(losses)  # the last report is of the best epoch's weights
    assert THREAT.metric("classification") in entries[-1]


@pytest.mark.slow
def test_without_patience_a_training_uses_its_whole_budget(bases: dict[str, LoadedBase]) -> None:
    training = _training(bases["classification"], epochs=3, **{"full.learning_rate": 0.05})
    assert len(list(training.run())) == 3
    assert training.state_dict()["optimizer"] is None  # nothing is left to train


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_nothing_of_a_trial_reaches_the_base_or_the_next_trial(
    bases: dict[str, LoadedBase], method: str
) -> None:
    base = bases["classification"]
    before = base.checksum()
    list(_training(base, epochs=1, adaptation=method).run())
    assert base.checksum() == before
    used = _training(base, epochs=1, adaptation="lora")
    fresh = tiny_base(base.base.folder, "classification", base.label_names)
    untouched = _training(fresh, epochs=1, adaptation="lora")
    assert is_same(used.state_dict(), untouched.state_dict())
    assert comparable(list(used.run())) == comparable(list(untouched.run()))


def test_balanced_class_weights_give_every_class_the_same_weight(
    bases: dict[str, LoadedBase],
) -> None:
    data = tiny_texts("classification")
    # Three quarters of class 0: weights 32 / (2 * 24) and 32 / (2 * 8).
    few = data.train.take([*range(0, 32, 2), *range(0, 16, 2), *range(1, 16, 2)])
    assert few.labels.count(0) == 24 and few.labels.count(1) == 8
    from dataclasses import replace

    from models.training.text.text_batches import TextBatches

    configuration = {"class_weights": "balanced", "max_length": 24, "label_smoothing": 0.0}
    batches = TextBatches(replace(data, train=few), bases["classification"], configuration, THREAT)
    assert batches.weight(torch.tensor([0, 0, 0])) == pytest.approx(3 * 32 / 48)
    assert batches.weight(torch.tensor([1])) == pytest.approx(32 / 16)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["none", "fgm", "pgd", "freelb", "smart"])
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_every_adversarial_training_learns_every_kind(
    bases: dict[str, LoadedBase], kind: str, method: str
) -> None:
    changes = {"adversarial_training": method, "dropout": 0.0}
    first, *_, last = _training(bases[kind], epochs=5, **changes).run()
    assert last["loss.validation"] < first["loss.validation"]


def _without_way_back(module: object, inputs: object, output: Any) -> Any:
    output.logits = NoWayBack.apply(output.logits)
    return output


@pytest.mark.slow
def test_the_tables_of_a_finished_trial_name_its_classes_and_entities(
    bases: dict[str, LoadedBase],
) -> None:
    expected = {"classification": ("classes.txt", "city"), "entities": ("entities.txt", "B-place")}
    for kind, (file, word) in expected.items():
        training = _training(bases[kind], epochs=1)
        list(training.run())
        assert word in training.tables()[file]
        assert "misclassified before the attack" in training.tables()["attacked_texts.txt"]
        assert "embeddings.txt" not in training.tables()
        training.model.register_forward_hook(_without_way_back)
        assert "reaches the embeddings: no way back" in training.tables()["embeddings.txt"]


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_a_model_whose_weights_are_not_finite_is_measured_without_an_attack(
    bases: dict[str, LoadedBase], kind: str
) -> None:
    training = _training(bases[kind])
    with torch.no_grad():
        for weights in training.model.parameters():
            weights.fill_(torch.nan)
    for split, found in (
        ("test", training.evaluate_test()), ("confirmation", training.evaluate_confirmation())
    ):  # fmt: skip
        clean = "f1.clean" if kind == "entities" else "accuracy.clean"
        assert found[f"{split}.{clean}"] == found[f"{split}.{THREAT.metric(kind)}"] == 0
    tables = training.tables()
    assert "0 worse after it" in tables["attacked_texts.txt"].splitlines()[0]
    assert "queries" not in tables["attacked_texts.txt"]
    assert "Warning: outputs are not finite (NaN or infinite) for 6 of 6 examples" in str(tables)
    if kind == "entities":  # nothing is found, so nothing is predicted but O
        assert "1.0000" not in tables["entities.txt"].split("Words by tag")[0]


def test_a_model_loaded_for_other_labels_is_refused(bases: dict[str, LoadedBase]) -> None:
    with pytest.raises(DataError, match="load it again"):
        TextFineTuning(
            complete("text_classifier", LEARNS), tiny_texts("entities"), epochs=1, seed=0,
            threat=THREAT, base=bases["classification"],
        )  # fmt: skip
    with pytest.raises(ValueError, match="at least one"):
        _training(bases["classification"], epochs=0)
