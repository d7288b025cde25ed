import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.adversarial.pixels.attack_memory import NEWEST, AttackMemory
from models.adversarial.pixels.evaluation import measure
from models.adversarial.threat_model import Threat

IMAGES = torch.zeros(10, 1, 4, 4)


def index(*positions: int) -> np.ndarray:
    return np.array(positions, dtype=np.int64)


def grey(*levels: float) -> Tensor:
    """Images (n, 1, 4, 4), each of one level."""
    return torch.tensor(levels).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()


def age(file: Path, seconds: float) -> None:
    """Make the file as if written so many seconds ago."""
    then = file.stat().st_mtime - seconds
    os.utime(file, (then, then))


def test_a_trial_replays_the_examples_of_others_but_not_its_own(tmp_path: Path) -> None:
    first, second = (
        AttackMemory(tmp_path / "new", "trial_0001"),
        AttackMemory(tmp_path / "new", "b"),
    )
    assert first.replays(IMAGES) == []
    first.store(index(2, 7), grey(0.25, 0.75))
    assert first.replays(IMAGES) == []
    (found,) = second.replays(IMAGES)
    assert found.index.tolist() == [2, 7] and torch.equal(found.images, grey(0.25, 0.75))


def test_what_is_stored_twice_is_joined_and_the_newer_counts(tmp_path: Path) -> None:
    memory = AttackMemory(tmp_path, "a")
    memory.store(index(7, 2), grey(0.75, 0.25))
    memory.store(index(3, 7), grey(0.5, 1.0))
    (found,) = AttackMemory(tmp_path, "b").replays(IMAGES)
    assert found.index.tolist() == [2, 3, 7]
    assert torch.equal(found.images, grey(0.25, 0.5, 1.0))


def test_without_adversarial_examples_nothing_is_written(tmp_path: Path) -> None:
    AttackMemory(tmp_path / "new", "a").store(index(), grey())
    assert not (tmp_path / "new").exists()


def test_the_newest_come_first_and_no_more_are_kept_than_are_read(tmp_path: Path) -> None:
    for number in range(NEWEST + 3):
        memory = AttackMemory(tmp_path, f"trial_{number:04d}")
        memory.store(index(0), grey(number / 100))
        age(tmp_path / f"trial_{number:04d}.safetensors", 100 - number)
    AttackMemory(tmp_path, "reader").store(index(0), grey(1.0))
    levels = [float(each.images[0, 0, 0, 0]) for each in AttackMemory(tmp_path, "reader").replays(
        IMAGES)]  # fmt: skip
    assert levels == pytest.approx([number / 100 for number in range(NEWEST + 2, 2, -1)])
    assert len(list(tmp_path.iterdir())) == NEWEST + 1  # and the reader's own


def test_a_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    AttackMemory(tmp_path, "a").store(index(0), grey(0.5))
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    assert set(load_file(tmp_path / "a.safetensors")) == {"index", "images"}


WHOLE = {"index": torch.tensor([0, 3]), "images": grey(0.5, 0.5)}
FOREIGN = [
    ({"images": torch.zeros(2, 3, 4, 4)}, r"its images are \(3, 4, 4\), not \(1, 4, 4\)"),
    ({"index": torch.tensor([0, 10])}, "names example 10 of 10"),
    ({"index": torch.tensor([3, 0])}, "not ascending"),
    ({"index": torch.tensor([-1, 0])}, "not ascending"),
    ({"index": torch.tensor([1, 1])}, "each example once"),
    ({"index": torch.tensor([0])}, r"index is \(1,\)"),
    ({"index": torch.tensor([0.0, 3.0])}, "index is torch.float32"),
    ({"images": grey(0.5, 0.5).double()}, "images are torch.float64"),
    ({"images": grey(0.5, 1.5)}, r"pixels outside \[0, 1\]"),
    ({"images": grey(0.5, float("nan"))}, r"pixels outside \[0, 1\]"),
    ({"more": torch.zeros(1)}, "it holds"),
]


@pytest.mark.parametrize(("change", "says"), FOREIGN)
def test_a_foreign_file_is_passed_over_with_a_warning(tmp_path, change, says, caplog) -> None:
    save_file(WHOLE | change, tmp_path / "foreign.safetensors")
    AttackMemory(tmp_path, "good").store(index(1), grey(0.5))
    with caplog.at_level(logging.WARNING):
        (found,) = AttackMemory(tmp_path, "reader").replays(IMAGES)
    assert found.index.tolist() == [1]
    (record,) = caplog.records
    caplog.clear()
    text = record.getMessage()
    assert "foreign.safetensors cannot be replayed" in text and "delete the file" in text
    assert "may be too high" in text
    assert re.search(says, text)


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\xff" * 64])
def test_a_damaged_file_is_passed_over_and_its_own_trial_writes_over_it(
    tmp_path: Path, content: bytes, caplog
) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    assert AttackMemory(tmp_path, "b").replays(IMAGES) == [] and len(caplog.records) == 1
    AttackMemory(tmp_path, "a").store(index(4), grey(0.5))
    assert len(AttackMemory(tmp_path, "b").replays(IMAGES)) == 1


@pytest.mark.parametrize(
    ("positions", "images", "says"),
    [
        (index(0, 0), grey(0.5, 0.5), "each example once"),
        (index(0), grey(0.5, 0.5), "1 examples and 2 images"),
        (index(0), grey(-0.5), "outside"),
    ],
)
def test_what_no_attack_can_show_is_not_stored(tmp_path, positions, images, says) -> None:
    with pytest.raises(ValueError, match=says):
        AttackMemory(tmp_path, "a").store(positions, images)
    assert not list(tmp_path.iterdir())


def test_what_one_measurement_found_another_one_replays(tmp_path, trained, examples) -> None:
    images, labels = examples
    threat = Threat(epsilon=0.1)
    found = measure(trained, images, labels, threat, seed=0)
    AttackMemory(tmp_path, "a").store(
        found.misclassified, found.adversarial_examples[found.misclassified]
    )
    replays = AttackMemory(tmp_path, "b").replays(images)
    shown = measure(trained, images, labels, threat, seed=0, losses=[], replays=replays)
    assert np.array_equal(shown.robust, found.robust)
