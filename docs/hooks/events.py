"""The events of mkdocs: fills in generated references and brings in pages from outside docs/.

A line `<!-- generated: NAME -->` in a page is replaced by what a file next to this one generates
from the code. A link that leaves docs/ brings its file into the site: a Markdown page or a picture
as it is, other text as a page with its content. So result pages stand once, in results/reference/,
and links work in the repository and in the site.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# The default store in the reference is the project's, not that of who builds the site.
os.environ.pop("MLFLOW_TRACKING_URI", None)
# The code that is documented is the code next to the pages.
sys.path.insert(0, str(ROOT))

import command_pages  # noqa: E402
import metric_pages  # noqa: E402
import paper_pages  # noqa: E402
import spec_pages  # noqa: E402

GENERATED: dict[str, Callable[[], str]] = {
    "spec": spec_pages.sections,
    "sampler options": spec_pages.sampler_options,
    "hyperparameters": spec_pages.hyperparameters,
    "commands": command_pages.commands,
    "exit codes": command_pages.exit_codes,
    "metric names": metric_pages.metric_names,
    "metrics": metric_pages.metrics,
    "tags": metric_pages.tags,
    "papers": paper_pages.papers,
}
# Heading in the navigation -> pages that are outside docs/.
EVIDENCE = {
    "Results": sorted((ROOT / "results/reference").rglob("*.md")),
    "How it is measured": sorted(ROOT.glob("benchmarks/*/README.md")),
}
PLACE = re.compile(r"^<!-- generated: ([\w ]+) -->$", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)(?=#[^)]*\)|\))")
# What a site may show as it is; any other file becomes a page with its text.
AS_IT_IS = (".md", ".png")
LANGUAGES = {".yaml": "yaml", ".py": "python", ".toml": "toml", ".sh": "sh"}


def on_config(config: Any) -> Any:
    """Adds every page of `EVIDENCE` to the navigation."""
    part = next(part["Evidence"] for part in config.nav if "Evidence" in part)
    for title, pages in EVIDENCE.items():
        part.append({title: [{_title(page): _uri(page)} for page in pages]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the files outside docs/ that pages link to, and those that these link to."""
    waiting = [Path(str(page.abs_src_path)) for page in files.documentation_pages()]
    waiting += [page for pages in EVIDENCE.values() for page in pages]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if not path.is_relative_to(DOCS):
            files.append(_file(path, config))
        if path.suffix == ".md":
            waiting += [found for found in _linked(path) if found.is_file()]
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Fills in the generated parts of a page and points its links at the site's files."""
    source = page.file.abs_src_path
    if source is None:  # the text of a file, which links to nothing
        return markdown

    def moved(match: re.Match[str]) -> str:
        target = (Path(source).parent / match[0]).resolve()
        return posixpath.relpath(_uri(target), posixpath.dirname(page.file.src_uri) or ".")

    return PLACE.sub(lambda match: GENERATED[match[1]](), LINK.sub(moved, markdown))


def _linked(page: Path) -> list[Path]:
    """Returns the files that a page links to."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return [(page.parent / link).resolve() for link in links]


def _uri(path: Path) -> str:
    """Returns where a file of the repository is in the site."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    name = path.relative_to(ROOT).as_posix()
    return f"repository/{name}" if path.suffix in AS_IT_IS else f"repository/{name}.md"


def _file(path: Path, config: Any) -> File:
    """Returns a file of the repository as a file of the site."""
    if path.suffix in AS_IT_IS:
        return File.generated(config, _uri(path), abs_src_path=str(path))
    text = path.read_text(encoding="utf-8").rstrip()
    content = (
        f"# {path.relative_to(ROOT)}\n\n~~~~{LANGUAGES.get(path.suffix, 'text')}\n{text}\n~~~~\n"
    )
    return File.generated(config, _uri(path), content=content)


def _title(page: Path) -> str:
    """Returns the name of a page of `EVIDENCE` in the navigation."""
    name = page.parent.name if page.stem in ("report", "README") else page.stem
    return name.replace("_", " ").capitalize()
