"""Correct specs of a CNN and of a function, ways to change them, and the resulting error."""

import copy
from typing import Any

import pytest
import yaml

from models.catalog import DataDescription
from search.spec import SpecError, spec_from_yaml

GOOD = """\
name: digits
task: {data: digits, model: cnn, settings: {batch_size: 64}}
objectives: [&a {metric: accuracy.clean, direction: maximize}, {<<: *a, metric: accuracy.robust}]
space:
  optimizer: {type: categorical, choices: [sgd, adamw]}
  sgd.learning_rate: {type: float, low: 1e-3, high: 0.3, log: true, when: {optimizer: sgd}}
  width: {type: int, low: 16, high: 64, step: 16}
budget: {trials: 16, epochs: 15, hours: null}
"""
PYTHON = """\
name: mine
task: {train: "python:json.decoder:JSONDecoder", settings: {depth: 3}}
objectives: [{metric: score, direction: minimize}]
space: {steps: {type: int, low: 1, high: 9}, use_bias: {type: bool}}
budget: {trials: 2, epochs: 1}
"""
FLOAT = {"type": "float", "low": 0.1, "high": 0.5}
DATA = DataDescription("digits", "digits", (1, 8, 8), 10, 1000, 297, 500, "d057663734dc")


def changed(path: str, value: Any, text: str = GOOD) -> str:
    """Return the good spec with one value replaced at a `/`-separated path."""
    record = yaml.safe_load(text)
    part = record
    *above, last = path.split("/")
    for key in above:
        part = part.setdefault(key, {}) if isinstance(part, dict) else part[int(key)]
    part[last] = copy.deepcopy(value)
    return yaml.safe_dump(record, sort_keys=False)


def error_of(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        spec_from_yaml(text, "wrong.yaml")
    return str(caught.value)
