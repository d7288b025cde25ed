"""The command `data`: what is understood of a data set, before anything is trained on it.

It opens the source as a search would, with all its checks, and shows examples.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from models.catalog import DataDescription, TextDescription, describe_data
from models.kinds import KINDS, Kind
from search.cli.documents import DataDocument, to_json
from search.cli.options import AsJson
from search.history.plurals import counted
from search.session.screen import RESULTS, out, say, say_raw
from search.spec.yaml_document import Loader

if TYPE_CHECKING:
    from models.data.loading import ImageSplits
    from models.data.text.splits import TextExamples, TextSplits

SPLITS = ("train", "validation", "test")
_CLASSES_SHOWN = 30  # in the terminal; --json has all
_EXAMPLES = 2  # texts of a class
_SOURCES = {
    "files": "files of this machine",
    "parquet": "raw pixels in parquet",
    "hub": "the Hugging Face hub",
    "digits": "scikit-learn",
    "embedded": "this package",
}


def data(
    source: Annotated[
        str, typer.Argument(help="A file or folder, hub:NAME, digits or dialogue.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE",
                     help="A key of task.data, such as label_column=kind (repeatable)."),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="What it holds; guessed from its columns by default.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="PNG with examples of images; results/data/NAME.png by default."),
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what is understood of a data set, with examples of every class.

    It is checked as for a search: classes, splits, damaged files, duplicates.
    The keys that --set takes are those of task.data in a spec.
    """
    from models.data.kind import guess_kind

    given = _given(source, settings or [])
    found = kind or guess_kind(given)
    description = describe_data(given, found)
    document, examples = _understood(given, found, description, picture)
    if as_json:
        print(to_json(document))
        return
    width = out.width
    for line in _lines(document):
        say(line)
    for line in (*_class_lines(document, width), *examples, ""):
        say_raw(line if len(line) <= width else line[: width - 1] + "…")
    for warning in document.warnings:
        say(f"warning   {warning}")
    if document.picture:
        from search.cli.contact_sheet import ROWS

        left = len(document.classes) - ROWS
        more = f" ({counted(left, 'more class', 'more classes')} left out)" if left > 0 else ""
        say_raw(f"picture   {document.picture}{more}")


def _given(source: str, settings: list[str]) -> dict[str, Any]:
    """Returns the keys of `task.data` for a source and what `--set` says.

    Raises:
        ValueError: a setting is not KEY=VALUE, or is below one that has no keys.
    """
    given: dict[str, Any] = {}
    if source.startswith("hub:"):
        given["hub"] = source.removeprefix("hub:")
    elif any(source in each.embedded for each in KINDS.values()) and not Path(source).exists():
        given["name"] = source
    else:
        given["path"] = str(Path(os.path.expanduser(source)).resolve())
    for text in settings:
        key, equals, value = text.partition("=")
        parent, _, child = key.strip().partition(".")
        try:
            parsed = yaml.load(value, Loader)  # as in a spec: 1e-1 is a number
        except (yaml.YAMLError, ValueError, RecursionError):
            equals = ""
        if not equals or not parent:
            raise ValueError(f"--set {text}: not KEY=VALUE; fix: write it as image_size=32 or "
                             "splits.test=0.2")  # fmt: skip
        before = given.get(parent, {})
        if child and not isinstance(before, dict):
            raise ValueError(f"--set {text}: {parent} is {before}, which has no keys; fix: leave "
                             f"out .{child}")  # fmt: skip
        given[parent] = {**before, child: parsed} if child else parsed
    return given


def _understood(
    given: Mapping[str, Any],
    kind: str,
    description: DataDescription | TextDescription,
    picture: Path | None,
) -> tuple[DataDocument, list[str]]:
    """Returns the document of a data set, and lines of examples; writes those of images."""
    from models.data.loading import ImageSplits, load_data

    loaded = load_data(given, kind)
    shape, dtype, scale, shown, seed = None, None, None, None, None
    examples: list[str] = []
    if isinstance(loaded, ImageSplits):
        from search.cli.contact_sheet import write_contact_sheet

        assert isinstance(description, DataDescription), "images are described as images"
        shape, dtype, scale = description.shape, str(loaded.train_images.dtype), loaded.scale
        seed = int(given.get("split_seed") or 0) if description.seeded_splits else None
        shown = picture or RESULTS / "data" / f"{Path(description.name).name}.png"
        write_contact_sheet(
            shown, loaded.train_images, loaded.train_labels, loaded.label_names, loaded.scale
        )
        classes = _image_counts(loaded)
    else:
        if picture is not None:
            raise ValueError("--picture is of images, and these are texts; fix: leave it out")
        classes = {} if kind == "dialogue" else _text_counts(loaded)
        examples = list(_text_examples(loaded))
    document = DataDocument(
        name=description.name,
        kind=kind,
        source=_source(given, description),
        splits={split: getattr(description, split) for split in SPLITS},
        split_seed=seed,
        classes=classes,
        shape=shape,
        dtype=dtype,
        scale=scale,
        digest=description.digest,
        warnings=description.warnings,
        picture=None if shown is None else str(shown),
    )
    return document, examples


