"""Trainings on texts that people bring: from the file to the metrics."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from models.adversarial.threat_model import TextThreat
from models.catalog import complete
from models.data.text.selection import load_text
from models.networks.base_model import locate_base
from models.networks.tokenizer import load_tokenizer
from models.networks.transformer import LoadedBase
from models.training.text_fine_tuning import TextFineTuning
from tests.support.tiny_models import tiny_model
from tests.support.tiny_texts import CITIES, FOODS, TOKENIZER, VERBS, tiny_base

THREAT = TextThreat(examples=4, cheap_examples=2, queries=20)
SENTENCES = [
    (f"she {verb} {noun}{more}", "city" if noun in CITIES else "food")
    for more in ("", " again")
    for verb in VERBS
    for noun in (*CITIES, *FOODS)
]
# Rates are higher than a large model's.
LEARNS = {"adaptation": "full", "full.learning_rate": 5e-3, "batch_size": 8}
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)


@pytest.mark.slow
def test_a_classifier_learns_from_a_csv_file(tmp_path: Path) -> None:
    file = tmp_path / "nouns.csv"
    file.write_text("review,kind\n" + "".join(f"{text},{kind}\n" for text, kind in SENTENCES))
    data = load_text(
        {"path": str(file), "text_column": "review", "label_column": "kind"}, "classification"
    )
    assert data.label_names == ("city", "food")
    base = tiny_base(tmp_path / "base", "classification", data.label_names)
    learns = LEARNS | {"max_length": 16, "dropout": 0.0}
    training = TextFineTuning(
        complete("text_classifier", learns), data, epochs=10, seed=0, threat=THREAT, base=base
    )
    *_, last = training.run()
    assert last["accuracy.clean"] >= 0.9
    assert training.evaluate_test()["test.accuracy.clean"] >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_a_decoder_learns_from_messages(tmp_path: Path, template: str | None) -> None:
    file = tmp_path / "talks.jsonl"
    roles = ("system", "user", "assistant", "user", "assistant")
    talks = [("Be brief.", text, f"a {kind}", "Sure?", "yes") for text, kind in SENTENCES]
    rows = [
        {"messages": [{"role": r, "content": c} for r, c in zip(roles, each, strict=True)]}
        for each in talks
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    data = load_text({"path": str(file)}, "dialogue")
    assert len(data.train) == 2 * 48 and data.train.labels[0] == roles[:3]
    folder = tmp_path / "base"
    shutil.copytree(TOKENIZER, folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    tiny_model(folder, "gpt2", vocab_size=600, n_positions=128)
    base = LoadedBase(locate_base(str(folder)), "dialogue", ())
    learns = LEARNS | {"max_length": 96}
    training = TextFineTuning(
        complete("causal_model", learns), data, epochs=8, seed=0, threat=THREAT, base=base
    )
    first, *_, last = training.run()
    assert last["selection.perplexity"] < first["selection.perplexity"]
    assert last["accuracy.clean"] > 0.5
    assert all(math.isfinite(value) for value in last.values())
    # The system's words, and the roles, are not the attacker's to edit.
    table = training.tables()["attacked_texts.txt"]
    changed = [line for line in table.splitlines() if line.startswith("  now")]
    assert all(line.startswith("  now  Be brief. | ") for line in changed)
