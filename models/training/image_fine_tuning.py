"""Fine-tuning of a pretrained vision transformer, trained and evaluated epoch by epoch like a CNN.

Texts: `text_fine_tuning.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from models.adversarial.pixels.attack_memory import AttackMemory
from models.adversarial.threat_model import Threat
from models.data.loading import ImageSplits
from models.data.sources import DataError
from models.hyperparameters.hyperparameter import Value
from models.networks.pixel_input import PixelLogits
from models.networks.transformer import LoadedBase
from models.training.image_batches import ImageBatches
from models.training.image_evaluation import ImageEvaluation
from models.training.image_training import ImageTraining
from models.training.peak_memory import reset_peak_memory
from models.training.transformer_optimization import TransformerOptimization
from models.weights.initial import InitialWeights


class _VisionTransformerOptimization(TransformerOptimization):
    """The optimization of a transformer that classifies images (`ImageOptimization`)."""

    @property
    def model(self) -> nn.Module:
        return PixelLogits(self.adapted.model)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return (self.adapted.model,)

    def classifier(self) -> nn.Module:
        return self.model.eval()

    def kept(self) -> Mapping[str, Tensor]:
        return self.adapted.state()

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        self.adapted.load(kept)


def image_fine_tuning(
    configuration: Mapping[str, Value],
    data: ImageSplits,
    *,
    epochs: int,
    seed: int,
    threat: Threat,
    base: LoadedBase,
    initial: InitialWeights | None = None,
    memory: AttackMemory | None = None,
) -> ImageTraining:
    """Return the training of a vision transformer.

    Args:
        configuration: complete hyperparameters of "vision_transformer".
        data: never written to.
        epochs: the full budget; schedules end with it.
        seed: seed of the head, new weights, the order of examples, dropout and attacks in training.
        threat: how robustness is evaluated; adversarial training uses its norm.
        base: the pretrained model, on the device to train on; it is not changed.
        initial: weights of an earlier trial to start from.
        memory: adversarial examples of the search's other trials, replayed in the last report.

    Raises:
        ValueError: there is no epoch, the method does not fit the model, or there are too few
            examples to cut the validation split.
        DataError: the base was loaded for other classes than the data have.
    """
    if data.label_names != base.label_names:
        raise DataError(
            f"the data have the classes {list(data.label_names)}, but the model was loaded "
            f"for {list(base.label_names)}; fix: load it again"
        )
    reset_peak_memory(base.device)
    evaluation = ImageEvaluation(
        data, threat, base.device, memory=memory, measures_loss=True,
        attacked_training=configuration["adversarial_training"] != "none",
    )  # fmt: skip
    optimization = _VisionTransformerOptimization(
        base, ImageBatches(data, base.device, configuration, threat.norm), configuration,
        epochs=epochs, seed=seed, initial=initial,
    )  # fmt: skip
    return ImageTraining(optimization, evaluation, configuration, epochs=epochs)
