"""Training functions that are right, however they are written: nothing is said of them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from search.optimize.function_check import check_function
from tests.support.own_functions import task
from tests.support.stepped_trials import config_of, run, trial_of

pytestmark = pytest.mark.usefixtures("quick_collection")

SOUND = {
    "a key that is asked for": """
        momentum = configuration["momentum"] if "momentum" in configuration else 0.9
        trial.report({"left": momentum, "right": 1})
    """,
    "a key that may be missing": """
        try:
            momentum = configuration["momentum"]
        except KeyError:
            momentum = 0.9
        trial.report({"left": momentum, "right": 1})
    """,
    "a default": """
        configuration.setdefault("momentum", 0.9)
        trial.report({"left": configuration["momentum"], "right": 1})
    """,
    "a dict of its own": """
        configuration = {"momentum": 0.9} | configuration
        trial.report({"left": configuration["momentum"], "right": 1})
    """,
    "an inner function": """
        def build(configuration):
            return configuration["depth"]
        trial.report({"left": build({"depth": 1}), "right": 1})
    """,
    "metrics that are known at run time": """
        names = {"left": 1, **{"right": 1}}
        for _ in range(trial.epoch, trial.epochs):
            trial.report(names, checkpoint={"names": [1]})
    """,
    "another function that reports": """
        def loop(trial):
            trial.report({"left": 1, "right": 1})
        trial.folder.mkdir(exist_ok=True)
        loop(trial)
    """,
    "an objective of the last epoch": """
        for epoch in range(trial.epochs - 1):
            trial.report({"loss": 1})
        trial.report({"left": 1, "right": 1})
    """,
    "a method that has the name of a built-in function": """
        class Sensor:
            def input(self):
                return 1
        trial.report({"left": Sensor().input(), "right": 1})
    """,
    "a trial of Optuna's as well": """
        if hasattr(trial, "suggest_float"):
            rate = trial.suggest_float("rate", 0, 1)
        trial.report({"left": 1, "right": 1})
    """,
}


@pytest.mark.parametrize("body", SOUND)
def test_a_sound_function_has_no_mistake(body: str, own: tuple[Path, str]) -> None:
    source = "def train(configuration, trial):\n" + textwrap.indent(
        textwrap.dedent(SOUND[body]), "    "
    )
    check_function(task(own, source).spec)
    results = run(trial_of(task(own, source), config_of(own[0])))
    assert results[-1]["failure"] == ""
