"""The initial model of a fine-tuning: a base, weights of an earlier trial, an adaptation.

The weights of an earlier trial are described in `initial.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.adaptation import adapt
from models.adaptation.adapted_model import Adapted
from models.hyperparameters.hyperparameter import Value
from models.networks.own_text import OwnTextNetwork
from models.networks.transformer import LoadedBase
from models.weights.initial import InitialWeights, apply_initial


def start(
    base: LoadedBase | OwnTextNetwork,
    configuration: Mapping[str, Value],
    *,
    steps: int,
    seed: int,
    initial: InitialWeights | None = None,
) -> Adapted:
    """Return the base under its adaptation, with the weights of an earlier trial if given.

    Weights that were merged into a plain model go below the adaptation; an adaptation's own
    (prefix, adapters) only fit the same adaptation. The base is not changed.

    Args:
        base: on the device to train on; of a user's own network, its builder.
        configuration: complete hyperparameters.
        steps: steps of the training, for AdaLoRA's schedule.
        seed: seed of the head and of new weights.
        initial: weights of an earlier trial; None: none.

    Raises:
        ValueError: the method or the weights do not fit the model.
    """
    if isinstance(base, OwnTextNetwork):
        network = base.fresh(seed, configuration)
        if initial is not None:
            apply_initial(network, initial, base.label_names)
        return Adapted("own", network.to(base.device), is_whole=True)
    own_copy = configuration["adaptation"] == "full" or initial is not None
    model = base.fresh(seed, configuration, own_copy=own_copy)
    if initial is not None and initial.is_merged:
        apply_initial(model, initial, base.label_names)
    adapted = adapt(model, configuration, steps=steps, seed=seed)
    adapted.model.to(base.device)  # the method draws new weights on the CPU
    if initial is not None and not initial.is_merged:
        apply_initial(adapted.model, initial, base.label_names)
    return adapted
