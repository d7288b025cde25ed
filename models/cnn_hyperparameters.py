"""What the small CNN understands: its shape, its optimizer and its adversarial training.

Parents stand before their children. The defaults are the classic small CNN: two blocks of 32 and
64 filters 3x3 with pooling, a fully connected layer of 128, plain training.
"""

from __future__ import annotations

from models.hyperparameter import Value, choice, number

_FGSM: dict[str, tuple[Value, ...]] = {"adversarial_training": ("fgsm",)}
_PGD: dict[str, tuple[Value, ...]] = {"adversarial_training": ("pgd",)}
_ADVERSARIAL: dict[str, tuple[Value, ...]] = {"adversarial_training": ("fgsm", "pgd")}

# Attacks on pixels inside training; a vision transformer takes the same.
PIXEL_ADVERSARIAL_TRAINING = (
    choice("adversarial_training", "none", ("none", "fgsm", "pgd"), "attack inside training"),
    number("fgsm.epsilon", 0.1, 1e-4, 10.0, "size on the pixel scale [0, 1]", **_FGSM),
    # Wong et al. 2020, section 4.1: 1.25 epsilon from a random start; longer steps overfit.
    number("fgsm.step_size", 1.25, 0.01, 4.0, "multiple of fgsm.epsilon", **_FGSM),
    number("pgd.epsilon", 0.1, 1e-4, 10.0, "size on the pixel scale [0, 1]", **_PGD),
    # Madry et al. 2018, section 5: 7 steps of a quarter of epsilon on CIFAR-10.
    number("pgd.steps", 7, 1, 100, "gradient steps", **_PGD),
    number("pgd.step_size", 0.25, 0.01, 4.0, "multiple of pgd.epsilon", **_PGD),
    number("adversarial_share", 1.0, 0.01, 1.0, "share of a batch attacked", **_ADVERSARIAL),
)

CNN = (
    choice("optimizer", "adamw", ("sgd", "adamw"), "SGD with Nesterov momentum, or AdamW"),
    number("sgd.learning_rate", 0.05, 1e-6, 10.0, "peak learning rate", optimizer=("sgd",)),
    number("sgd.momentum", 0.9, 0.0, 0.999, "Nesterov momentum; 0: plain SGD", optimizer=("sgd",)),
    number("adamw.learning_rate", 2e-3, 1e-7, 1.0, "peak learning rate", optimizer=("adamw",)),
    number("weight_decay", 1e-4, 0.0, 1.0, "on weights; not on biases and normalisation"),
    choice("schedule", "cosine", ("constant", "cosine", "one_cycle"), "learning rate over steps"),
    number("batch_size", 64, 2, 8192, "examples per step"),
    number("label_smoothing", 0.0, 0.0, 0.9, "probability spread over all classes"),
    number("gradient_clip", 0.0, 0.0, 1000.0, "largest gradient norm; 0: off"),
    choice("augmentation", "none", ("none", "shift", "shift_flip"), "random shifts, mirroring"),
    number("blocks", 2, 1, 8, "blocks of convolution, normalisation, activation, pooling"),
    number("width", 32, 1, 1024, "filters of the first block, doubled in each next one"),
    choice("kernel_size", 3, (1, 3, 5, 7), "side of the filters in pixels"),
    choice("activation", "relu", ("relu", "gelu", "silu", "tanh"), "non-linearity"),
    choice("normalisation", "none", ("none", "batch", "group"), "after each convolution"),
    number("dropout", 0.0, 0.0, 0.95, "share of the fully connected layer dropped"),
    number("fully_connected_width", 128, 1, 8192, "units before the logits"),
    *PIXEL_ADVERSARIAL_TRAINING,
)

# What fixes the shape of the weights and what they compute.
CNN_ARCHITECTURE = (
    "blocks",
    "width",
    "kernel_size",
    "activation",
    "normalisation",
    "fully_connected_width",
)
