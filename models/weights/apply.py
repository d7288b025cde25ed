"""The model that a fine-tuning starts from: a base, weights of an earlier trial, an adaptation.

Not for what the weights of an earlier trial are: `initial.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.adaptation import adapt
from models.adaptation.adapted import Adapted
from models.hyperparameters.hyperparameter import Value
from models.networks.transformer import LoadedBase
from models.weights.initial import InitialWeights, apply_initial


def start(
    base: LoadedBase,
    configuration: Mapping[str, Value],
    *,
    steps: int,
    seed: int,
    initial: InitialWeights | None = None,
) -> Adapted:
    """The base under its adaptation, with the weights of an earlier trial where they are given.

    Weights that were merged into a plain model go below the adaptation; an adaptation's own
    (prefix, adapters) can only go into the same adaptation. The base is left as it was.

    Args:
        base: on the device to train on.
        configuration: complete.
        steps: of the training, which AdaLoRA plans by.
        seed: of the head and of new weights.
        initial: from an earlier trial; None: none.

    Raises:
        ValueError: the method cannot be taken by the model, or the weights do not fit it.
    """
    own_copy = configuration["adaptation"] == "full" or initial is not None
    model = base.fresh(seed, configuration, own_copy=own_copy)
    if initial is not None and initial.is_merged:
        apply_initial(model, initial, base.label_names)
    adapted = adapt(model, configuration, steps=steps, seed=seed)
    adapted.model.to(base.device)  # what the method added was drawn on the CPU
    if initial is not None and not initial.is_merged:
        apply_initial(adapted.model, initial, base.label_names)
    return adapted
