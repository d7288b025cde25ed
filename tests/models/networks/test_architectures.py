import re
from pathlib import Path

import pytest
from torch import nn

from models.adaptation import adapt
from models.hyperparameters.transformer import METHODS
from models.networks.architectures import ARCHITECTURES, layer_pattern, module_pattern, supported
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import (
    MODELS,
    NAMES,
    configured,
    logits,
    train,
)
from tests.support.tiny_models import tiny_model, tiny_vit


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_every_architecture_takes_the_methods_it_is_said_to(
    tmp_path: Path, model_type: str
) -> None:
    folder = tiny_vit(tmp_path) if model_type == "vit" else tiny_model(tmp_path, model_type)
    base = locate_base(str(folder))
    kind = "images" if model_type == "vit" else "classification"
    loaded = LoadedBase(base, kind, NAMES, image=(1, 8, 8) if kind == "images" else None)
    before = loaded.checksum()
    for method in METHODS:
        if supported(method, model_type, kind) is not None:
            assert method == "prefix"
            continue
        configuration = configured(kind, method)
        model = loaded.fresh(0, configuration, own_copy=method == "full")
        adapted = adapt(model, configuration, steps=4, seed=0)
        train(adapted, kind, range(1, 4))
        merged = adapted.merged()
        if merged is not None:
            difference = logits(merged, kind) - logits(adapted.model, kind)
            assert difference.abs().max() < 1e-4, method
    assert loaded.checksum() == before


def is_matrix(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return weight is not None and weight.ndim == 2


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_patterns_name_every_module_once_a_layer_and_nothing_of_the_head(
    tmp_path: Path, model_type: str
) -> None:
    folder = tiny_vit(tmp_path) if model_type == "vit" else tiny_model(tmp_path, model_type)
    kind = "images" if model_type == "vit" else "classification"
    image = (1, 8, 8) if kind == "images" else None
    model = LoadedBase(locate_base(str(folder)), kind, NAMES, image=image).fresh(
        0, {"dropout": 0.0}, own_copy=False
    )
    parts = ARCHITECTURES[model_type]
    names = (
        *parts.attention,
        parts.attention_output,
        *parts.feed_forward,
        parts.feed_forward_output,
    )
    linear = [name for name, part in model.named_modules() if is_matrix(part)]
    found = [name for name in linear if re.fullmatch(module_pattern(model_type, names), name)]
    assert len(found) == 2 * len(names)
    # They are all the matrices that a layer has.
    assert found == [name for name in linear if re.fullmatch(layer_pattern(model_type), name)]


def test_a_reason_says_what_can_be_used() -> None:
    assert supported("lora", "bert", "entities") is None
    assert supported("full", "an architecture to come", "classification") is None
    reason = supported("ia3", "an architecture to come", "classification")
    assert reason is not None and "use full, or a model of type bert, roberta" in reason
    reason = supported("prefix", "vit", "images")
    assert reason is not None and "use full, lora, dora, adalora, ia3, adapters" in reason
    reason = supported("lora", "vit", "entities")
    assert reason is not None and "only to images; fix: for entities use bert" in reason
    reason = supported("prompt", "bert", "entities")
    assert reason is not None and "choose one of full, lora, dora, adalora, prefix" in reason


def test_a_learning_rate_is_named_after_its_method() -> None:
    for kind in MODELS:
        for method in METHODS:
            configuration = configured(kind, method)
            assert f"{method}.learning_rate" in configuration
