"""The options of `twentieth attack`; the attacks themselves are in test_robust_search.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from models.catalog import TextThreat, Threat
from search.cli import attack
from search.cli.attack import AttackRequest, attack_trial, epsilon_of
from search.cli.verify import verify_trial


def source(**changes: Any) -> Any:
    """A trial as it is found in the store."""
    fields = {
        "name": "digits-1#7", "has_checkpoint": True, "checkpoints": "/gone", "check_data": str,
        "fingerprint": {"data": {"name": "digits"}},
        "spec": SimpleNamespace(task=SimpleNamespace(trains="cnn"), robustness=Threat()),
    }  # fmt: skip
    return SimpleNamespace(**fields | changes)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets `find_trial` find what a test gives it."""

    def know(found: Any) -> None:
        monkeypatch.setattr(attack, "find_trial", lambda *_: found)

    return know


def test_an_epsilon_may_be_a_number_or_a_fraction() -> None:
    assert epsilon_of("0.1", "linf") == 0.1
    assert epsilon_of("8/255", "linf") == 8 / 255
    assert epsilon_of("2", "l2") == 2.0


@pytest.mark.parametrize("text", ["", "x", "0", "-0.1", "1/0", "8/", "nan", "inf"])
def test_an_epsilon_that_is_no_positive_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a positive number"):
        epsilon_of(text, "linf")


def test_grey_levels_are_not_taken_for_pixels() -> None:
    with pytest.raises(ValueError, match="did you mean 8/255"):
        epsilon_of("8", "linf")
    with pytest.raises(ValueError, match="less than 1"):
        epsilon_of("300/255", "linf")


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (AttackRequest(attack="pdg"), "--attack 'pdg': choose one of all, fgsm"),
        (AttackRequest(split="train"), "--split 'train': choose one of test"),
        (AttackRequest(norm="l1"), "--norm 'l1': choose one of linf, l2"),
    ],
)
def test_an_unknown_option_is_answered_with_the_valid_ones(
    asked: AttackRequest, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        list(attack_trial("", "digits-1#7", asked))


def test_for_a_model_of_texts_the_message_names_its_attacks(known: Any) -> None:
    task = SimpleNamespace(trains="text_classifier")
    known(source(spec=SimpleNamespace(task=task, robustness=TextThreat())))
    for attempt in (attack_trial("", "sst-1#7", AttackRequest()), verify_trial("", "sst-1#7")):
        with pytest.raises(ValueError, match="'characters' or 'words'"):
            list(attempt)


def test_a_trial_without_checkpoint_cannot_be_attacked(known: Any) -> None:
    known(source(has_checkpoint=False))
    with pytest.raises(LookupError, match=r"no checkpoint of digits-1#7 is left in /gone"):
        list(attack_trial("", "digits-1#7", AttackRequest()))


def test_without_its_package_an_attack_says_how_to_install_it(
    known: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.adversarial.pixels.autoattack.is_installed", lambda: False)
    known(source())
    with pytest.raises(ValueError, match=r"\[autoattack\]"):
        list(attack_trial("", "digits-1#7", AttackRequest(attack="square")))


def test_another_norm_takes_the_default_epsilon_or_asks_for_one(known: Any) -> None:
    (threat,) = attack._threats(source(), Threat(), AttackRequest(norm="l2"))
    assert (threat.norm, threat.epsilon) == ("l2", 0.2)
    (own,) = attack._threats(source(), Threat(), AttackRequest(norm="linf"))
    assert own == Threat()
    unknown = source(fingerprint={"data": {"name": "shapes"}})
    with pytest.raises(ValueError, match="add --epsilon"):
        list(attack._threats(unknown, Threat(), AttackRequest(norm="l2")))
