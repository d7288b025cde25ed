"""Networks whose accuracy a search would be deceived by, measured as a search measures a trial.

Each is attacked by the search's own attack on the objective part, then confirmed, as a candidate
for the front is. Masked networks wrap plain CNNs (tests/support/masked_networks.py); an attack on
their open twins, moved to them with jitters, tells how robust they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gradient_masking.run import BASE, EPOCHS, SEEDS, UNWATCHED, honest, trained
from benchmarks.harness.cells import StoredResults
from benchmarks.harness.code_version import models_version, tree_hash
from models.adversarial.checks.search_warnings import doubts, search_warnings
from models.adversarial.pixels.attacks import Ball, margin
from models.adversarial.pixels.evaluation import measure
from models.adversarial.pixels.expectation_attack import jittered
from models.adversarial.pixels.square_attack import square_attack
from models.catalog import Threat, complete
from models.data.loading import ImageSplits, load_images
from models.scores.metric_names import unconfirmed
from models.training.image_evaluation import ImageEvaluation
from models.training.network import network_training
from models.training.work import WorkMeter
from tests.support import masked_networks
from tests.support.masked_networks import MASKED, Masked
from tests.support.networks import resnet, tiny_transformer

THREAT = Threat(epsilon=0.1)
# The attack on a twin: three times the search's steps, and two starts.
_STRONG = Threat(epsilon=0.1, steps=30, restarts=2)
# Points that look the same as what misclassifies a twin: with five networks chosen by bits, none of
# them is by a given one with probability 0.8^30 = 0.001.
_JITTERS = 30
# Of Square, which needs no twin: as many as where the confirmation is warned of something.
_QUERIES = 1500
_NETWORKS = 5  # of which a hash chooses
# The honest networks of the check that are left out for residual ones and transformers.
_LEFT_OUT = (1, 3, 6, 8, 9, 12)
Trained = Callable[[int], nn.Module]


def honest_networks(data: ImageSplits) -> dict[str, Trained]:
    """Return twenty networks by name, each a function of the seed that trains it."""

    def own(builder: Any, configuration: Mapping[str, Any], seed: int) -> nn.Module:
        training = network_training(
            complete("network", configuration), data, epochs=EPOCHS, seed=seed, threat=UNWATCHED,
            builder=builder,
        )  # fmt: skip
        list(training.run())
        return training.classifier()

    found: dict[str, Trained] = {
        ", ".join(f"{key} {value}" for key, value in each.items()): partial(trained, each, data)
        for number, each in enumerate(honest())
        if number not in _LEFT_OUT
    }
    robust = {"adversarial_training": "pgd", "pgd.epsilon": 0.1, "pgd.steps": 5}
    very = {**robust, "pgd.epsilon": 0.3}
    for name, training in (("plain", {}), ("robust", robust), ("very robust", very)):
        shape = {"model.depth": 2, "model.width": 16}
        found[f"residual, {name}"] = partial(own, resnet, shape | training)
    for name, training in (("plain", {}), ("robust", robust)):
        found[f"transformer, {name}"] = partial(
            own, tiny_transformer, {"model.width": 32} | training
        )
    weak = {"width": 8, "normalisation": "none", "dropout": 0.5, "optimizer": "sgd"}
    found["very weak"] = partial(trained, {**weak, "sgd.learning_rate": 0.003}, data)
    assert len(found) == 20
    return found


def searched(model: nn.Module, data: ImageSplits) -> dict[str, Any]:
    """Return what a search measures of a finished network and warns of."""
    torch.manual_seed(0)  # of networks that are random
    meter = WorkMeter(model)
    evaluation = ImageEvaluation(data, THREAT, torch.device("cpu"), attacked_training=False)
    with meter.counting() as work:
        metrics = evaluation.conclude(model)
    attack = work.flop
    found = {**metrics, **evaluation.confirm(model, meter)}
    name = THREAT.metric()
    return {
        "clean": found["accuracy.clean"],
        "search": metrics[name],
        "apgd": found[THREAT.apgd_metric()],
        "kept": found[name],
        "is_replaced": unconfirmed(name) in found,
        "warnings": [each.name for each in search_warnings(found)],
        "is_excluded": bool(doubts(found)),
        "work": found["work.confirmation"] / attack,
    }


def adaptive(model: Masked, data: ImageSplits) -> float:
    """Return the accuracy that the search's attack, Square, and attacks on the twins leave."""
    evaluation = ImageEvaluation(data, THREAT, torch.device("cpu"), attacked_training=False)
    images, labels = evaluation.examples("objective")
    torch.manual_seed(1)
    standing = torch.from_numpy(measure(model, images, labels, THREAT, THREAT.seed).robust)
    generator = torch.Generator().manual_seed(1)
    ball = Ball(images, THREAT.norm, THREAT.epsilon)
    found = [square_attack(model, labels, ball, queries=_QUERIES, seed=1)[0]]
    for twin in model.twins:
        adversarial = measure(twin, images, labels, _STRONG, 1).adversarial_examples
        found += _alike(adversarial, ball, generator)
    for shown in found:
        with torch.no_grad():
            standing &= margin(model(shown), labels) > 0
    return float(standing.float().mean())


def _searched(make: Trained, seed: int, data: ImageSplits) -> dict[str, Any]:
    return searched(make(seed).eval(), data)


def _alike(images: Tensor, ball: Ball, generator: torch.Generator) -> list[Tensor]:
    return [images, *(jittered(images, ball, generator) for _ in range(_JITTERS))]


def measure_in_search(store: StoredResults) -> dict[str, Any]:
    """Return honest networks, and masked ones by name and seed; finished ones are not run again."""
    data = load_images({"name": "digits"})
    code = f"{models_version()}-{tree_hash(Path(str(masked_networks.__file__)))}"

    def kept(name: str, seed: int, found: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        key = {"in search": name, "seed": seed, "code": code}
        result = store.once(key, found)
        print(name, seed, result, flush=True)
        return result

    good = {
        name: kept(name, seed, partial(_searched, make, seed, data))
        for seed, (name, make) in enumerate(honest_networks(data).items())
    }
    bad: dict[str, list[Any]] = {name: [] for name in MASKED}
    for seed in SEEDS:
        few = [
            cache(partial(trained, BASE, data, _NETWORKS * seed + each))
            for each in range(_NETWORKS)
        ]
        for name, wrap in MASKED.items():

            def both(wrap: Any = wrap, few: Any = few) -> dict[str, Any]:
                model = wrap([make() for make in few]).eval()
                return {**searched(model, data), "adaptive": adaptive(model, data)}

            bad[name].append(kept(name, seed, both))
    return {"honest": good, "masked": bad}
