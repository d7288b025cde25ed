"""Artifacts of runs: nothing that a store names leaves the folder that they are fetched into."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from search.tracking.artifacts import LARGEST_EXPLANATION, fetched_explanations

PICTURE, PAGE = "robustness/explanation_right.png", "robustness/explanation_texts.html"


class Store:
    """A client whose store lists files of the given sizes for every run."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes

    def list_artifacts(self, run_id: str, path: str) -> list[Any]:
        return [SimpleNamespace(path=name, file_size=size) for name, size in self.sizes.items()]

    def download_artifacts(self, run_id: str, path: str, folder: str) -> str:
        file = Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(run_id)
        return str(file)


def fetched(store: Store, *runs: str) -> dict[str, list[str]]:
    with fetched_explanations(store, runs) as found:  # type: ignore[arg-type]
        return {run: [file.name for file in files] for run, files in found.items()}


def test_pictures_and_pages_of_explanations_are_fetched_and_nothing_else() -> None:
    sizes = {
        PICTURE: 9, PAGE: 9, "robustness/summary.md": 9, "robustness/page.html": 9,
        "robustness/explanation_](javascript:x).png": 9, "../explanation_right.png": 9,
        "robustness/explanation_wrong.png": LARGEST_EXPLANATION + 1,
    }  # fmt: skip
    names = ["explanation_right.png", "explanation_texts.html"]
    assert fetched(Store(**sizes), "run1", "run2") == {"run1": names, "run2": names}


def test_the_id_of_a_run_is_no_path(tmp_path: Path) -> None:
    away = tmp_path / "away"
    found = fetched(Store(**{PICTURE: 9}), str(away), "../up")
    assert not away.exists()
    assert found == {str(away): ["explanation_right.png"], "../up": ["explanation_right.png"]}
