"""Which end of a metric is better, where its name says so."""

from __future__ import annotations

import pytest

from models.catalog import MODELS, default_threat, metrics
from models.scores.cost_names import natural_direction
from models.scores.metric_names import MetricName


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("latency.ms", "minimize"),
        ("latency.spread", "minimize"),
        ("throughput.per_second", "maximize"),
        ("parameters.total", "minimize"),
        ("disk.model_mb", "minimize"),
        ("seconds.gpu", "minimize"),
        ("work.example", "minimize"),
        ("memory.peak_mb", "minimize"),
        ("loss.validation", "minimize"),
        ("perplexity", "minimize"),
        ("accuracy.clean", "maximize"),
        ("accuracy.pgd10_linf_0.2", "maximize"),
        ("f1.words_0.1", "maximize"),
        ("matthews", "maximize"),
        ("score", None),
        ("accuracy", None),  # of a user's own function: a share or a percentage of errors
        ("epoch.selected", None),
    ],
)
def test_a_metric_has_the_direction_of_its_meaning(metric: str, direction: str | None) -> None:
    assert natural_direction(metric) == direction


@pytest.mark.parametrize("model", MODELS)
def test_only_what_is_no_goal_of_a_model_has_no_direction(model: str) -> None:
    threat = default_threat(model)
    names = [name for name in metrics(model, threat) if not MetricName.parse(name).is_count]
    without = {name for name in names if natural_direction(name) is None}
    assert without <= {"epoch.selected", "selection.collapsed", "queries.mean",
                       "words_changed.share"}  # fmt: skip
