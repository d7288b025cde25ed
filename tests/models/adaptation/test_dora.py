import torch

from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import configured, prepare, train

QUERY = "bert.encoder.layer.1.attention.self.query"


def test_the_merged_weight_has_the_trained_magnitudes_and_loras_direction(bert: LoadedBase) -> None:
    configuration = configured("classification", "dora", dora__scaling=0.5)
    adapted = prepare(bert, configuration)
    train(adapted, "classification", range(1, 4))
    state = adapted.state()
    base = dict(bert.fresh(0, configuration, own_copy=False).named_parameters())
    update = state[f"{QUERY}.lora_B.weight"] @ state[f"{QUERY}.lora_A.weight"]
    direction = base[f"{QUERY}.weight"] + 0.5 * update
    magnitudes = state[f"{QUERY}.lora_magnitude_vector.weight"]
    # One magnitude an output: the paper's columns are the rows of torch's weight.
    expected = magnitudes[:, None] * direction / direction.norm(dim=1, keepdim=True)
    torch.testing.assert_close(adapted.merged().get_parameter(f"{QUERY}.weight"), expected)


def test_magnitudes_start_at_the_norms_of_the_pretrained_weight(bert: LoadedBase) -> None:
    configuration = configured("classification", "dora")
    adapted = prepare(bert, configuration)
    base = dict(bert.fresh(0, configuration, own_copy=False).named_parameters())
    magnitudes = adapted.state()[f"{QUERY}.lora_magnitude_vector.weight"]
    torch.testing.assert_close(magnitudes, base[f"{QUERY}.weight"].norm(dim=1))
