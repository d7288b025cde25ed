"""`attack --verify` on files that were tampered with: refused, or shown as what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.table import Table
from torch import Tensor, nn

from models.adversarial.pixels.adversarial_examples import AdversarialExamples, model_digest
from models.adversarial.pixels.evaluation import fixed_subset
from models.adversarial.pixels.stored_examples import save_adversarial_examples
from models.catalog import Threat
from search.cli import verify
from search.cli.verify import verify_trial
from search.history import Trial
from search.session import screen
from tests.support.tiny_classifiers import Bright, flat

LAST = "adversarial_examples_test.safetensors"
LATER = "adversarial_examples_all_test_linf_0.1.safetensors"
METRIC = "accuracy.worst_linf_0.1"


# Of ten images eight are attacked, two of these are wrong as they are, and three are within 0.1 of
# the border: 3 / 8 withstand.
ATTACKED = torch.from_numpy(fixed_subset(10, 8, 0))
BRIGHTNESS, LABELS = torch.full((10,), 0.1), torch.zeros(10, dtype=torch.int64)
LABELS[ATTACKED[:2]] = 1
BROKEN = ATTACKED[[2, 4, 6]]
BRIGHTNESS[BROKEN] = 0.45
IMAGES = flat(*BRIGHTNESS.tolist())
HONEST = AdversarialExamples(
    ATTACKED, BROKEN, flat(*[0.55] * 3), "test", METRIC, model_digest(Bright())
)


@dataclass
class Past:
    """The rebuilt model and its images."""

    seed = 0

    def examples(self, part: str) -> tuple[Tensor, Tensor]:
        return IMAGES, LABELS

    def classifier(self) -> nn.Module:
        return Bright()


@dataclass
class Stored:
    """A trial's run in a store: files, documents and metrics."""

    folder: Path
    metrics: dict[str, float]
    documents: dict[str, str]

    def put(self, examples: AdversarialExamples, name: str = LAST) -> Path:
        own = replace(examples, index=examples.index.clone())  # a file cannot hold shared memory
        save_adversarial_examples(own, self.folder / name)
        return self.folder / name


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    metrics = {f"test.{METRIC}": 3 / 8, "test.attacked_examples": 8.0, "test.examples": 10.0}
    made = Stored(tmp_path, metrics, {})

    def source(*_: Any) -> Any:
        curves = {name: {4: value} for name, value in made.metrics.items()}
        trial = Trial(state="complete", configuration={}, curves=curves, run_id="r")
        task = SimpleNamespace(base=None)
        return SimpleNamespace(
            name="digits-1#7", trial=trial, spec=SimpleNamespace(task=task), trained=lambda *_: None
        ), Threat()

    def files(*_: Any) -> list[Path]:
        return sorted(tmp_path.glob("*.safetensors"))

    monkeypatch.setattr(screen.out, "_width", 300)
    monkeypatch.setattr(verify, "find_attackable", source)
    monkeypatch.setattr(verify, "open_client", lambda *_: None)
    monkeypatch.setattr(verify, "fetch_adversarial_examples", files)
    monkeypatch.setattr(verify, "read_robustness", lambda *_: made.documents)
    monkeypatch.setattr("models.training.past_trial.PastTrial", lambda *_: Past())
    return made


@dataclass
class Said:
    """What a check said: rows by file and column, sentences, and how it ended."""

    rows: Mapping[str, Mapping[str, str]]
    sentences: str
    error: str


def said() -> Said:
    rows, sentences, error = {}, [], ""
    parts: Iterator[str | Table] = verify_trial("", "digits-1#7")
    try:
        for part in parts:
            if isinstance(part, str):
                sentences.append(part)
                continue
            names = [str(column.header) for column in part.columns]
            for row in zip(*(column.cells for column in part.columns), strict=True):
                cells = dict(zip(names, map(str, row), strict=True))
                rows[cells["file"]] = cells
    except ValueError as raised:
        error = str(raised)
    return Said(rows, "\n".join(sentences), error)


def test_an_honest_file_is_shown_beside_what_its_run_logged(stored: Stored) -> None:
    stored.put(HONEST)
    found = said()
    row = found.rows[LAST]
    assert (row["metric"], row["epsilon"]) == (f"test.{METRIC}", "0.1")
    assert (row["bound"], row["logged"]) == ("0.3750", "0.3750")
    assert (row["examples"], row["wrong clean"], row["confirmed"]) == ("8", "2", "3")
    assert not found.error and LAST not in found.sentences


