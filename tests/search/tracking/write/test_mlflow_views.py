from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

from mlflow.exceptions import MlflowException

from search.objectives.objective import from_lists
from search.tracking.tag_names import NOTE
from search.tracking.write.mlflow_views import TAG, VIEWS, links, write_views
from tests.support.stores import Store, new_store


def written(tmp_path: Path) -> tuple[Store, dict[str, str]]:
    """Returns a store and its experiment's tags, with views of the longest plausible names."""
    store = new_store(tmp_path)
    objectives = ["accuracy.clean", "accuracy.pgd10_linf_0.1", "seconds"]
    hyperparameters = [f"a_rather_long_hyperparameter_{index}" for index in range(40)]
    write_views(
        store.client, store.experiment,
        from_lists(objectives, ["maximize", "maximize", "minimize"]), hyperparameters,
    )  # fmt: skip
    return store, store.client.get_experiment(store.experiment).tags


def test_a_tag_that_another_first_search_writes_at_once_ends_no_search(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    refused: list[str] = []

    def refuse(_: str, tag: str, __: str) -> None:
        refused.append(tag)
        raise MlflowException("UNIQUE constraint failed: experiment_tags.key")

    with patch.object(store.client, "set_experiment_tag", refuse):
        write_views(store.client, store.experiment, from_lists(["loss"], ["minimize"]), ["rate"])
    assert set(refused) == {*(TAG + key for key in VIEWS), NOTE}


def test_views_fit_an_experiment_tag_and_name_every_objective(tmp_path: Path) -> None:
    _, tags = written(tmp_path)
    for key in VIEWS:
        text = tags[TAG + key]
        assert len(text) <= 5_000, key
        state = json.loads(json.loads(text)["state"])
        for objective in ("accuracy.clean", "accuracy.robust", "seconds"):
            column = f"metrics.`objective/{objective}`"
            assert (column in state["selectedColumns"]) == (key != "searches")


def test_the_front_is_drawn_of_complete_trials_and_of_all(tmp_path: Path) -> None:
    _, tags = written(tmp_path)
    state = json.loads(json.loads(tags[TAG + "front"])["state"])
    axes = [
        (chart["xaxis"]["key"], chart["yaxis"]["key"])
        for chart in state["compareRunCharts"]
        if chart["type"] == "SCATTER"
    ]
    assert axes == [
        ("accuracy.clean", "accuracy.pgd10_linf_0.1"),
        ("objective/accuracy.clean", "objective/accuracy.robust"),
    ]


def test_links_open_every_view_and_stand_in_the_description(tmp_path: Path) -> None:
    store, tags = written(tmp_path)
    (found,) = links(store.client, "http://127.0.0.1:5000").values()
    assert list(found) == [title for title, _ in VIEWS.values()]
    first_line = tags[NOTE].splitlines()[0]
    for title, link in found.items():
        assert link.startswith(f"http://127.0.0.1:5000/#/experiments/{store.experiment}/runs?")
        assert f"[{title}]({link.removeprefix('http://127.0.0.1:5000/')})" in first_line


def test_a_description_that_somebody_wrote_stays(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.client.set_experiment_tag(store.experiment, NOTE, "Ask Ada before you delete this.")
    write_views(store.client, store.experiment, from_lists(["left"], ["maximize"]), ["x"])
    tags = store.client.get_experiment(store.experiment).tags
    assert tags[NOTE] == "Ask Ada before you delete this."
