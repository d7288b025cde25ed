"""The hyperparameters of adversarial training on images, for the CNN and the vision transformer.

The methods are in `models/adversarial/pixels/training.py` and `free_training.py`. Sizes are on the
pixel scale [0, 1], in the norm of the threat; they are hyperparameters, the threat's epsilon is
not.

Two settings of any training are here, too, because adversarial training wants others: weight decay
and the mode of batch normalisation under the attack (Pang et al. 2021). The late fall of the
learning rate (Rice et al. 2020) is a schedule, in `cnn.py`.
"""

from __future__ import annotations

from dataclasses import replace

from models.hyperparameters.hyperparameter import Hyperparameter, choice, number

_ATTACKED = ("fgsm", "pgd", "trades", "mart")
_SIZE = "size on the pixel scale [0, 1]"


def _several_steps(method: str, steps: int) -> tuple[Hyperparameter, ...]:
    """Return epsilon, number of steps and step size of an iterative attack."""
    return (
        number(f"{method}.epsilon", 0.1, 1e-4, 10.0, _SIZE, adversarial_training=method),
        number(f"{method}.steps", steps, 1, 100, "gradient steps", adversarial_training=method),
        # Madry et al. 2018 (section 5) take a quarter of epsilon on CIFAR-10, and the authors' code
        # of MART 0.007 of 0.031.
        number(f"{method}.step_size", 0.25, 0.01, 4.0, f"multiple of {method}.epsilon",
               adversarial_training=method),
    )  # fmt: skip


_CRAFTED = (
    number("fgsm.epsilon", 0.1, 1e-4, 10.0, _SIZE, adversarial_training="fgsm"),
    # Wong et al. 2020, section 4.1: 1.25 epsilon from a random start; longer steps overfit.
    number("fgsm.step_size", 1.25, 0.01, 4.0, "multiple of fgsm.epsilon",
           adversarial_training="fgsm"),
    *_several_steps("pgd", 7),  # Madry et al. 2018, section 5
    *_several_steps("trades", 10),  # as the authors' code
    # Zhang et al. 2019, section 5: 1/lambda is 1 or 6; the larger, the more robust.
    number("trades.beta", 6.0, 0.0, 1000.0, "weight of the divergence",
           adversarial_training="trades"),
    *_several_steps("mart", 10),  # as the authors' code
    number("mart.beta", 6.0, 0.0, 1000.0, "weight of the divergence", adversarial_training="mart"),
    # TRADES and MART weight clean and adversarial images by beta instead.
    number("adversarial_share", 1.0, 0.01, 1.0, "share of a batch attacked",
           adversarial_training=("fgsm", "pgd")),
    choice("crafting_mode", "eval", ("eval", "train"),
           "mode of the model while images are crafted: eval uses the running statistics of batch "
           "normalisation and leaves them alone, train uses those of the batch and updates them",
           adversarial_training=_ATTACKED),
)  # fmt: skip
_FREE = (
    number("free.epsilon", 0.1, 1e-4, 10.0, _SIZE, adversarial_training="free"),
    # The authors' code uses four on ImageNet.
    number("free.replays", 4, 1, 100, "steps per batch, each of which trains",
           adversarial_training="free"),
)  # fmt: skip


def adversarial_training(
    weight_decay: Hyperparameter, *, free: bool = False
) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters of adversarial training.

    The last one is its own weight decay, by default that of plain training: Pang et al. 2021 lose
    more than seven points of robust accuracy by a slightly different one (abstract); their choice
    is 5e-4, that of TRADES 2e-4, for SGD at a peak rate of 0.1.

    Args:
        weight_decay: That of plain training.
        free: Whether with the free method. It makes several optimizer steps per batch, which
            accumulation and warm-up of fine-tuning do not support; transformers do not have it.
    """
    methods = (*_ATTACKED, "free") if free else _ATTACKED
    own_weight_decay = replace(
        weight_decay,
        name=f"adversarial_{weight_decay.name}",
        meaning=f"takes the place of {weight_decay.name} in adversarial training",
        when={"adversarial_training": methods},
        default_from=weight_decay.name,
    )
    return (
        choice("adversarial_training", "none", ("none", *methods), "attack inside training"),
        *_CRAFTED,
        *(_FREE if free else ()),
        own_weight_decay,
    )
