"""The hyperparameters of fine-tuning: adaptation, optimization and adversarial training.

Parents come before their children. Each method of adaptation has a learning rate of its own,
because they need different magnitudes (full 1e-5 to 5e-4, LoRA 1e-4 to 5e-3, prefix tuning up to
1e-1).

Sources of the defaults: Devlin et al. 2019, appendix A.3 (full: 5e-5, batch 32); Hu et al. 2022
(LoRA: rank 8 on the attention); Liu et al. 2024 (DoRA); Zhang et al. 2023 (AdaLoRA: initial rank
1.5 times the final one, orthogonality 0.1 to 0.5); Li and Liang 2021 (prefix); Liu et al. 2022
(IA3: 3e-3); Houlsby et al. 2019 (adapters: widths 8 to 256).
"""

from __future__ import annotations

from models.hyperparameters.hyperparameter import Hyperparameter, choice, number
from models.hyperparameters.pixel_training import adversarial_training

METHODS = ("full", "lora", "dora", "adalora", "prefix", "ia3", "adapters")
_RATE = "peak learning rate"
_UNIT = "multiple of the mean norm of the pretrained embeddings"


def _low_rank(method: str) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters that LoRA and DoRA share, under the names of `method`."""
    return (
        number(f"{method}.learning_rate", 1e-3, 1e-7, 1.0, _RATE, adaptation=method),
        number(f"{method}.rank", 8, 1, 512, "rank of each update", adaptation=method),
        *_low_rank_rest(method),
    )


def _low_rank_rest(method: str) -> tuple[Hyperparameter, ...]:
    places = ("attention", "attention_and_mlp")
    return (
        number(f"{method}.scaling", 2.0, 0.01, 64.0, "factor of the update: alpha / rank",
               adaptation=method),
        number(f"{method}.dropout", 0.05, 0.0, 0.95, "share of the update's input dropped",
               adaptation=method),
        choice(f"{method}.modules", "attention", places, "which linear layers adapt",
               adaptation=method),
    )  # fmt: skip


_ADAPTATION = (
    choice("adaptation", "full", METHODS, "which weights train"),
    number("full.learning_rate", 5e-5, 1e-7, 1.0, _RATE, adaptation="full"),
    choice("full.freeze_embeddings", False, (False, True), "embeddings stay as they are",
           adaptation="full"),
    # Howard and Ruder 2018, section 3.2 (discriminative fine-tuning).
    number("full.layer_decay", 1.0, 0.01, 1.0, "rate multiplied per layer below the top",
           adaptation="full"),
    *_low_rank("lora"),
    *_low_rank("dora"),
    number("adalora.learning_rate", 2e-3, 1e-7, 1.0, _RATE, adaptation="adalora"),
    number("adalora.initial_rank", 12, 1, 512, "rank of each update at first",
           adaptation="adalora"),
    number("adalora.rank", 8, 1, 512, "mean rank at the end", adaptation="adalora"),
    *_low_rank_rest("adalora"),
    number("adalora.orthogonality", 0.5, 0.0, 10.0, "weight of the penalty", adaptation="adalora"),
    number("prefix.learning_rate", 1e-2, 1e-7, 1.0, _RATE, adaptation="prefix"),
    number("prefix.tokens", 20, 1, 512, "virtual tokens before the text, each layer",
           adaptation="prefix"),
    number("ia3.learning_rate", 5e-3, 1e-7, 1.0, _RATE, adaptation="ia3"),
    number("adapters.learning_rate", 1e-3, 1e-7, 1.0, _RATE, adaptation="adapters"),
    number("adapters.width", 48, 1, 4096, "units of each bottleneck", adaptation="adapters"),
)  # fmt: skip

_WEIGHT_DECAY = number("weight_decay", 0.01, 0.0, 1.0,
                       "on weights; not on biases and normalisation")  # fmt: skip

_TRAINING = (
    number("batch_size", 32, 1, 8192, "examples per forward pass"),
    number("accumulation", 1, 1, 1024, "batches per optimizer step"),
    _WEIGHT_DECAY,
    choice("schedule", "linear", ("linear", "cosine", "constant"), "learning rate after warm-up"),
    number("warmup_share", 0.1, 0.0, 1.0, "share of the steps in which the rate rises from 0"),
    number("gradient_clip", 1.0, 0.0, 1000.0, "largest gradient norm; 0: off"),
    number("dropout", 0.1, 0.0, 0.95, "share dropped in the transformer and before its head"),
    number("label_smoothing", 0.0, 0.0, 0.9, "probability spread over all classes"),
    choice("gradient_checkpointing", False, (False, True), "less memory for a second forward pass"),
    number("patience", 0, 0, 1000, "epochs without a better one before stopping; 0: off"),
)

_MAX_LENGTH = number("max_length", 128, 8, 32768, "largest number of tokens of a text")
_CLASS_WEIGHTS = choice("class_weights", "none", ("none", "balanced"),
                        "loss weighted by rarity of the class")  # fmt: skip

_SMOOTH = "size of the noise of the smoothness term, " + _UNIT

# Miyato et al. 2017 (FGM); Madry et al. 2018 (PGD); Zhu et al. 2020 (FreeLB, 3 steps); Jiang et al.
# 2020 (SMART, one step, weight 1 and more). Sizes are per token, in units of the embeddings'
# norm: a perturbation of 1 is as long as the token's own embedding.
_EMBEDDING_ADVERSARIAL_TRAINING = (
    choice("adversarial_training", "none", ("none", "fgm", "pgd", "freelb", "smart"),
           "perturbation of the embeddings inside training"),
    number("fgm.epsilon", 0.2, 1e-4, 10.0, _UNIT, adversarial_training="fgm"),
    number("pgd.epsilon", 0.2, 1e-4, 10.0, _UNIT, adversarial_training="pgd"),
    number("pgd.steps", 3, 1, 100, "gradient steps", adversarial_training="pgd"),
    number("pgd.step_size", 0.1, 1e-5, 10.0, _UNIT, adversarial_training="pgd"),
    number("freelb.epsilon", 0.2, 1e-4, 10.0, _UNIT, adversarial_training="freelb"),
    number("freelb.steps", 3, 1, 100, "gradient steps, each of which trains",
           adversarial_training="freelb"),
    number("freelb.step_size", 0.1, 1e-5, 10.0, _UNIT, adversarial_training="freelb"),
    number("freelb.initial", 0.1, 0.0, 10.0, "size of the random start, " + _UNIT,
           adversarial_training="freelb"),
    number("smart.weight", 1.0, 0.0, 1000.0, "weight of the smoothness term",
           adversarial_training="smart"),
    number("smart.epsilon", 0.1, 1e-5, 10.0, _SMOOTH, adversarial_training="smart"),
    number("smart.steps", 1, 1, 100, "gradient steps towards the worst noise",
           adversarial_training="smart"),
    number("smart.step_size", 0.1, 1e-5, 10.0, _UNIT, adversarial_training="smart"),
)  # fmt: skip

_TEXT = (*_ADAPTATION, *_TRAINING, _MAX_LENGTH)
TEXT_CLASSIFIER = (*_TEXT, _CLASS_WEIGHTS, *_EMBEDDING_ADVERSARIAL_TRAINING)
CAUSAL_MODEL = (*_TEXT, *_EMBEDDING_ADVERSARIAL_TRAINING)
# A user's own network over a pretrained model: all that it leaves trainable trains at one rate.
_OF_THE_BASE = ("dropout", "gradient_checkpointing")
TEXT_NETWORK = (
    number("learning_rate", 5e-5, 1e-7, 1.0, _RATE),
    *(each for each in _TRAINING if each.name not in _OF_THE_BASE),
    _MAX_LENGTH,
    _CLASS_WEIGHTS,
    *_EMBEDDING_ADVERSARIAL_TRAINING,
)
VISION_TRANSFORMER = (*_ADAPTATION, *_TRAINING, *adversarial_training(_WEIGHT_DECAY))

# They determine the shape of the trained weights and the function that they compute.
TRANSFORMER_ARCHITECTURE = (
    "adaptation", "lora.rank", "lora.scaling", "lora.modules", "dora.rank", "dora.scaling",
    "dora.modules", "adalora.initial_rank", "adalora.rank", "adalora.scaling", "adalora.modules",
    "prefix.tokens", "adapters.width",
)  # fmt: skip
