"""Trains the networks of the gradient-masking benchmark and runs the checks on each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness.cells import StoredResults
from benchmarks.harness.code_version import models_version, tree_hash
from models.adversarial.checks import gradient_masking_attacks
from models.adversarial.checks.gradient_masking import check
from models.adversarial.checks.gradient_masking_gradients import gradient_warnings
from models.adversarial.checks.gradient_masking_outputs import output_warnings
from models.adversarial.pixels import evaluation
from models.adversarial.pixels.attacks import Ball
from models.adversarial.pixels.evaluation import correct
from models.catalog import Threat, complete
from models.data.loading import ImageSplits, load_images
from models.training.network import network_training
from tests.support import broken_defences, tiny_classifiers
from tests.support.broken_defences import WRAPPED, steep_tanh

THREATS = {
    "linf 0.1": Threat(epsilon=0.1),
    "linf 0.2": Threat(epsilon=0.2),
    "l2 0.5": Threat(norm="l2", epsilon=0.5),
}
EPOCHS = 12
IMAGES = 128
SEEDS = (0, 1, 2)
# Training picks its epoch by the cheap measurement; the full one is not used.
UNWATCHED = Threat(steps=1, examples=1, cheap_steps=1, cheap_examples=128)
# The network under every broken defence that wraps one.
BASE: dict[str, Any] = {"width": 16, "normalisation": "batch"}


def honest() -> list[dict[str, Any]]:
    """Return twenty configurations of the small CNN, by seed; fixed before any was checked."""
    none, batch, group = ({"normalisation": name} for name in ("none", "batch", "group"))
    sgd = {"optimizer": "sgd", "sgd.learning_rate": 0.05}
    return [
        {**none, "width": 16},
        {**batch, "width": 16},
        {**group, "width": 16, "activation": "gelu"},
        {**none, "width": 8, "activation": "tanh"},
        {**batch, "width": 16, "activation": "tanh"},
        {**batch, "width": 24, "activation": "silu", **sgd},
        {**none, "width": 24, "label_smoothing": 0.2},
        {**group, "width": 8, "dropout": 0.4},
        {**none, "width": 16, "activation": "silu", "blocks": 3},
        {**group, "width": 16, "activation": "tanh", **sgd},
        {**none, **_attacked("fgsm", 0.05), "activation": "gelu"},
        {**batch, **_attacked("fgsm", 0.1), **sgd},
        {**none, **_attacked("fgsm", 0.1), "width": 24},
        {**batch, **_attacked("pgd", 0.03)},
        {**none, **_attacked("pgd", 0.1)},
        {**batch, **_attacked("pgd", 0.1), "activation": "tanh"},
        {**group, **_attacked("pgd", 0.15), "activation": "silu"},
        {**batch, **_attacked("pgd", 0.2), "width": 24},
        {**none, **_attacked("pgd", 0.2), "activation": "tanh"},
        {**batch, **_attacked("pgd", 0.1), "label_smoothing": 0.1, "dropout": 0.2},
    ]


def _attacked(method: str, epsilon: float) -> dict[str, Any]:
    steps = {"pgd.steps": 5} if method == "pgd" else {}
    return {"width": 16, "adversarial_training": method, f"{method}.epsilon": epsilon, **steps}


def trained(configuration: Mapping[str, Any], data: ImageSplits, seed: int) -> nn.Module:
    """Return a network after a short training, in eval mode."""
    configuration = complete("cnn", configuration)
    training = network_training(configuration, data, epochs=EPOCHS, seed=seed, threat=UNWATCHED)
    list(training.run())
    return training.classifier()


def _wrapped(wrap: Callable[[nn.Module], nn.Module], base: Callable[[], nn.Module]) -> nn.Module:
    return wrap(base())


def _checked(
    model: Callable[[], nn.Module], images: Tensor, labels: Tensor, threat: str
) -> dict[str, Any]:
    return checked(model(), images, labels, THREATS[threat])


def checked(model: nn.Module, images: Tensor, labels: Tensor, threat: Threat) -> dict[str, Any]:
    """Return clean accuracy, the warnings (name -> measured) and the seconds of `check`."""
    clean = float(correct(model, images, labels).mean())
    began = time.perf_counter()
    warnings = check(model, images, labels, threat, seed=0)
    seconds = time.perf_counter() - began
    raised = {warning.name: warning.measured for warning in warnings}
    return {"clean": clean, "warnings": raised, "seconds": seconds}


def costs(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Return the seconds of each check on one honest network under L-infinity 0.1."""
    threat = THREATS["linf 0.1"]
    ball = Ball(images, threat.norm, threat.epsilon)
    right = torch.from_numpy(correct(model, images, labels))
    shown, truth = images[right], labels[right]
    white_box = evaluation.robust_correct(model, shown, truth, threat, 0)
    attacks = gradient_masking_attacks
    work: dict[str, Callable[[], Any]] = {
        "outputs": lambda: output_warnings(model, images),
        "gradients": lambda: gradient_warnings(model, images, labels, ball, 0),
        "the white-box attack itself": lambda: evaluation.robust_correct(
            model, shown, truth, threat, 0
        ),
        "one step and many": lambda: attacks.one_and_many_steps(model, shown, truth, threat),
        "Square": lambda: attacks.black_box(model, shown, truth, threat, white_box, 0),
        "other sizes": lambda: attacks.grid(model, shown, truth, threat, white_box, 0),
    }
    seconds = {}
    for name, run in work.items():
        began = time.perf_counter()
        run()
        seconds[name] = time.perf_counter() - began
    return seconds


def measure(store: StoredResults, threats: Sequence[str]) -> dict[str, Any]:
    """Return honest and broken networks by name, each checked by threat, and the checks' cost."""
    data = load_images({"name": "digits"})
    images = torch.tensor(data.validation_images[:IMAGES]).float() / data.scale
    labels = torch.tensor(data.validation_labels[:IMAGES])
    code = code_version()

    def kept(name: str, build: Callable[[], nn.Module]) -> dict[str, Any]:
        model = cache(build)
        found = {}
        for threat in threats:
            key = {"model": name, "threat": threat, "code": code}
            found[threat] = store.once(key, partial(_checked, model, images, labels, threat))
        print(name, {threat: list(found[threat]["warnings"]) for threat in threats}, flush=True)
        return found

    good = {}
    for seed, configuration in enumerate(honest()):
        name = f"{seed}: " + ", ".join(f"{key} {value}" for key, value in configuration.items())
        good[name] = kept(name, partial(trained, configuration, data, seed))
    bad: dict[str, list[Any]] = {name: [] for name in (*WRAPPED, "steep tanh", "steep tanh, batch")}
    for seed in SEEDS:
        base = cache(partial(trained, BASE, data, seed))
        for name, wrap in WRAPPED.items():
            bad[name].append(kept(f"{name} {seed}", partial(_wrapped, wrap, base)))
        for name, way in (("steep tanh", "none"), ("steep tanh, batch", "batch")):
            network = partial(steep_tanh, data, seed, normalisation=way)
            bad[name].append(kept(f"{name} {seed}", network))
    seconds = costs(trained(BASE, data, 0), images, labels)
    return {"honest": good, "broken": bad, "seconds": seconds}


def code_version() -> str:
    """Return the hash of what decides a result: the models, and the broken defences."""
    places = [Path(str(each.__file__)) for each in (broken_defences, tiny_classifiers)]
    return f"{models_version()}-{tree_hash(*places)}"