def _source(given: Mapping[str, Any], description: DataDescription | TextDescription) -> str:
    if isinstance(description, DataDescription):
        return description.kind
    return "embedded" if "name" in given else "hub" if "hub" in given else "files"


def _image_counts(loaded: ImageSplits) -> dict[str, dict[str, int]]:
    counts = {split: Counter(getattr(loaded, f"{split}_labels").tolist()) for split in SPLITS}
    return {
        name: {split: counts[split][number] for split in SPLITS}
        for number, name in enumerate(loaded.label_names)
    }


def _text_counts(loaded: TextSplits) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    for split in SPLITS:
        for label in getattr(loaded, split).labels:
            if loaded.kind == "entities":
                tags = [loaded.label_names[tag] for tag in label]
                counts[split].update(tag[2:] for tag in tags if tag.startswith("B-"))
            else:
                counts[split][loaded.label_names[label]] += 1
    names = loaded.label_names
    if loaded.kind == "entities":
        names = tuple(name[2:] for name in names if name.startswith("B-"))
    return {name: {split: counts[split][name] for split in SPLITS} for name in names}


def _text_examples(loaded: TextSplits) -> Iterator[str]:
    """Yields a few training examples of each class, a line each."""
    yield ""
    train = loaded.train
    if KINDS[loaded.kind].has_text_class:
        width = max(map(len, loaded.label_names))
        for number, name in enumerate(loaded.label_names[:_CLASSES_SHOWN]):
            rows = [row for row, label in enumerate(train.labels) if label == number]
            for row in rows[:_EXAMPLES]:
                yield f"{name:{width}}  {_in_a_line(' | '.join(train.texts[row]))}"
        return
    for row in range(min(2 * _EXAMPLES, len(train))):
        words = _tagged(train, row, loaded) if loaded.kind == "entities" else train.texts[row]
        yield _in_a_line((" " if loaded.kind == "entities" else " -> ").join(words))


def _tagged(train: TextExamples, row: int, loaded: TextSplits) -> list[str]:
    """Returns the words of a sentence, each entity in brackets after its type."""
    words: list[str] = []
    for word, tag in zip(train.texts[row], train.labels[row], strict=True):
        name = loaded.label_names[tag]
        if name.startswith("I-") and words:
            words[-1] = f"{words[-1].removesuffix(']')} {word}]"
        else:
            words.append(f"{name[2:]}[{word}]" if name != "O" else word)
    return words


def _in_a_line(text: str) -> str:
    """Returns a text without line ends and other characters that a terminal would act upon."""
    return "".join(each if each.isprintable() else " " for each in " ".join(text.split()))


def _lines(document: DataDocument) -> Iterator[str]:
    yield f"{document.name}: {document.kind}, from {_SOURCES[document.source]}"
    yield ""
    if document.shape is not None:
        size = "x".join(map(str, document.shape))
        yield (f"images    {size} (channels x height x width), {document.dtype}, divided by "
               f"{document.scale:g}")  # fmt: skip
    drawn = "" if document.split_seed is None else f" (drawn by split_seed {document.split_seed})"
    sizes = ", ".join(f"{count:,} {name}" for name, count in document.splits.items())
    yield f"splits    {sizes}{drawn}"
    yield f"digest    {document.digest}"


def _class_lines(document: DataDocument, width: int) -> Iterator[str]:
    if not document.classes:
        return
    yield ""
    title = "entity" if document.kind == "entities" else "class"
    shown = list(document.classes.items())[:_CLASSES_SHOWN]
    longest = min(max(len(name) for name, _ in [(title, 0), *shown]), width - 40)
    yield f"{title:{longest}}" + "".join(f"{split:>13}" for split in SPLITS)
    for name, counts in shown:
        cut = name if len(name) <= longest else name[: longest - 1] + "…"
        yield f"{_in_a_line(cut):{longest}}" + "".join(f"{counts[split]:>13,}" for split in SPLITS)
    more = len(document.classes) - len(shown)
    if more:
        yield f"and {counted(more, 'more class', 'more classes')}; --json has all"
