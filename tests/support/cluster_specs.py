"""A spec in a project folder, as a launch on a cluster finds it."""

from __future__ import annotations

from pathlib import Path

SPEC = """
name: hills
task: {data: %s, model: cnn, settings: {optimizer: adamw}}
objectives: [{metric: accuracy.clean, direction: maximize}]
space: {adamw.learning_rate: {type: float, low: 1e-3, high: 1e-2}}
budget: {trials: 2, epochs: 2}
resources: {parallelism: 2}
scheduler: {name: none}
robustness: {epsilon: 0.1}
"""


def written(folder: Path, data: str = "digits") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "spec.yaml"
    path.write_text(SPEC % data)
    return path
