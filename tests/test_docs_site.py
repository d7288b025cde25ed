"""The documentation site builds without a warning, loads nothing from elsewhere, and is complete.

What its reference says is generated from the code; here is checked that nothing is missing from it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from search.__main__ import EXAMPLES

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>|"
    r"url\([\"']?(?:https?:)?//|@import"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    said = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    return folder


@pytest.mark.slow
def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    files = [path for kind in ("*.html", "*.css") for path in site.rglob(kind)]
    assert files
    assert not {
        path.name: found for path in files if (found := ELSEWHERE.findall(path.read_text()))
    }


@pytest.mark.slow
def test_every_placeholder_is_filled_in(site: Path) -> None:
    assert not [path for path in site.rglob("*.html") if "<!-- generated:" in path.read_text()]


@pytest.mark.slow
def test_every_command_is_in_the_reference(site: Path) -> None:
    page = (site / "reference/command_line.html").read_text()
    names = [each.__name__.replace("_", "-") for each in EXAMPLES]
    assert not [name for name in names if f"twentieth {name}" not in page]


@pytest.mark.slow
def test_every_result_page_is_in_the_site(site: Path) -> None:
    results = [path.relative_to(ROOT) for path in (ROOT / "results/reference").rglob("*.md")]
    assert not [
        each for each in results if not (site / "repository" / each).with_suffix(".html").exists()
    ]


def test_every_page_is_in_the_navigation() -> None:
    written = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert set(_leaves(written)) == pages


def _leaves(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _leaves(each)


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs/hooks"))


@pytest.mark.usefixtures("hooks")
def test_every_tag_has_a_meaning() -> None:
    from metric_pages import tag_meanings

    found = dict(tag_meanings())
    assert found["twentieth.search"] == "the search's id"
    assert found["twentieth.kind"].startswith("`search` for the summary run, `trial` for the")
    assert not [tag for tag, meaning in found.items() if not meaning]


@pytest.mark.usefixtures("hooks")
def test_every_key_of_a_spec_and_every_metric_has_a_meaning() -> None:
    import metric_pages
    import spec_pages

    assert "| `epochs` | whole number, at least 1 | required |" in spec_pages.sections()
    assert "| `accuracy.clean` |" in metric_pages.metrics()


@pytest.mark.usefixtures("hooks")
def test_the_sources_of_a_docstring_are_its_paragraph_or_the_sentences_that_cite() -> None:
    from paper_pages import sources_of

    stated = '"""Does it.\n\nSource: Doe et al. 2020,\nsection 2.\n"""'
    cited = '"""Does it.\n\nFast. Doe & Roe 1999, figure 2: slowly. Not here.\n"""'
    none = '"""Does it.\n\nIn 2020 nothing was known.\n"""'
    assert list(sources_of(stated)) == [("Does it", "Doe et al. 2020, section 2")]
    assert list(sources_of(cited)) == [("Does it", "Doe & Roe 1999, figure 2: slowly")]
    assert not list(sources_of(none))
