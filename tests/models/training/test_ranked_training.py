"""Training of a ranker: it reports what the catalog says, learns, and keeps a table."""

from pathlib import Path

import pytest

from models.adversarial.threat_model import TextThreat
from models.catalog import complete, metrics
from models.training.text_fine_tuning import TextFineTuning
from tests.support.image_trainings import OF_THE_TRIAL
from tests.support.tiny_texts import tiny_base, tiny_texts

pytestmark = pytest.mark.slow

THREAT = TextThreat(examples=8, cheap_examples=4, queries=20)
LEARNS = {"adaptation": "full", "full.learning_rate": 5e-3, "batch_size": 8, "max_length": 24}


def test_a_ranker_learns_reports_what_the_catalog_says_and_is_compared_with_popularity(
    tmp_path: Path,
) -> None:
    data = tiny_texts("ranking")
    base = tiny_base(tmp_path / "base", "ranking", data.label_names)
    configuration = complete("text_ranker", LEARNS | {"dropout": 0.0})
    training = TextFineTuning(configuration, data, epochs=8, seed=0, threat=THREAT, base=base)
    first, *_, last = training.run()
    known = set(metrics("text_ranker", THREAT)) | {"epoch"}
    assert set(first) | set(last) == known - OF_THE_TRIAL
    assert last["ndcg_at_10.clean"] > 0.95 and last["mrr.clean"] > 0.9
    assert last["ndcg_at_10.characters_0.15"] <= last["ndcg_at_10.clean"] + 1e-9
    tested = training.evaluate_test()
    for name in ("test.ndcg_at_10.clean", "test.mrr.clean", "test.ndcg_at_10.characters_0.15"):
        assert tested[f"{name}.low_95"] <= tested[name] <= tested[f"{name}.high_95"]
    assert "popularity" in training.test_tables()["ranking_test.txt"]
    tables = training.tables()
    assert {"ranking.txt", "attacked_texts.txt"} == set(tables)
    head, *lines = tables["ranking.txt"].splitlines()
    assert head.startswith("2 groups with a relevant item, 0 without one")  # half of validation
    assert any("model" in line and "popularity" in line for line in lines)
