"""The card of an exported trial calls every accuracy under attack an upper bound."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from models.catalog import Threat
from search.transfer.export import model_card
from search.transfer.sources import WeightSource
from tests.support.synthetic_history import CLEAN, FINGERPRINT, ROBUST, history, points, row, search

ATTACKED = (
    ROBUST, Threat().fgsm_metric(), Threat().apgd_metric(), "accuracy.square_linf_0.1",
    Threat().autoattack_metric(), Threat().worst_metric(),
)  # fmt: skip


def card(*curves: dict[str, Any]) -> str:
    values = [0.9, 0.5]
    known = history([row(0, values, curves=list(curves))], [search()])
    (trial,) = known.prior_trials(state=None, search="cold")
    task: Any = SimpleNamespace(name="digits-cnn", model="cnn", trains="cnn", network=None)
    source = WeightSource(
        SimpleNamespace(search="cold"), SimpleNamespace(task=task), FINGERPRINT, trial, {},
        Path("gone"), {},
    )  # type: ignore[arg-type]  # fmt: skip
    return model_card(source, (), "load()", {})


@pytest.mark.parametrize("prefix", ["", "test.", "confirmation.", "unconfirmed.", "selection."])
@pytest.mark.parametrize("metric", ATTACKED)
def test_every_accuracy_under_attack_is_called_an_upper_bound(metric: str, prefix: str) -> None:
    text = card(*points(prefix + metric, {5: 0.25}))
    shown = metric if prefix == "test." else prefix + metric
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {shown}")]
    assert line.startswith(f"| {shown}, upper bound |")


def test_accuracies_without_an_attack_are_not_bounds() -> None:
    corrupted = "accuracy.corrupted_noise"
    text = card(*points(corrupted, {5: 0.5}), *points("test." + CLEAN, {5: 0.875}))
    assert f"| {corrupted} | 0.5000 |  |" in text
    assert f"| {CLEAN} | 0.9000 | 0.8750 |" in text


def test_costs_and_counts_are_not_shown() -> None:
    hidden = ("seconds.train", "loss.train", "memory.peak_mb", "test.examples", "queries.mean")
    text = card(*(point for name in hidden for point in points(name, {5: 2.0})))
    assert not [name for name in hidden if name.removeprefix("test.") in text.split("## Data")[0]]
