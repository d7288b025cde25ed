"""The benchmark of history and weights: its data, its searches on a tiny model, its statistics."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.inheritance import cells
from benchmarks.inheritance.cells import BOTH, CONTROL, HISTORY, SCRATCH, SHUFFLED, Cell, Place
from benchmarks.inheritance.data import DOMAINS, load_domains, shuffled, source_of
from benchmarks.inheritance.run import needs, plan
from benchmarks.inheritance.training import Settings
from models.data.text.splits import TextExamples, TextSplits
from models.data.text.tag_schemes import to_iob2
from tests.support.tiny_models import tiny_bert, wordpiece

_TYPES = {
    "ai": ("person", "task"),
    "literature": ("person", "book", "award"),
    "music": ("person", "award", "song"),
    "politics": ("person", "award"),
    "science": ("person", "task", "award"),
}


def _sentence(domain: str, number: int) -> tuple[list[str], list[str]]:
    kind = _TYPES[domain][number % len(_TYPES[domain])]
    words = [domain, "saw", f"{kind}{number % 3}", "twice", str(number)]
    return words, ["O", "O", f"B-{kind}", f"I-{kind}", "O"]


def _write(folder: Path, rows: list[tuple[list[str], list[str]]]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    tokens, tags = zip(*rows, strict=True)
    pq.write_table(pa.table({"tokens": list(tokens), "tags": list(tags)}), folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five small domains; one training sentence of music occurs in the test split of ai."""
    root = tmp_path_factory.mktemp("data")
    for domain in DOMAINS:
        for split, first, count in (("train", 0, 8), ("validation", 20, 4), ("test", 30, 4)):
            rows = [_sentence(domain, first + n) for n in range(count)]
            if (domain, split) == ("ai", "test"):
                rows.append((_sentence("music", 3)[0], ["O"] * 5))
            if (domain, split) == ("science", "train"):
                rows += [_sentence(domain, 0), _sentence(domain, 20)]
            _write(root / f"crossner_{domain}" / f"{split}.parquet", rows)
    return root


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [word for domain in DOMAINS for n in range(40) for word in _sentence(domain, n)[0]]
    return tiny_bert(tmp_path_factory.mktemp("base"), wordpiece(words))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path, base: Path) -> Place:
    """All scratch cells of seed 0, and every arm of the target ai."""
    settings = Settings(base=str(base), epochs=1, trials=2, max_length=32)
    place = Place(data, tmp_path_factory.mktemp("cells"), settings)
    for domain in DOMAINS:
        cells.run_cell(place, Cell(domain, 0, SCRATCH))
    cells.run_cell(place, Cell("science", 0, SHUFFLED))
    for arm in (HISTORY, BOTH, CONTROL):
        cells.run_cell(place, Cell("ai", 0, arm))
    return place


def test_training_sentences_that_any_domain_is_judged_by_are_left_out_and_counted(
    data: Path,
) -> None:
    domains = load_domains(data)
    assert domains["music"].dropped == {"repeated": 0, "own": 0, "others": 1}
    assert domains["science"].dropped == {"repeated": 1, "own": 1, "others": 0}
    assert {name: len(domain.splits.train) for name, domain in domains.items()} == {
        "ai": 8, "literature": 8, "music": 7, "politics": 8, "science": 8,
    }  # fmt: skip


def test_the_source_has_most_label_names_in_common_and_ties_go_by_the_alphabet() -> None:
    names = {
        "a": ("O", "B-x", "B-y"),
        "b": ("O", "B-x", "B-z"),
        "c": ("O", "B-x", "B-y", "B-z"),
        "d": ("O", "B-x", "B-z", "B-w"),
    }
    assert source_of("a", names) == "c"
    assert source_of("b", names) == "c"  # c and d share three with b
    assert source_of("d", names) == "b"  # b and c share three with d


def _shuffled_pair() -> tuple[TextSplits, TextSplits]:
    names = ("O", "B-a", "I-a", "B-b", "I-b")
    generator = np.random.default_rng(0)
    blocks = [(0,), (0,), (1,), (1, 2), (3, 4), (3,), (3, 4, 4), (1, 2, 2)]
    labels = tuple(
        tuple(tag for place in generator.integers(0, len(blocks), 9) for tag in blocks[place])
        for _ in range(30)
    )
    texts = tuple(tuple(f"w{n}" for n in range(len(tags))) for tags in labels)
    some = TextExamples(texts, labels)
    splits = TextSplits("entities", "made", some, some, some, names, "CC0", "")
    return splits, shuffled(splits, 1)


def test_shuffled_labels_are_valid_iob2_and_every_tag_is_as_frequent_as_before() -> None:
    splits, control = _shuffled_pair()
    names = splits.label_names
    tags = [[names[tag] for tag in sentence] for sentence in control.train.labels]
    assert to_iob2({"train": tags}, lambda *place: str(place))[1] == "IOB2"
    before, after = (
        Counter(tag for sentence in each.train.labels for tag in sentence)
        for each in (splits, control)
    )
    assert before == after
    assert [sum(tag in (1, 3) for tag in sentence) for sentence in control.train.labels] == [
        sum(tag in (1, 3) for tag in sentence) for sentence in splits.train.labels
    ]


