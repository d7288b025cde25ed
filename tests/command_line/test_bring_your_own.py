"""The page `docs/bring_your_own.md` is run as it stands: its files, its commands, its Python.

From an empty folder outside the checkout, on pictures of three classes, with the search killed in
its middle.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from models.data.loading import load_images
from search.history import Trial
from search.tracking.read.history import load_history
from search.tracking.store import open_client
from search.tracking.summary import find_summary

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "bring_your_own.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE_SECONDS = 400


def blocks(language: str) -> list[str]:
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    return [textwrap.dedent(text) for name, text in found if name == language]


def write_pictures(folder: Path, classes: dict[str, int], first: int) -> None:
    """Writes PNG files of digits, a folder a class in each split; `first` skips so many of each."""
    digits = load_images({"name": "digits"})
    for split, count in (("train", 30), ("validation", 10), ("test", 8)):
        images, labels = getattr(digits, f"{split}_images"), getattr(digits, f"{split}_labels")
        for name, digit in classes.items():
            place = folder / split / name
            place.mkdir(parents=True)
            chosen = images[labels == digit][first : first + count]
            for number, image in enumerate(chosen):
                pixels = np.minimum(image[0].astype(int) * 16, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("own")
    code, *_ = blocks("python")
    first, second, *_ = blocks("yaml")
    (place / "my_resnet.py").write_text(code)
    (place / "search.yaml").write_text(first)
    (place / "second.yaml").write_text(second)
    write_pictures(place / "images", {"cat": 0, "dog": 1, "horse": 2}, first=0)
    write_pictures(place / "more_images", {"bird": 5, "cat": 0, "dog": 1}, first=10)
    return place


def commands() -> Iterator[list[str]]:
    """The arguments of each command of the walk-through, in its order."""
    for block in blocks("sh"):
        for line in block.splitlines():
            yield shlex.split(line)[1:]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    places = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    return subprocess.Popen(
        [str(Path(sys.executable).parent / "twentieth"), *arguments],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | places | {"COLUMNS": "80"}, start_new_session=True,
    )  # fmt: skip


def run(folder: Path, *arguments: str) -> str:
    process = start(folder, *arguments)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    return said


def trials(folder: Path, search: str) -> list[Trial]:
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    summary = find_summary(open_client(uri), search)
    return load_history(uri, searches=[summary.search]).prior_trials(state=None)


def kill_in_its_middle(folder: Path, process: subprocess.Popen[str], search: str) -> None:
    """Kills the command and everything it started, once a trial is complete."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        try:
            if any(trial.state == "complete" for trial in trials(folder, search)):
                break
        except LookupError:
            pass
        time.sleep(0.5)
    for each in [*psutil.Process(process.pid).children(recursive=True), process]:
        try:
            os.kill(each.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


@pytest.mark.long
def test_the_page_works_from_an_empty_folder_to_a_second_search(folder: Path) -> None:
    data, doctor, search, resume, attack, export = commands()
    results = ("--results", str(folder / "results"))
    understood = run(folder, *data)
    assert all(name in understood for name in ("cat", "dog", "horse"))
    run(folder, *doctor, *results)
    kill_in_its_middle(folder, start(folder, *search, *results), "animals")
    before = {each.number for each in trials(folder, "animals") if each.state == "complete"}
    assert 1 <= len(before) < 6
    run(folder, *resume, *results)
    after = trials(folder, "animals")
    assert [trial.state for trial in after] == ["complete"] * 6
    assert sorted(trial.number for trial in after) == list(range(6))
    assert "epsilon" in run(folder, *attack)
    run(folder, *export)
    loaded_by_plain_torch(folder)
    said = run(folder, "run", "second.yaml", *results)
    assert "of 1 earlier search" in said and "no longer searched" not in said
    assert re.search(r"head rows of cat and dog|head rows of cat, dog", said), said
    second = trials(folder, "more-animals")
    assert [trial.state for trial in second] == ["complete"] * 4
    assert not any("model.width" in trial.configuration for trial in second)


def loaded_by_plain_torch(folder: Path) -> None:
    """The last Python of the walk-through, in a process that cannot import Twentieth."""
    load = blocks("python")[1]
    check = """
import torch
images = torch.linspace(0, 1, 2 * 64).reshape(2, 1, 8, 8)
with torch.no_grad():
    torch.save(model(images), "logits.pt")
assert label_names == ["cat", "dog", "horse"]
"""
    hidden = "import sys\nsys.modules['search'] = sys.modules['models'] = None\n"
    text = hidden + load + check
    subprocess.run([sys.executable, "-c", text], cwd=folder, check=True)
    sys.path.insert(0, str(folder))
    try:
        from my_resnet import ResNet  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(folder))
    weights = load_file(folder / "animal_network" / "model.safetensors")
    width = len(weights["fc.weight"][0])
    depth = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    known = {"shape": (1, 8, 8), "classes": 3, "mean": weights["mean"], "std": weights["std"]}
    model = ResNet(depth, width, type("Data", (), known))
    model.load_state_dict(weights)
    images = torch.linspace(0, 1, 2 * 64).reshape(2, 1, 8, 8)
    with torch.no_grad():
        expected = model.eval()(images)
    assert torch.equal(torch.load(folder / "logits.pt", weights_only=True), expected)
