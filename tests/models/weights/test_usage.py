"""The code of a card's section "Use" runs as it is, and predicts what the trial predicts."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from ast import literal_eval
from pathlib import Path
from typing import Any

import pytest
import torch

from models.catalog import complete
from models.data.loading import ImageSplits
from models.networks.base_model import BaseModel, locate_base
from models.networks.tokenizer import load_tokenizer
from models.scores.trivial import TrivialScores
from models.training.text.encoding import Encoder
from models.weights.checkpoints import save_checkpoint
from models.weights.export import Exported, Form, export
from models.weights.rebuild import TrainedTrial, rebuild
from models.weights.usage import base_lines
from tests.support.image_trainings import train
from tests.support.text_folders import write_texts
from tests.support.tiny_models import byte_pairs, tiny_gpt2
from tests.support.trained_trials import classes, entities, finished, tiny_base

LABELS = ("sad", "calm", "glad")


def printed(exported: Exported, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the code prints, run in the folder with the base next to it."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "load_model", raising=False)
    code = exported.usage.code.replace('base = "', 'base = "../')
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    return output.getvalue()


def read(trial: TrainedTrial, kind: str, texts: list[tuple[str, ...]]) -> list[Any]:
    """The classes or tags of the trial's own model, by the encoder of training."""
    rebuilt, found = rebuild(trial), []
    assert trial.base is not None
    tokenizer = load_tokenizer(trial.base.folder, kind)
    for row in Encoder(tokenizer, kind, rebuilt.label_names, 32).encode(texts):
        logits = rebuilt.model(input_ids=torch.tensor([row.input_ids])).logits[0]
        if kind == "classification":
            found.append(rebuilt.label_names[int(logits.argmax())])
        else:
            places = {word: at for at, word in enumerate(row.words) if word is not None}
            found += [rebuilt.label_names[int(logits[places[at]].argmax())] for at in places]
    return found


@pytest.mark.parametrize(
    ("method", "form"), [("lora", "model"), ("lora", "adapter"), ("adapters", "model")]
)
def test_a_classifier_reads_whole_texts(
    method: str, form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_base(tmp_path / "bert", "text_classifier")
    data = classes(tmp_path / "moods", *LABELS)
    trial = finished(tmp_path / "trial", "text_classifier", data, base, adaptation=method)
    exported = export(trial, tmp_path / "out", form)
    found = literal_eval(printed(exported, tmp_path / "out", monkeypatch))
    assert found == read(trial, "classification", [("A first text.",), ("Another.",)])


def test_a_tagger_reads_each_word_at_its_first_sub_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_base(tmp_path / "bert", "entity_tagger")
    data = entities(tmp_path / "music", "person", "place")
    trial = finished(tmp_path / "trial", "entity_tagger", data, base, adaptation="lora")
    exported = export(trial, tmp_path / "out")
    found = literal_eval(printed(exported, tmp_path / "out", monkeypatch))
    words = tuple(word for word, _ in found)
    assert words == ("Ada", "Lovelace", "lived", "in", "London")
    assert [tag for _, tag in found] == read(trial, "entities", [words])
    assert "first sub-token" in exported.usage.notes and "32 tokens" in exported.usage.notes


def test_a_speaker_continues_a_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = locate_base(str(tiny_gpt2(tmp_path / "gpt2", byte_pairs(["yes and no"]))))
    data = write_texts(tmp_path / "talk", {"prompt": ["a", "b"], "answer": ["yes", "no"]})
    trial = finished(tmp_path / "trial", "causal_model", data, base, adaptation="lora")
    exported = export(trial, tmp_path / "out")
    tokenizer = load_tokenizer(base.folder)
    (row,) = Encoder(tokenizer, "dialogue", (), 32).encode([("Who are you?", "Me")])
    asked = [token for token, label in zip(row.input_ids, row.labels, strict=True) if label < 0]  # type: ignore[arg-type]
    tokens = rebuild(trial).model.generate(  # type: ignore[operator]
        input_ids=torch.tensor([asked]), max_new_tokens=20, do_sample=False
    )
    expected = tokenizer.decode(tokens[0, len(asked) :])
    assert printed(exported, tmp_path / "out", monkeypatch) == expected + "\n"


def test_pixels_are_prepared_as_in_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_base(tmp_path / "vit", "vision_transformer")
    trial = finished(tmp_path / "trial", "vision_transformer", folder, base, adaptation="lora")
    exported = export(trial, tmp_path / "out", "adapter")
    images = torch.rand(2, *rebuild(trial).splits.train_images.shape[1:])
    monkeypatch.setattr(torch, "rand", lambda *shape: images)
    found = literal_eval(printed(exported, tmp_path / "out", monkeypatch))
    rebuilt = rebuild(trial)
    places = rebuilt.model(pixel_values=images).logits.argmax(1).tolist()
    assert found == [rebuilt.label_names[place] for place in places]


def test_a_network_is_given_pixels(
    few_digits: ImageSplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values: dict[str, Any] = {"width": 2, "blocks": 1}
    training = train(values, few_digits, epochs=1)
    save_checkpoint(tmp_path / "trial", 1, 1, list(training.run()), training.state_dict())
    data = {"name": "digits", "train_examples": 60}
    trial = TrainedTrial("source#0", "cnn", complete("cnn", values), data, tmp_path / "trial")
    exported = export(trial, tmp_path / "out")
    names = literal_eval(printed(exported, tmp_path / "out", monkeypatch))
    assert len(names) == 2 and set(names) <= set(few_digits.label_names)


def test_a_base_of_the_hub_is_fetched_at_its_revision() -> None:
    base = BaseModel("hub:org/tiny@abc", Path("gone"), "0123", "BertModel", "bert")
    loading = base_lines(base)
    assert loading.lines == ('base = snapshot_download("org/tiny", revision="abc")  # digest 0123',)
    assert loading.imports == ("from huggingface_hub import snapshot_download",)


def test_a_ranker_of_a_decoder_prints_the_relevance_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = locate_base(str(tiny_gpt2(tmp_path / "gpt2", byte_pairs(["a first text", "another"]))))
    rows = {"text": ["tea", "milk", "rum", "salt"], "label": [0, 2, 1, 0], "group": list("aabb")}
    data = write_texts(tmp_path / "log", rows, ("0", "1", "2"))
    trial = finished(tmp_path / "trial", "text_ranker", data, base, adaptation="lora")
    exported = export(trial, tmp_path / "out", "adapter")
    found = literal_eval(printed(exported, tmp_path / "out", monkeypatch))
    rebuilt = rebuild(trial)
    texts = [("A first text.",), ("Another.",)]
    encoder = Encoder(load_tokenizer(base.folder), "ranking", rebuilt.label_names, 32)
    logits = torch.cat(
        [rebuilt.model(input_ids=torch.tensor([row.input_ids])).logits
         for row in encoder.encode(texts)]
    )  # fmt: skip
    # Of the grades 0, 1 and 2.
    expected = (logits.softmax(1) * torch.arange(3)).sum(1)
    assert found == pytest.approx(expected.tolist(), abs=1e-5)
    assert "largest first" in exported.usage.notes
    assert exported.trivial == TrivialScores()  # a vocabulary is no perplexity of a ranker
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["task_type"] == "SEQ_CLS"