def test_shuffled_labels_are_others_the_same_every_time_and_only_those_of_training() -> None:
    splits, control = _shuffled_pair()
    moved = sum(a != b for a, b in zip(splits.train.labels, control.train.labels, strict=True))
    assert moved > 25
    assert control.train.texts == splits.train.texts
    assert control.validation == splits.validation and control.test == splits.test
    assert shuffled(splits, 1) == control != shuffled(splits, 2)


@pytest.mark.slow
def test_a_killed_search_goes_on_and_ends_as_one_that_was_not(
    finished: Place, tmp_path: Path
) -> None:
    cell = Cell("ai", 0, SCRATCH)
    whole = finished.read(cell)
    place = replace(finished, cells=tmp_path)
    first = {key: value for key, value in whole.items() if key != "test"}
    place.write(cell, first | {"trials": whole["trials"][:1]})
    # The kept state is that of the best trial; the first one's own comes from one trial alone.
    alone = replace(
        finished, cells=tmp_path / "alone", settings=replace(finished.settings, trials=1)
    )
    cells.run_cell(alone, cell)
    place.state(cell).parent.mkdir()
    shutil.copy(alone.state(cell), place.state(cell))
    assert not cells.is_done(place, cell)
    cells.run_cell(place, cell)
    again = place.read(cell)
    assert again["test"] == whole["test"]
    assert [trial["validation"] for trial in again["trials"]] == [
        trial["validation"] for trial in whole["trials"]
    ]
    assert again["trials"][0]["seconds"] == whole["trials"][0]["seconds"]  # not trained again


def test_a_finished_cell_is_left_alone_and_one_of_other_settings_is_not_found(
    finished: Place,
) -> None:
    path = finished.cells / "ai-0-history.json"
    before = path.stat().st_mtime_ns
    cells.run_cell(finished, Cell("ai", 0, HISTORY))
    assert path.stat().st_mtime_ns == before
    other = replace(finished, settings=replace(finished.settings, epochs=2))
    assert not cells.is_done(other, Cell("ai", 0, HISTORY))


def test_history_is_the_scratch_searches_of_the_other_domains(finished: Place) -> None:
    assert cells.history_of(finished, Cell("ai", 0, SCRATCH)) is None
    history = cells.history_of(finished, Cell("ai", 0, CONTROL))
    assert history is not None
    assert history.tasks() == [f"crossner_{name}" for name in DOMAINS if name != "ai"]
    tried = [trial.configuration for trial in history.prior_trials("crossner_music")]
    scratch = finished.read(Cell("music", 0, SCRATCH))["trials"]
    assert tried == [trial["configuration"] for trial in scratch]


def test_weights_come_from_the_source_and_those_of_the_control_learned_other_labels(
    finished: Place,
) -> None:
    assert cells.initial_of(finished, Cell("ai", 0, HISTORY)) == (None, {})
    for arm in (BOTH, CONTROL):
        record = finished.read(Cell("ai", 0, arm))
        assert record["source"] == "science" and record["overlap"] == 0
        assert record["rows_carried"] == ["O", "B-person", "I-person", "B-task", "I-task"]
        assert record["rows_initialized"] == []
    known, shuffled_ = (
        cells.initial_of(finished, Cell("ai", 0, arm))[0] for arm in (BOTH, CONTROL)
    )
    assert known is not None and shuffled_ is not None
    assert known.label_names == shuffled_.label_names and known.tensors.keys() == (
        shuffled_.tensors.keys()
    )
    assert any(not (known.tensors[n] == shuffled_.tensors[n]).all() for n in known.tensors)


def test_a_shuffled_source_has_configuration_and_seed_of_the_best_scratch_trial(
    finished: Place,
) -> None:
    scratch = finished.read(Cell("science", 0, SCRATCH))
    best = scratch["trials"][cells.best_of(scratch)]
    (trial,) = finished.read(Cell("science", 0, SHUFFLED))["trials"]
    assert trial["configuration"] == best["configuration"] and trial["seed"] == best["seed"]


def test_states_of_sources_are_kept_and_of_others_not(finished: Place) -> None:
    kept = {path.stem for path in (finished.cells / "states").glob("*.pt")}
    assert kept == {f"{domain}-0-scratch" for domain in DOMAINS} | {"science-0-shuffled"}


def test_a_cell_before_its_sources_is_refused(data: Path, base: Path, tmp_path: Path) -> None:
    place = Place(data, tmp_path, Settings(base=str(base)))
    with pytest.raises(ValueError, match=r"literature-0-scratch is not done.*run it first"):
        cells.run_cell(place, Cell("ai", 0, HISTORY))


def test_every_target_has_every_arm_and_each_source_one_shuffled_training() -> None:
    cells_ = plan({"a": "c", "b": "c", "c": "a"}, (0, 1))
    assert [cell.seed for cell in cells_] == [0] * 14 + [1] * 14
    assert len({cell.name for cell in cells_}) == 28
    assert [cell.target for cell in cells_ if cell.arm == SHUFFLED] == ["a", "c"] * 2


def test_what_a_cell_builds_on_stands_before_it() -> None:
    source = {"a": "c", "b": "c", "c": "a"}
    cells_ = plan(source)
    for place, cell in enumerate(cells_):
        assert set(needs(cell, source)) <= set(cells_[:place])
    assert needs(Cell("b", 1, BOTH), source) == [Cell("a", 1, SCRATCH), Cell("c", 1, SCRATCH)]
    assert needs(Cell("b", 1, CONTROL), source)[-1] == Cell("c", 1, SHUFFLED)
