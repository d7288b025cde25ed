"""The training of a network on images: the built-in CNN, or a user's own network.

A pretrained vision transformer: `image_fine_tuning.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.hyperparameters.hyperparameter import Value
from models.networks import cnn
from models.networks.builder import Builder, build, network_data
from models.training.image_evaluation import ImageEvaluation
from models.training.image_training import ImageTraining
from models.training.network_optimization import NetworkOptimization
from models.weights.initial import InitialWeights, apply_initial


def network_training(
    configuration: Mapping[str, Value],
    data: ImageSplits,
    *,
    epochs: int,
    seed: int,
    threat: Threat,
    device: str = "cpu",
    initial: InitialWeights | None = None,
    memory: AttackMemory | None = None,
    builder: Builder = cnn.build,
) -> ImageTraining:
    """Return the training of a network.

    Args:
        configuration: complete hyperparameters of "cnn", or of "network" with its own.
        data: three splits of uint8 images; never written to.
        epochs: the full budget; schedules end with it.
        seed: seed of the initial weights, the order of examples, augmentation, dropout and attacks.
        threat: how robustness is evaluated; adversarial training uses its norm.
        device: where to train. On CUDA the forward passes of training use mixed precision.
        initial: weights of an earlier trial to start from; rows of labels that it lacks, and all
            other random numbers, are as without it.
        memory: adversarial examples of the search's other trials, replayed in the last report.
        builder: builds the network; the built-in CNN's if not given.

    Raises:
        ValueError: there are fewer than one epoch or two training examples, too few to cut the
            validation split, or the initial weights are of another architecture.
    """
    if epochs < 1 or len(data.train_labels) < 2:
        problem = f"{epochs} epochs over {len(data.train_labels)} examples"
        raise ValueError(f"{problem}; fix: give at least one epoch and two examples")
    evaluation = ImageEvaluation(
        data, threat, torch.device(device), memory=memory,
        attacked_training=configuration["adversarial_training"] != "none",
    )  # fmt: skip
    model = build(builder, configuration, network_data(data), seed).to(device)
    if initial is not None:
        apply_initial(model, initial, data.label_names)
    optimization = NetworkOptimization(
        model, configuration, data, epochs=epochs, seed=seed,
        norm=threat.norm, device=torch.device(device),
    )  # fmt: skip
    return ImageTraining(optimization, evaluation, configuration, epochs=epochs)
