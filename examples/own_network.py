"""A search over a network that this script defines: from Python, and without a main guard.

Run it with `python examples/own_network.py`; it takes about a minute on two cores. Ctrl-C settles
the trials; run the script with the printed id, `python examples/own_network.py ID`, to go on.
"""

import sys

from torch import nn

import search


def build(configuration, data):
    """Return a small network of one hidden layer; pixels are normalised inside."""
    channels, height, width = data.shape
    hidden = configuration["model.hidden"]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * height * width, hidden),
        nn.ReLU(),
        nn.Linear(hidden, data.classes),
    )


SPEC = {
    "name": "own-network",
    "task": {"data": "digits", "settings": {"optimizer": "adamw"}},
    "objectives": [
        {"metric": "accuracy.clean", "direction": "maximize"},
        {"metric": "accuracy.robust", "direction": "maximize"},
    ],
    "space": {
        "model.hidden": {"type": "int", "low": 8, "high": 128, "log": True},
        "adamw.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-1, "log": True},
    },
    "robustness": {"epsilon": 0.1, "final_examples": 0},
    "budget": {"trials": 6, "epochs": 3},
    "resources": {"parallelism": 2},
}
# Next to where the script is run; without these two, in the folder `results` of the project.
PLACE = {"tracking_uri": "sqlite:///mlflow.db", "results": "results"}

if len(sys.argv) > 1:
    result = search.resume(sys.argv[1], network=build, **PLACE)
else:
    result = search.run(SPEC, network=build, **PLACE)
print(result)
if result.state == "complete":
    print("best:", result.best.configuration)
