from torch import nn

from models.adaptation.adapted_model import Adapted


def test_a_users_network_trains_whole_though_it_calls_its_parts_as_peft_does() -> None:
    parts = {"pooler": nn.Linear(2, 2), "base_model": nn.ModuleDict({"pooler": nn.Linear(2, 2)})}
    adapted = Adapted("own", nn.ModuleDict(parts), is_whole=True)
    trained = [weight for group in adapted.parameter_groups(0.1) for weight in group["params"]]
    assert len(trained) == 4
    assert adapted.trainable_parameters == 2 * (2 * 2 + 2)
