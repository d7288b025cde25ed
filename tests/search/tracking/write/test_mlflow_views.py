from __future__ import annotations

import json
from pathlib import Path

from search.objectives.objective import from_lists
from search.tracking.write.mlflow_views import TAG, links, write_views
from tests.support.stores import new_store


def test_views_fit_an_experiment_tag_and_name_every_objective(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    objectives = ["accuracy.clean", "accuracy.pgd10_linf_0.1", "seconds"]
    hyperparameters = [f"a_rather_long_hyperparameter_{index}" for index in range(40)]
    write_views(
        store.client, store.experiment,
        from_lists(objectives, ["maximize", "maximize", "minimize"]), hyperparameters,
    )  # fmt: skip
    tags = store.client.get_experiment(store.experiment).tags
    for key in ("trials", "front", "searches"):
        text = tags[TAG + key]
        assert len(text) <= 5_000, key
        state = json.loads(json.loads(text)["state"])
        for objective in objectives if key != "searches" else ():
            assert f"metrics.`{objective}`" in state["selectedColumns"]
    (link,) = links(store.client, "http://127.0.0.1:5000").values()
    assert f"/experiments/{store.experiment}/" in link and "twentieth-trials" in link
