from pathlib import Path

import pytest

from models.adaptation import adapt
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import NAMES, configured, prepare
from tests.support.tiny_models import tiny_model


def scale_of(adapted: object, name: str) -> float:
    return float(adapted.scales[name])  # type: ignore[attr-defined]


def test_rates_fall_layer_by_layer_to_the_embeddings(bert: LoadedBase) -> None:
    configuration = configured("classification", "full", full__layer_decay=0.5)
    adapted = prepare(bert, configuration)
    layer = "bert.encoder.layer.{}.attention.self.query.weight"
    assert scale_of(adapted, "classifier.weight") == 1.0
    assert scale_of(adapted, "bert.pooler.dense.weight") == 1.0
    assert scale_of(adapted, layer.format(1)) == 1.0
    assert scale_of(adapted, layer.format(0)) == 0.5
    assert scale_of(adapted, "bert.embeddings.word_embeddings.weight") == 0.25
    # Two layers below each other and embeddings, each with and without decay.
    groups = {(g["scale"], g["weight_decay"]) for g in adapted.parameter_groups(0.1)}
    assert groups == {(scale, decay) for scale in (1.0, 0.5, 0.25) for decay in (0.1, 0.0)}


def test_biases_and_norms_are_not_decayed(bert: LoadedBase) -> None:
    adapted = prepare(bert, configured("classification", "full"))
    groups = [group for group in adapted.parameter_groups(0.1) if not group["weight_decay"]]
    spared = {id(weight) for group in groups for weight in group["params"]}
    for name, weight in adapted.model.named_parameters():
        assert (id(weight) in spared) == (name.endswith("bias") or "LayerNorm" in name)


def test_embeddings_can_stay_frozen(bert: LoadedBase) -> None:
    configuration = configured("classification", "full", full__freeze_embeddings=True)
    adapted = prepare(bert, configuration)
    frozen = {n for n, weight in adapted.model.named_parameters() if not weight.requires_grad}
    assert frozen == {name for name in adapted.scales if name.startswith("bert.embeddings.")}
    assert len(frozen) == 5  # words, positions, token types, weight and bias of the norm


@pytest.mark.parametrize("model_type", ["xlm-roberta", "distilbert", "deberta-v2", "gpt2", "llama"])
def test_depths_are_right_in_any_architecture(tmp_path: Path, model_type: str) -> None:
    # NOTE: XLM-RoBERTa lists its head before its body, GPT-2 calls its embeddings wte and wpe.
    base = locate_base(str(tiny_model(tmp_path, model_type)))
    loaded = LoadedBase(base, "classification", NAMES)
    adapted = prepare(loaded, configured("classification", "full", full__layer_decay=0.5))
    for name, scale in adapted.scales.items():
        if ".0." in name:
            assert scale == 0.5, name
        elif "embed" in name or ".wte." in name or ".wpe." in name:
            assert scale == 0.25, name
        else:
            assert scale == 1.0, name


def test_an_architecture_without_an_entry_can_be_fine_tuned_in_full(tmp_path: Path) -> None:
    base = locate_base(str(tiny_model(tmp_path, "mpnet")))
    loaded = LoadedBase(base, "classification", NAMES)
    configuration = configured("classification", "full", full__layer_decay=0.5)
    scales = prepare(loaded, configuration).scales
    assert scales["mpnet.encoder.layer.0.attention.attn.q.weight"] == 0.5
    with pytest.raises(ValueError, match="lora needs the module names of a 'mpnet'"):
        prepare(loaded, configured("classification", "lora"))


def test_a_model_that_shares_its_weights_is_refused(bert: LoadedBase) -> None:
    configuration = configured("classification", "full")
    shared = bert.fresh(0, configuration, own_copy=False)
    with pytest.raises(ValueError, match="own_copy=True"):
        adapt(shared, configuration, steps=1, seed=0)
