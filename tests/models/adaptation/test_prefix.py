from pathlib import Path

import pytest
import torch
from torch.nn import functional

from models.networks.base_model import locate_base
from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import NAMES, configured, logits, prepare, train
from tests.support.tiny_models import tiny_bert, tiny_model


def test_attention_sees_the_prefix_before_the_text(tmp_path: Path) -> None:
    """The first layer's attention, computed here from the trained prefix."""
    base = locate_base(str(tiny_bert(tmp_path, num_hidden_layers=1)))
    loaded = LoadedBase(base, "entities", NAMES)
    configuration = configured("entities", "prefix", prefix__tokens=3)
    adapted = prepare(loaded, configuration)
    train(adapted, "entities", range(1, 3))
    plain = loaded.fresh(0, configuration, own_copy=False).eval()
    attention = plain.bert.encoder.layer[0].attention
    seen: list[torch.Tensor] = []
    wrapped = adapted.model.base_model.bert.encoder.layer[0].attention.output.dense
    wrapped.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    ids = torch.tensor([[5, 17, 29, 41]])
    with torch.no_grad():
        adapted.model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids))
        # Positions count on from the prefix.
        hidden = plain.bert.embeddings(input_ids=ids, position_ids=torch.arange(3, 7)[None])

        def heads(projected: torch.Tensor) -> torch.Tensor:
            return projected.view(1, -1, 2, 8).transpose(1, 2)  # (batch, heads, tokens, 8)

        queries, keys, values = (heads(getattr(attention.self, part)(hidden)) for part in
                                 ("query", "key", "value"))  # fmt: skip
        prefix = adapted.state()["prompt_encoder.embedding.weight"].view(1, 3, 2, 2, 8)
        keys = torch.cat([prefix[:, :, 0].transpose(1, 2), keys], dim=2)
        values = torch.cat([prefix[:, :, 1].transpose(1, 2), values], dim=2)
        expected = functional.scaled_dot_product_attention(queries, keys, values)
    torch.testing.assert_close(seen[0], expected.transpose(1, 2).reshape(1, 4, 16))


def test_its_size_is_counted_by_hand(bert: LoadedBase) -> None:
    adapted = prepare(bert, configured("classification", "prefix", prefix__tokens=5))
    # Keys and values of 16 numbers in each of 2 layers, 5 times; the head 3x16 and 3.
    assert adapted.trainable_parameters == 5 * 2 * 2 * 16 + 3 * 16 + 3


def test_padding_changes_nothing(gpt2: LoadedBase) -> None:
    adapted = prepare(gpt2, configured("dialogue", "prefix", prefix__tokens=4))
    adapted.model.eval()
    ids = torch.tensor([[5, 17, 29, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 0, 0]])
    padded = adapted.model(input_ids=ids, attention_mask=mask).logits[:, :3]
    bare = adapted.model(input_ids=ids[:, :3], attention_mask=mask[:, :3]).logits
    torch.testing.assert_close(padded, bare)


def test_prefix_and_text_longer_than_the_positions_are_refused(bert: LoadedBase) -> None:
    fits = configured("classification", "prefix", prefix__tokens=48)  # 48 + 16 = 64 positions
    assert logits(prepare(bert, fits).model, "classification").shape == (3, 3)
    with pytest.raises(ValueError, match="exceed the 64 positions of the model"):
        prepare(bert, configured("classification", "prefix", prefix__tokens=49))


def test_unused_rows_of_robertas_positions_are_not_counted(tmp_path: Path) -> None:
    base = locate_base(str(tiny_model(tmp_path, "roberta", max_position_embeddings=66)))
    loaded = LoadedBase(base, "classification", NAMES)
    prepare(loaded, configured("classification", "prefix", prefix__tokens=48))
    with pytest.raises(ValueError, match="exceed the 64 positions"):
        prepare(loaded, configured("classification", "prefix", prefix__tokens=49))


def test_gradient_checkpointing_is_refused(bert: LoadedBase) -> None:
    configuration = configured("classification", "prefix", gradient_checkpointing=True)
    with pytest.raises(ValueError, match="set gradient_checkpointing: false"):
        prepare(bert, configuration)


@pytest.mark.parametrize("model_type", ["distilbert", "deberta-v2"])
def test_attention_that_takes_no_cache_is_refused(tmp_path: Path, model_type: str) -> None:
    base = locate_base(str(tiny_model(tmp_path, model_type)))
    loaded = LoadedBase(base, "classification", NAMES)
    with pytest.raises(
        ValueError, match=f"{model_type}'s does not; fix: use full, lora, .* or a model"
    ):
        prepare(loaded, configured("classification", "prefix"))
