"""An export says on the console and on the card what it wrote, and that nothing was learned."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from models.catalog import complete
from models.data.loading import load_images
from models.weights.checkpoints import save_checkpoint
from models.weights.rebuild import TrainedTrial
from search.transfer import export
from search.transfer.sources import WeightSource
from tests.support.image_trainings import train
from tests.support.synthetic_history import CLEAN, FINGERPRINT, history, points, row, search


@pytest.mark.parametrize(("accuracy", "is_trivial"), [(0.1, True), (0.9, False)])
def test_a_model_that_learned_nothing_is_called_that(
    accuracy: float,
    is_trivial: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few_digits = load_images({"name": "digits", "train_examples": 60})
    values: dict[str, Any] = {"width": 2, "blocks": 1}
    training = train(values, few_digits, epochs=1)
    save_checkpoint(tmp_path / "trial", 1, 1, list(training.run()), training.state_dict())
    configuration = complete("cnn", values)
    data = {"name": "digits", "train_examples": 60}
    curves = [row(0, [0.9, 0.5], curves=list(points("test." + CLEAN, {5: accuracy})))]
    (trial,) = history(curves, [search()]).prior_trials(state=None, search="cold")
    task: Any = SimpleNamespace(
        name="digits-cnn", model="cnn", trains="cnn", network=None, catalog_name="cnn", data=data,
        base=None,
    )  # fmt: skip
    source = WeightSource(
        SimpleNamespace(search="cold", environment={}), SimpleNamespace(task=task), FINGERPRINT,
        trial, configuration, tmp_path / "trial", {},
    )  # type: ignore[arg-type]  # fmt: skip
    made = TrainedTrial("cold#0", "cnn", configuration, data, tmp_path / "trial")
    monkeypatch.setattr(export, "find_trial", lambda uri, reference: source)
    monkeypatch.setattr(export, "check_checkpoint", lambda source: None)
    monkeypatch.setattr(WeightSource, "trained", lambda self, base, allowed: made)
    message = export.export_trial("unused", "cold#0", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert ("learned nothing" in message) == ("learned nothing" in card) == is_trivial
    assert "model.safetensors" in message and 'model, names = load(".")' in card
    (result,) = ModelCard(card).data.eval_results
    assert result.metric_value == accuracy