def test_no_cell_is_cut_on_a_narrow_screen(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.put(HONEST)
    monkeypatch.setattr(screen.out, "_width", 80)
    with screen.out.capture() as captured:
        for part in verify_trial("", "digits-1#7"):
            screen.out.print(part)
    lines = [line.split() for line in captured.get().splitlines()]
    assert ["file", LAST] in lines and ["metric", f"test.{METRIC}"] in lines


def test_images_of_a_larger_ball_under_the_same_name_prove_nothing(stored: Stored) -> None:
    """The file of the issue: a ball of 0.5 would prove 0.0000."""
    index = ATTACKED[2:]
    far = replace(HONEST, index=index, images=flat(*[0.6] * 6))
    stored.put(far)
    found = said()
    assert (found.rows[LAST]["bound"], found.rows[LAST]["confirmed"]) == ("0.7500", "0")
    assert "6 of 6 images outside the ball, which prove nothing" in found.sentences
    assert "was logged as 0.3750, the bound is 0.7500: the file does not prove it" in (
        found.sentences
    )


def test_a_larger_ball_under_its_own_name_is_shown_as_what_it_is(stored: Stored) -> None:
    metric = "accuracy.worst_linf_0.5"
    stored.put(replace(HONEST, index=ATTACKED[2:], images=flat(*[0.6] * 6),
                       metric=metric))  # fmt: skip
    found = said()
    assert (found.rows[LAST]["epsilon"], found.rows[LAST]["bound"]) == ("0.5", "0.0000")
    assert found.rows[LAST]["logged"] == "-"
    assert f"the run has no test.{metric}, so the bound can be compared with nothing" in (
        found.sentences
    )


def chosen() -> AdversarialExamples:
    """The other file of the issue: `attacked` cut to the misclassified ones."""
    return replace(HONEST, attacked=BROKEN)


REFUSED = {
    "attacked cut to the misclassified ones": chosen(),
    "attacked without those that withstand": replace(HONEST, attacked=ATTACKED[:7]),
    "all examples of the split, but one": replace(HONEST, attacked=torch.arange(9)),
    "images of another size": replace(HONEST, images=torch.full((3, 1, 3, 3), 0.55)),
    "pixels that are NaN": replace(HONEST, images=flat(*[torch.nan] * 3)),
    "pixels outside [0, 1]": replace(HONEST, images=flat(*[1.01] * 3)),
    "examples twice": replace(HONEST, index=BROKEN[[0, 0, 1]]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_refused_costs_itself_alone(stored: Stored, kind: str) -> None:
    stored.put(REFUSED[kind])
    stored.put(HONEST, LATER)
    found = said()
    assert list(found.rows) == [LATER] and found.rows[LATER]["bound"] == "0.3750"
    assert f"{LAST} is refused: " in found.sentences
    assert found.error.startswith("1 of 2 files of digits-1#7 refused") and "fix: " in found.error


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\x80\x04K\x01."])
def test_a_damaged_file_alone_is_an_error_without_a_table(stored: Stored, content: bytes) -> None:
    (stored.folder / LAST).write_bytes(content)
    found = said()
    assert not found.rows and found.error.startswith("1 of 1 file of digits-1#7 refused")


SHOWN: dict[str, tuple[AdversarialExamples, str]] = {
    "the clean image of another example": (
        replace(HONEST, images=torch.cat([HONEST.images[:2], flat(0.1)])),
        "1 of 3 images outside the ball",
    ),
    "the clean images themselves": (
        replace(HONEST, images=IMAGES[BROKEN]), "the bound is 0.7500: the file does not prove it",
    ),
    "adversarial examples left out": (
        replace(HONEST, index=BROKEN[:1], images=HONEST.images[:1]),
        "the bound is 0.6250: the file does not prove it",
    ),
    "those of images that were wrong before": (
        replace(HONEST, index=ATTACKED[:2], images=IMAGES[ATTACKED[:2]]),
        "the bound is 0.7500: the file does not prove it",
    ),
    "another model": (replace(HONEST, model="another"), "made for other weights"),
    "the first examples of the order alone": (
        replace(HONEST, attacked=torch.from_numpy(fixed_subset(10, 1, 0)),
                index=BROKEN[:0], images=HONEST.images[:0]),
        "was logged for 8 examples, and the file has 1",
    ),
    "another norm under its own name": (
        replace(HONEST, metric="accuracy.worst_l2_0.2"), "the run has no test.accuracy.worst_l2",
    ),
    "another split": (
        replace(HONEST, split="confirmation"), "the run has no confirmation.accuracy.worst",
    ),
    "a metric that was not logged": (
        replace(HONEST, metric="accuracy.fgsm_linf_0.1"), "the run has no test.accuracy.fgsm",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHOWN)
def test_a_file_that_proves_less_is_shown_as_what_it_is(stored: Stored, kind: str) -> None:
    examples, sentence = SHOWN[kind]
    stored.put(examples)
    found = said()
    assert f"{LAST}: " in found.sentences and sentence in found.sentences
    assert not found.error


def test_a_bound_below_what_the_run_logged_says_so(stored: Stored) -> None:
    stored.metrics[f"test.{METRIC}"] = 6 / 8
    stored.put(HONEST)
    assert "was logged as 0.7500, the bound is 0.3750: the model is less robust" in said().sentences


def test_a_later_attack_is_compared_with_its_own_document(stored: Stored) -> None:
    stored.metrics.clear()
    measured = [{"metric": METRIC, "examples": 8, "correct": 3}]
    document = {"split": "test", "metrics": measured}
    stored.documents["attack_all_test_linf_0.1.json"] = json.dumps(document)
    stored.put(HONEST, LATER)
    found = said()
    assert found.rows[LATER]["logged"] == "0.3750" and LATER not in found.sentences


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{" * 9999, '{"split": "test"}', '{"split": "test", "metrics": [3]}',
     *(f'{{"split": "test", "metrics": [{{"metric": "{METRIC}", "correct": 1, "examples": {n}}}]}}'
       for n in ("0", "1e999", "null"))],
)  # fmt: skip
def test_a_damaged_document_is_no_logged_value(stored: Stored, text: str) -> None:
    stored.documents["attack_all_test_linf_0.1.json"] = text
    stored.put(HONEST, LATER)
    assert said().rows[LATER]["logged"] == "-"


def test_a_name_cannot_give_a_terminal_orders(stored: Stored) -> None:
    stored.put(HONEST, "adversarial_examples_\x1b[2J.safetensors")
    assert list(said().rows) == ["adversarial_examples_?[2J.safetensors"]
