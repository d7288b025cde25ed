"""The clean metrics of a kind of data are those that its scorer gives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from models.catalog import MODELS, data_kind
from models.kinds import KINDS
from models.scores.classification import classification_scores
from models.scores.entities import entity_scores
from models.scores.ranking import rank_groups
from models.training.text.clean import MeasuredAnswers


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("classification", classification_scores(np.array([0, 1]), np.array([0, 1]), 2)),
        ("entities", entity_scores([["B-a", "O"]], [["B-a", "O"]])),
        ("ranking", rank_groups(np.array([1.0, 0.0]), np.array([0.9, 0.1]), ["g", "g"]).means()),
        ("dialogue", MeasuredAnswers(accuracy=0.5, loss=1.0).metrics()),
    ],
)
def test_a_scorer_gives_the_clean_metrics_of_its_kind(
    kind: str, found: Mapping[str, float]
) -> None:
    assert set(found) == set(KINDS[kind].metrics)


def test_every_kind_of_data_has_a_model() -> None:
    assert {data_kind(model) for model in MODELS} == set(KINDS)
