"""A spec's sources are pinned before anything runs, and what they fix is no longer searched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from models.adversarial.checks.search_warnings import JUMPS
from search.spec import SpecError, spec_from_yaml, task_id
from search.transfer.pin_weights import pin
from search.transfer.sources import best_trial, find_trial, front_trials
from tests.support.source_searches import DIGITS, RATE, Shelf, configured, digits_spec

CHOICE = {"type": "categorical", "choices": ["scratch", "SOURCE#0", "SOURCE#2"]}
# Trial 1 is best in the first objective, 2 in the second, 0 in neither.
TRIALS = [
    (configured(2), [0.5, 0.3]), (configured(4), [0.9, 0.4]), (configured(8), [0.7, 0.6]),
]  # fmt: skip


def start(part: dict[str, Any]) -> dict[str, Any]:
    """A space with this part for the initial weights."""
    width = {"type": "int", "low": 2, "high": 8}
    return {"adamw.learning_rate": RATE, "width": width, "initial_weights": part}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def source(shelf: Shelf) -> str:
    plan = shelf.plan(digits_spec("source"))
    shelf.finish(plan, TRIALS)
    return plan.search


def choosing(source: str, *choices: str, **more: Any) -> Any:
    space = start({"type": "categorical", "choices": list(choices)})
    return digits_spec("target", space=space, **more)


def test_a_spec_without_initial_weights_stays_as_it_is(shelf: Shelf) -> None:
    spec = digits_spec("target")
    assert pin(spec, shelf.uri)[0] is spec
    assert "initial_weights" not in spec.fingerprint(None)
    assert "initial_weights" not in spec.to_yaml()


def test_the_best_trial_is_pinned_and_its_architecture_fixed(shelf: Shelf, source: str) -> None:
    spec = digits_spec("target", initial_weights={"from": source})
    pinned, lines = pin(spec, shelf.uri)
    assert pinned.starting_points() == [f"{source}#1"]
    assert list(pinned.space) == ["adamw.learning_rate"]
    settings = pinned.task.settings
    assert (settings["width"], settings["blocks"], settings["kernel_size"]) == (4, 2, 3)
    assert settings["optimizer"] == "adamw" and "dropout" not in settings
    assert any("no longer searched" in line and "width" in line for line in lines)
    fingerprint = pinned.fingerprint(None)
    assert fingerprint["initial_weights"] == f"{source}#1"
    assert fingerprint["settings"] == spec.fingerprint(None)["settings"]
    assert task_id(fingerprint) != task_id(digits_spec("target").fingerprint(None))
    assert pin(pinned, "sqlite:///nowhere")[0] is pinned  # nothing is asked again


def test_the_front_becomes_a_choice(shelf: Shelf, source: str) -> None:
    spec = digits_spec("target", initial_weights={"from": source, "pick": "pareto"})
    pinned = pin(spec, shelf.uri)[0]
    assert pinned.space["initial_weights"].choices == (f"{source}#1", f"{source}#2")
    assert "width" not in pinned.space
    for name, width in ((f"{source}#1", 4), (f"{source}#2", 8)):
        made = pinned.complete({"adamw.learning_rate": 2e-3, "initial_weights": name})
        assert (made["width"], made["initial_weights"]) == (width, name)
    assert "initial_weights" not in pinned.fingerprint(None)


def test_next_to_scratch_the_architecture_is_searched_from_scratch_alone(
    shelf: Shelf, source: str
) -> None:
    pinned = pin(choosing(source, "scratch", f"{source}#0", source), shelf.uri)[0]
    assert pinned.space["initial_weights"].choices == ("scratch", f"{source}#0", f"{source}#1")
    assert pinned.space["width"].when == {"initial_weights": ("scratch",)}
    assert not pinned.space["adamw.learning_rate"].when
    scratch = {"adamw.learning_rate": 2e-3, "initial_weights": "scratch", "width": 6}
    assert pinned.complete(scratch)["width"] == 6
    assert pinned.complete({"adamw.learning_rate": 2e-3, "initial_weights": f"{source}#0"})[
        "width"
    ] == 2  # fmt: skip


def test_a_setting_that_the_checkpoint_contradicts_is_an_error(shelf: Shelf, source: str) -> None:
    task = {
        "name": "digits", "data": "digits", "model": "cnn",
        "settings": {"width": 5, "optimizer": "adamw"},
    }  # fmt: skip
    spec = digits_spec(
        "target", task=task, space={"adamw.learning_rate": RATE}, initial_weights={"from": source}
    )
    with pytest.raises(ValueError, match=r"has width 4, task\.settings has 5"):
        pin(spec, shelf.uri)


def test_nothing_left_to_search_is_an_error(shelf: Shelf, source: str) -> None:
    space = {"width": {"type": "int", "low": 2, "high": 8}}
    spec = digits_spec("target", space=space, initial_weights={"from": source})
    with pytest.raises(ValueError, match="the space has only width, which the checkpoint fixes"):
        pin(spec, shelf.uri)


def test_a_trial_in_doubt_is_a_start_that_is_warned_of(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    plan = shelf.plan(digits_spec("source"))
    shelf.finish(plan, TRIALS[:2], {0: {JUMPS: 0.5}})
    trial = find_trial(shelf.uri, f"{plan.search}#0").trial
    assert (trial.cause, trial.values) == ("masked gradients", ())
    weights = {"from": f"{plan.search}#0"}
    pinned, (first, warning, *_) = pin(digits_spec("t", initial_weights=weights), shelf.uri)
    assert pinned.starting_points() == [f"{plan.search}#0"]
    assert f"(accuracy.clean {TRIALS[0][1][0]:.4f})" in first
    assert f"of {plan.search}#0 is in doubt: the outputs jump (50% of the images)" in warning
    # The others are not: nothing is said of them, and only they are a search's best.
    _, lines = pin(digits_spec("t", initial_weights={"from": plan.search}), shelf.uri)
    assert f"{plan.search}#1" in lines[0] and not any("in doubt" in line for line in lines)


def test_an_unknown_search_or_trial_is_an_error_that_names_the_known_ones(
    shelf: Shelf, source: str
) -> None:
    with pytest.raises(LookupError, match=source):
        pin(digits_spec("target", initial_weights={"from": "nothing"}), shelf.uri)
    with pytest.raises(LookupError, match="no complete trial 7; complete are: 0, 1, 2"):
        pin(digits_spec("target", initial_weights={"from": f"{source}#7"}), shelf.uri)


@pytest.mark.slow
def test_the_best_trial_keeps_the_bounds_of_its_search(tmp_path: Path) -> None:
    shelf, robust = Shelf(tmp_path), {"metric": "accuracy.robust", "direction": "maximize"}
    clean = {"metric": "accuracy.clean", "direction": "maximize"}
    bound = {**robust, "role": "constraint", "bound": 0.5}
    plan = shelf.plan(digits_spec("source", objectives=[clean, bound]))
    values = [[0.8, 0.6], [0.9, 0.4], [0.85, 0.5]]
    shelf.finish(plan, [(configured(4 + n), each) for n, each in enumerate(values)])
    assert best_trial(shelf.uri, plan.search).trial.number == 2


@pytest.mark.slow
def test_where_a_checkpoint_is_gone_the_next_best_is_taken(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    plan = shelf.plan(digits_spec("source"))
    shelf.finish(plan, TRIALS)
    shutil.rmtree(plan.checkpoints(1))
    assert best_trial(shelf.uri, plan.search).trial.number == 2
    assert [each.trial.number for each in front_trials(shelf.uri, plan.search)] == [2]
    named = digits_spec("target", initial_weights={"from": f"{plan.search}#1"})
    with pytest.raises(LookupError, match="no checkpoint of"):
        pin(named, shelf.uri)
    shutil.rmtree(plan.storage / "checkpoints")
    with pytest.raises(LookupError, match="3 complete trials"):
        best_trial(shelf.uri, plan.search)


def test_a_trial_is_found_by_its_run_too(shelf: Shelf, source: str) -> None:
    trial = find_trial(shelf.uri, f"{source}#2").trial
    assert find_trial(shelf.uri, trial.run_id).name == f"{source}#2"
    with pytest.raises(LookupError, match="SEARCH#TRIAL"):
        find_trial(shelf.uri, "0123456789abcdef")


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"initial_weights": {}}, "initial_weights.from: is missing"),
     ({"initial_weights": {"form": "x"}}, "Did you mean `from`"),
     ({"initial_weights": {"from": "x", "pick": "worst"}}, "none of the choices"),
     ({"initial_weights": {"from": "x#1", "pick": "best"}}, "picks nothing"),
     ({"initial_weights": {"from": "x y"}}, "names no search or trial"),
     ({"initial_weights": {"from": "x"}, "space": start(CHOICE)}, "is searched in space too"),
     ({"space": start({"type": "int", "low": 1, "high": 2})}, "must be categorical"),
     ({"space": start(CHOICE | {"choices": ["scratch", 3]})}, "names no search or trial"),
     ({"space": start(CHOICE | {"when": {"width": 2}})}, "is always active"),
     ({"task": {"train": "python:tests.support.functions:hills"}, "space": {"x": RATE},
       "initial_weights": {"from": "x"}}, "does nothing for your own training function")],
)  # fmt: skip
def test_a_mistake_in_a_spec_is_reported_with_its_key(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        digits_spec("target", **changes)


def test_a_users_own_function_may_call_a_hyperparameter_so(shelf: Shelf) -> None:
    task = {"train": "python:tests.support.functions:hills"}
    objectives = [{"metric": "left", "direction": "maximize"}]
    part = {"type": "categorical", "choices": ["scratch", "other"]}
    spec = digits_spec("own", task=task, objectives=objectives, space={"initial_weights": part})
    assert pin(spec, shelf.uri)[0] is spec
    assert spec.starting_points() == []
    assert spec.complete({"initial_weights": "other"}) == {"initial_weights": "other"}


def test_a_pinned_spec_is_read_back_as_it_was_written(shelf: Shelf, source: str) -> None:
    for spec in (
        digits_spec("target", initial_weights={"from": source}),
        choosing(source, "scratch", f"{source}#2"),
    ):
        pinned = pin(spec, shelf.uri)[0]
        assert spec_from_yaml(pinned.to_yaml()) == pinned


RESIDUAL = {"name": "digits", "data": DIGITS, "model": "cnn", "settings": {"optimizer": "adamw"}}
BLOCK = {"type": "categorical", "choices": ["plain", "residual"]}
MIXED = {
    "adamw.learning_rate": RATE,
    "width": {"type": "int", "low": 2, "high": 8},
    "block": BLOCK,
    "blocks": {"type": "int", "low": 1, "high": 2},
    "stages": {"type": "categorical", "choices": ["1-1", "1-1-1"]},
}


def test_a_residual_source_fixes_its_stages_and_takes_blocks_out_of_the_space(
    shelf: Shelf,
) -> None:
    plan = shelf.plan(digits_spec("residual", task=RESIDUAL, space=MIXED))
    trained = {**configured(2), "block": "residual", "stages": "1-1-1"}
    shelf.finish(plan, [(trained, [0.5, 0.3])])
    without = {name: part for name, part in MIXED.items() if name not in ("block", "stages")}
    for space in (MIXED, without):
        spec = digits_spec("t", task=RESIDUAL, space=space, initial_weights={"from": plan.search})
        pinned = pin(spec, shelf.uri)[0]
        assert list(pinned.space) == ["adamw.learning_rate"]
        assert pinned.task.settings["stages"] == "1-1-1"
        assert "blocks" not in pinned.complete({"adamw.learning_rate": 2e-3})
        choice = {"type": "categorical", "choices": ["scratch", f"{plan.search}#0"]}
        spec = digits_spec("t", task=RESIDUAL, space={**space, "initial_weights": choice})
        pinned = pin(spec, shelf.uri)[0]
        assert pinned.space["blocks"].when["initial_weights"] == ("scratch",)
        chosen = {"adamw.learning_rate": 2e-3, "initial_weights": f"{plan.search}#0"}
        assert pinned.complete(chosen)["stages"] == "1-1-1"
