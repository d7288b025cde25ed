"""The hyperparameters of the small CNN: architecture, optimizer, and choice of the final weights.

Parents come before their children. The defaults are the classic small CNN: two blocks of 32 and 64
filters 3x3 with pooling, a fully connected layer of 128, plain training. Two residual networks of
the literature are points of the space, at width 64 with batch normalisation: ResNet-18 for small
images (`block: residual`) and ResNet-9 (`downsampling: pool, stages: 1-0-1`); see
`models/networks/residual.py`. The hyperparameters of adversarial training are in
`pixel_training.py`.
"""

from __future__ import annotations

from models.hyperparameters.hyperparameter import choice, number
from models.hyperparameters.pixel_training import adversarial_training

# He et al. 2016: 2-2-2-2 and 3-4-6-3 are ResNet-18 and ResNet-34; for CIFAR-10, from width 16,
# 3-3-3 and 5-5-5 are ResNet-20 and ResNet-32 (theirs without convolutions in shortcuts). Page 2018:
# 1-0-1 is ResNet-9. 1-1-1-1 is known as ResNet-10. The others fill the gaps for small images.
_STAGES = ("1-1", "1-0-1", "1-1-1", "2-2-2", "3-3-3", "5-5-5", "1-1-1-1", "2-2-2-2", "3-4-6-3")

_WEIGHT_DECAY = number("weight_decay", 1e-4, 0.0, 1.0,
                       "on weights; not on biases and normalisation")  # fmt: skip

CNN = (
    choice("optimizer", "adamw", ("sgd", "adamw"), "SGD with Nesterov momentum, or AdamW"),
    number("sgd.learning_rate", 0.05, 1e-6, 10.0, "peak learning rate", optimizer="sgd"),
    number("sgd.momentum", 0.9, 0.0, 0.999, "Nesterov momentum; 0: plain SGD", optimizer="sgd"),
    number("adamw.learning_rate", 2e-3, 1e-7, 1.0, "peak learning rate", optimizer="adamw"),
    _WEIGHT_DECAY,
    choice("schedule", "cosine", ("constant", "cosine", "one_cycle", "step"),
           "learning rate over steps"),
    # Rice et al. 2020 divide by ten after 100 and 150 of 200 epochs: 0.5. Pang et al. 2021 do after
    # 100 and 105 of 110: 0.909.
    number("step.start", 0.5, 0.0, 0.99,
           "share of the steps before the rate falls to a tenth; the second fall, to a hundredth, "
           "is halfway from there to the end", schedule="step"),
    number("batch_size", 64, 2, 8192, "examples per step"),
    number("label_smoothing", 0.0, 0.0, 0.9, "probability spread over all classes"),
    number("gradient_clip", 0.0, 0.0, 1000.0, "largest gradient norm; 0: off"),
    choice("augmentation", "none", ("none", "shift", "shift_flip"), "random shifts, mirroring"),
    choice("block", "plain", ("plain", "residual"), "one convolution, or two and a shortcut"),
    number("blocks", 2, 1, 8, "blocks of convolution, normalisation, activation, pooling",
           block="plain"),
    choice("downsampling", "stride", ("stride", "pool"), "as ResNet-18, or ResNet-9",
           block="residual"),
    choice("stages", "2-2-2-2", _STAGES, "residual blocks of each stage", block="residual"),
    number("width", 32, 1, 1024,
           "filters of the first convolution, doubled in each further block or stage"),
    choice("kernel_size", 3, (1, 3, 5, 7), "side of the filters in pixels"),
    choice("activation", "relu", ("relu", "gelu", "silu", "tanh"), "non-linearity"),
    choice("normalisation", "none", ("none", "batch", "group"), "after each convolution"),
    number("dropout", 0.0, 0.0, 0.95, "share of the last linear layer's inputs dropped"),
    number("fully_connected_width", 128, 1, 8192, "units before the logits", block="plain"),
    choice("weight_averaging", "none", ("none", "ema", "swa"), "weights that are evaluated"),
    # Chosen: an average over about a hundred steps, for budgets of a few hundred.
    number("ema.decay", 0.99, 0.9, 0.9999, "share kept of the average at a step",
           weight_averaging="ema"),
    # Izmailov et al. 2018, section 4.1: averaging begins at 75 % of the budget.
    number("swa.start", 0.75, 0.0, 0.99, "share of the epochs before the first one averaged",
           weight_averaging="swa"),
    number("patience", 0, 0, 1000, "epochs without a better one before stopping; 0: off"),
    *adversarial_training(_WEIGHT_DECAY, free=True),
)  # fmt: skip

# They determine the shape of the weights and the function that they compute.
CNN_ARCHITECTURE = (
    "block", "blocks", "downsampling", "stages", "width", "kernel_size", "activation",
    "normalisation", "fully_connected_width",
)  # fmt: skip

# Those of training alone, for a user's own network.
NETWORK = tuple(each for each in CNN if each.name not in (*CNN_ARCHITECTURE, "dropout"))
