"""What `--set` may change in a spec."""

from pathlib import Path

import pytest

from search.spec import Spec, SpecError, load_spec
from tests.support.spec_documents import GOOD


def set_in(tmp_path: Path, *overrides: str, text: str = GOOD) -> Spec:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    return load_spec(path, overrides)


def test_overrides_replace_values_and_add_keys(tmp_path: Path) -> None:
    spec = set_in(
        tmp_path,
        "budget.trials=4",
        "budget.hours=0.5",
        "space.width.high=128",
        "space.sgd.learning_rate.low=1e-2",
        r"space.sgd\.learning_rate.high=0.2",
        "resources.gpus=0.25",
        "sampler={name: tpe, options: {n_startup_trials: 3}}",
        "sampler.options.multivariate=true",
        "task.settings.batch_size=32",
        "task.settings.label_smoothing=0.1",
        "objectives.1.metric=loss.train",
        "objectives[1].direction=minimize",
        "objectives[1].role=report",
        "space.dropout={type: float, low: 0, high: 0.5}",
        "history.rename.lr=sgd.learning_rate",
    )
    rate = spec.space["sgd.learning_rate"]
    assert (spec.budget.trials, spec.budget.hours, spec.resources.gpus) == (4, 0.5, 0.25)
    assert (spec.space["width"].high, rate.low, rate.high) == (128, 0.01, 0.2)
    assert spec.sampler.options == {"n_startup_trials": 3, "multivariate": True}
    assert spec.task.settings == {"batch_size": 32, "label_smoothing": 0.1}
    assert spec.objectives[1].metric == "loss.train"
    assert spec.objectives[1].role.name == "report"
    assert "dropout" in spec.space and spec.history.rename == {"lr": "sgd.learning_rate"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("budget.trails=4", ["--set  budget.trails", "`trials`", "trials, epochs, hours"]),
        ("bugdet.trials=4", ["bugdet.trials", "`budget`"]),
        ("space.widht.high=4", ["space.widht.high", "`width`"]),
        ("space.sgd.learning_rat.low=1", ["sgd.learning_rat.low", "`sgd.learning_rate`"]),
        ("budget.trials=none", ["--set  budget.trials = 'none'", "whole number"]),
        ("budget.trials.x=3", ["budget.trials.x", "no keys"]),
        ("objectives.7.metric=x", ["objectives.7.metric", "there is no entry 7"]),
        ("budget.trials", ["budget.trials", "not key=value"]),
        ("=3", ["not key=value"]),
        ("name=[", ["name", "not YAML"]),
        pytest.param("name=" + "[" * 20_000, ["name", "not YAML"], id="brackets"),
        ("space.width.high=9999", ["--set  space.width.high = 9999", "1 to 1024"]),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, said: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        set_in(tmp_path, override)
    for words in said:
        assert words in str(caught.value)


def test_an_option_of_a_sampler_without_a_readable_name_is_refused_with_the_name(
    tmp_path: Path,
) -> None:
    with pytest.raises(SpecError, match=r"sampler\.name = \['tpe'\]: is none of the choices"):
        set_in(tmp_path, "sampler.name=[tpe]", "sampler.options.multivariate=true")
