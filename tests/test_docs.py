"""What the pages for readers name exists: files, folders and commands of this repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("benchmarks/**/README.md"))
OF_THE_REPOSITORY = re.compile(
    r"(?<![\w/.])(?:search|models|tests|benchmarks|docs|deploy|examples)/[\w./-]*\w/?"
)
MODULE = re.compile(r"python -m (benchmarks[\w.]*|search|models[\w.]*)")
# What a reader makes by following the page.
MADE = {"deploy/mlflow/secrets/"}
# Metrics of a search's run in MLflow.
TOTALS = re.compile(r"`search/[\w.<>]+`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    text = (
        text if page.name not in ("metrics_and_tags.md", "mlflow_page.md") else TOTALS.sub("", text)
    )
    named = {match.rstrip(".") for match in OF_THE_REPOSITORY.findall(text)}
    missing = {name for name in named if not (ROOT / name).exists()} - MADE
    missing |= {name for name in LINK.findall(text) if not (page.parent / name).exists()}
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_a_page_runs_exists(page: Path) -> None:
    for name in MODULE.findall(page.read_text(encoding="utf-8")):
        place = ROOT / name.rstrip(".").replace(".", "/")
        assert (place / "__main__.py").exists() or place.with_suffix(".py").exists(), name
