"""Mistakes in a user's own training function: each gets a sentence with its place and the fix."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from models.catalog import Threat
from models.data.loading import load_data
from search.optimize.function_check import check_function
from search.optimize.outcome import outcome_of
from search.optimize.worker_task import TaskOnWorker
from search.robustness import examples
from tests.support.own_functions import task
from tests.support.stepped_trials import config_of, run, trial_of

pytestmark = pytest.mark.usefixtures("quick_collection")

# What is written wrong -> the source, the line that is named, and what is said.
BEFORE = {
    "no such function": (
        "def trian(configuration, trial): ...", 0, "defines no train; fix: correct the name",
    ),
    "a syntax error": ("def train(configuration, trial)\n    pass", 1, "fix: correct the module"),
    "a package that is missing": (
        "import no_such_package\ndef train(configuration, trial): ...", 1,
        "No module named 'no_such_package'; fix: install no_such_package",
    ),
    "an import that raises": (
        "rate = 1 / 0\ndef train(configuration, trial): ...", 1,
        "ZeroDivisionError: division by zero; fix: correct the module",
    ),
    "a script that ends itself": (
        "import sys\ndef train(configuration, trial): ...\nsys.exit(0)", 3,
        'it called sys.exit; fix: put what a script does at its end under `if __name__',
    ),
    "argparse at import": (
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('data')\n"
        "parser.parse_args()\ndef train(configuration, trial): ...", 4, "it called sys.exit; fix: ",
    ),
    "no function": ("train = 3", 0, "is a int and no function; fix: write `def train(conf"),
    "a class": ("class train: ...", 0, "is a class and no function; fix: write `def train("),
    "an async function": (
        "async def train(configuration, trial): ...", 1, "which nobody awaits; fix: remove `async`",
    ),
    "no arguments": ("def train(): ...", 1, "takes no arguments; fix: write `def train(conf"),
    "the configuration alone": (
        "def train(configuration): return 1", 1, "takes (configuration); fix: write `def train(",
    ),
    "the builder of a network": (
        "def train(configuration, data): return data.shape", 1,
        "as what builds a network does; fix: name it in task.network (in Python: network=)",
    ),
    "an argument that nobody gives": (
        "def train(configuration, trial, data): ...", 1, "asks for data, which it is not given",
    ),
    "a generator without a seed": (
        "def train(configuration, *, epochs):\n    yield {}", 1, "takes no seed; fix: write `def",
    ),
    "a trial and yield": (
        "def train(configuration, trial):\n    yield {'left': 1.0}", 1,
        "it would never run; fix: call trial.report instead of yield",
    ),
    "a returned dict": (
        "def train(configuration, *, epochs, seed):\n    found = {'left': 1}\n    return found", 1,
        "yields nothing; fix: yield a dict of metrics after every epoch",
    ),
    "nothing reported": (
        "def train(configuration, trial):\n    return {'left': 0.1}", 1,
        "train never calls trial.report; fix: report the metrics of every epoch",
    ),
    "a bare number": (
        "def train(configuration, trial):\n    trial.report(0.5)", 2,
        'given 0.5; fix: a dict that names it, such as {"accuracy": 0.9}',
    ),
    "metrics by keyword, as Ray has them": (
        "def train(configuration, trial):\n    trial.report(left=0.5)", 2,
        'trial.report is given no metrics; fix: trial.report({"left": ...})',
    ),
    "a step, as Optuna has it": (
        "def train(configuration, trial):\n    trial.report({'left': 1, 'right': 1}, 3)", 2,
        "fix: leave the step out: one report is one epoch",
    ),
    "suggest_float, as Optuna has it": (
        "def train(configuration, trial):\n    x = trial.suggest_float('x', 0, 1)\n"
        "    trial.report({'left': x, 'right': x})", 2,
        "trial has no suggest_float; fix: read the configuration: the space is in the spec",
    ),
    "should_prune, as Optuna has it": (
        "def train(configuration, trial):\n    trial.report({'left': 1, 'right': 1})\n"
        "    if trial.should_prune(): return", 3, "ends a trial that the scheduler stops",
    ),
    "a misspelt attribute": (
        "def train(configuration, trial):\n    trial.report({'left': trial.epoch_, 'right': 1})", 2,
        "trial has no epoch_; fix: write trial.epoch",
    ),
    "a setting that there is not": (
        "def train(configuration, trial):\n    rate = configuration['learning_rat']\n"
        "    trial.report({'left': rate, 'right': 1})", 2,
        "has no 'learning_rat'; did you mean 'learning_rate'? fix: add it to space",
    ),
    "a setting that is compared": (
        "def train(configuration, trial):\n    if configuration['rate'] > 0: pass\n"
        "    trial.report({'left': 1, 'right': 1})", 2, "the configuration has no 'rate'",
    ),
    "a setting as an attribute": (
        "def train(configuration, trial):\n    rate = configuration.learning_rate\n"
        "    trial.report({'left': rate, 'right': 1})", 2,
        'fix: write configuration["learning_rate"]',
    ),
    "an objective that is not reported": (
        "def train(configuration, trial):\n    trial.report({'left': 1, 'loss': 2})", 1,
        "train reports left, loss, and the objective is right; fix: make both the same",
    ),
    "argparse in the function": (
        "import argparse\ndef train(configuration, trial):\n"
        "    args = argparse.ArgumentParser().parse_args()\n"
        "    trial.report({'left': 1, 'right': 1})", 3,
        "reads the command line of the worker; fix: read the configuration instead",
    ),
    "a breakpoint": (
        "def train(configuration, trial):\n    breakpoint()\n"
        "    trial.report({'left': 1, 'right': 1})", 2, "a worker has no terminal; fix: remove it",
    ),
    "a text as a metric": (
        "def train(configuration, trial):\n    trial.report({'left': 'good', 'right': 1})", 2,
        "metric 'left' is 'good'; fix: report a number",
    ),
    "True as a metric": (
        "def train(configuration, *, epochs, seed):\n    yield {'left': True, 'right': 1}", 2,
        "metric 'left' is True; fix: report a number",
    ),
    "a list": (
        "def train(configuration, *, epochs, seed):\n    yield [1, 2]", 2,
        'yields no metrics; fix: yield a dict such as {"accuracy": 0.9}',
    ),
    "a state that nothing takes": (
        "def train(configuration, *, epochs, seed):\n    yield {'left': 1, 'right': 1}, {'x': 1}",
        2, "takes none to continue from; fix: add the argument state=None",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BEFORE)
def test_a_mistake_that_can_be_seen_is_named_before_the_search(
    mistake: str, own: tuple[Path, str]
) -> None:
    source, line, text = BEFORE[mistake]
    with pytest.raises(ValueError) as raised:
        check_function(task(own, source).spec)
    said = str(raised.value)
    assert text in said
    assert f"{own[1]}.py:{line}" in said if line else own[1] in said


# What happens -> the body of the function, and what the last line of the failure says.
REPORT = "trial.report({'left': %s, 'right': 1.0})"
DURING = {
    "a text": (REPORT % "str(1)", "metric 'left' is a str ('1'); fix: report a number, and print"),
    "None": (REPORT % "[None][0]", "metric 'left' is None; fix: report a number, or leave it out"),
    "a bool": (REPORT % "1 > 0", "metric 'left' is a bool (True); fix: report a number, such as"),
    "NumPy's bool": (
        "import numpy\n" + REPORT % "numpy.float64(1) > 0", "fix: report a number, such as float(",
    ),
    "a tensor of several": (
        "import torch\n" + REPORT % "torch.ones(3)",
        "metric 'left' is a Tensor of shape (3,); fix: report one number, such as its .mean()",
    ),
    "a list": (REPORT % "[0.5]", "metric 'left' is a list; fix: report one number under each"),
    "a number without a name": ("trial.report(float(1))", "metrics must be a dict such as"),
    "a name that is no text": ("trial.report({1: 1.0})", "the name of metric 1 is an int (1); fix"),
    "a name that MLflow refuses": (
        "trial.report({'top@1': 1.0})", "metric 'top@1' has no valid name; fix: use at most 250",
    ),
    "too many epochs": (
        "for _ in range(9):\n    " + REPORT % "1.0", "reported epoch 4 of a budget of 3",
    ),
    "nothing": ("pass", "returned without a report; fix: report the metrics of every epoch"),
    "a returned dict": ("return {'left': 1.0}", "reported nothing; fix: trial.report(that dict)"),
    "a module as a checkpoint": (
        "import torch\ntrial.report({}, checkpoint=torch.nn.Linear(1, 1))",
        "checkpoint is of type Linear; fix: pass its .state_dict(), or the path of a folder",
    ),
    "a module in a state": (
        "import torch\ntrial.report({}, checkpoint={'model': torch.nn.Linear(1, 1)})",
        "checkpoint['model'] is a Linear, which torch.load(weights_only=True) refuses; fix: save "
        "its .state_dict()",
    ),
    "an array in a state": (
        "import numpy\ntrial.report({}, checkpoint={'a': [numpy.ones(2)]})",
        "checkpoint['a'][0] is a ndarray, which torch.load(weights_only=True) refuses; fix: save "
        "torch.from_numpy(it)",
    ),
    "a folder that is missing": (
        "trial.report({}, checkpoint='nowhere')", "fix: write it before you report it",
    ),
    "a file": (
        "open('file', 'w').close()\ntrial.report({}, checkpoint='file')",
        "is a file; fix: pass the folder that it is in",
    ),
    "sys.exit": (
        "import sys\nsys.exit('no data')",
        "called sys.exit('no data'); fix: return to end the trial, raise an exception to fail it",
    ),
    "argparse": (
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('data')\nparser.parse_args([])",
        "argparse ended the training function: it read the command line",
    ),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "raised KeyboardInterrupt; fix: return to"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", DURING)
def test_a_mistake_that_shows_in_a_trial_fails_it_at_once_with_its_place(
    mistake: str, own: tuple[Path, str]
) -> None:
    body, text = DURING[mistake]
    source = "def train(configuration, trial):\n" + textwrap.indent(body, "    ")
    result = run(trial_of(task(own, source), config_of(own[0])))[-1]
    assert result["done"] and text in result["failure"].strip().splitlines()[-1]
    assert "Traceback" in result["failure"]
    if mistake not in ("nothing", "a returned dict", "a name that MLflow refuses"):
        assert f'{own[1]}.py", line' in result["failure"]


def test_numbers_of_torch_and_numpy_are_metrics(own: tuple[Path, str]) -> None:
    source = """
        import numpy, torch

        def train(configuration, trial):
            trial.report({"left": torch.tensor(0.5, requires_grad=True), "right": numpy.float32(2)})
    """
    first, second = run(trial_of(task(own, source), config_of(own[0])))
    assert (first["metrics"]["left"], first["metrics"]["right"]) == (0.5, 2.0)
    assert second["failure"] == ""
    assert outcome_of(second, ("left", "right"), 3).state == "complete"


def test_nan_fails_the_trial_with_its_key(own: tuple[Path, str]) -> None:
    source = (
        "def train(configuration, trial):\n    trial.report({'left': float('nan'), 'right': 1})"
    )
    result = run(trial_of(task(own, source), config_of(own[0])))[-1]
    ended = outcome_of(result, ("left", "right"), 3)
    assert (ended.state, ended.reason) == ("failed", "not finite: left")


# What a function does with `trial.data` -> the task's data, and what is said.
OF_DATA = {
    "trial.data.train_images": ("texts", "has no train_images: the task's data are texts (class"),
    "trial.data.train.texts": (
        "images", "has no train: the task's data are images; fix: read one of train_images, ",
    ),
    "trial.data.label_names": ("", "data is None: the task names no data; fix: add task.data"),
    "examples(trial.data, trial.threat)": (
        "texts", "examples is of images, and the task's data are texts (classification); fix: "
        "read trial.data.train.texts",
    ),
}  # fmt: skip
GUARDED = "trial.data.train_images if trial.data is not None else None"


def task_with_data(own: tuple[Path, str], use: str, data: str) -> TaskOnWorker:
    made = task(
        own,
        "from search.robustness import examples\n\ndef train(configuration, trial):\n"
        f"    found = {use}\n    trial.report({{'left': 1, 'right': 1}})\n",
    )
    (own[0] / "texts.csv").write_text("text,label\n" + "well,good\nno,bad\n" * 20)
    settings = {"images": {"name": "digits"}, "texts": {"path": str(own[0] / "texts.csv")}, "": {}}
    named = made.spec.task.model_copy(update={"data": settings[data]})
    return replace(made, spec=made.spec.model_copy(update={"task": named}))


@pytest.mark.parametrize("use", OF_DATA)
def test_a_use_of_data_of_another_kind_is_named_before_the_search(
    use: str, own: tuple[Path, str]
) -> None:
    data, text = OF_DATA[use]
    with pytest.raises(ValueError) as raised:
        check_function(task_with_data(own, use, data).spec)
    assert text in str(raised.value) and f"{own[1]}.py:4" in str(raised.value)


def test_a_function_that_asks_what_its_data_are_may_use_any(own: tuple[Path, str]) -> None:
    for data in ("texts", "images", ""):
        check_function(task_with_data(own, GUARDED, data).spec)
    check_function(task_with_data(own, "trial.data.validation.labels", "texts").spec)
    check_function(task_with_data(own, "examples(trial.data, trial.threat)", "images").spec)


def test_a_threat_to_texts_is_refused_before_the_search(own: tuple[Path, str]) -> None:
    spec = task_with_data(own, "trial.data.kind", "texts").spec
    with pytest.raises(ValueError, match=r"robustness: .* texts \(classification\) .* fix: remove"):
        check_function(spec.model_copy(update={"robustness": Threat(epsilon=0.2)}))


def test_examples_of_texts_or_of_nothing_are_refused(own: tuple[Path, str]) -> None:
    task_with_data(own, "trial.data.kind", "texts")
    texts = load_data({"path": str(own[0] / "texts.csv")}, "classification")
    for data, text in ((texts, "texts; fix: read data.train.texts"), (None, "None; fix: name")):
        with pytest.raises(TypeError, match=text):
            examples(data, Threat())  # type: ignore[arg-type]


def test_the_first_argument_of_a_method_is_no_configuration(own: tuple[Path, str]) -> None:
    source = """
        class Trainer:
            depth = 1
            def fit(self, configuration, trial):
                trial.report({"left": self.depth, "right": configuration["learning"]})
        train = Trainer().fit
    """
    with pytest.raises(ValueError, match="did you mean 'learning_rate'") as raised:
        check_function(task(own, source).spec)
    assert "self" not in str(raised.value)
