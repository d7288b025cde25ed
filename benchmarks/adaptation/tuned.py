"""The second part of the adaptation benchmark: a tuned search against untuned fine-tuning.

A cold search of 12 trials by the project's own sampler, asked and told in this process, one trial
after the other; the only objective is validation accuracy. Its best configuration, and full
fine-tuning as the catalog has it, are then trained with three seeds that no trial had, and compared
on the test split, example by example.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import optuna
from numpy.typing import ArrayLike
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from benchmarks.adaptation.training import Setting, base, data, fit, quality
from benchmarks.harness.code_version import sampler_version
from benchmarks.harness.statistics import Estimate, bootstrap
from search.apply import WarmStartSampler
from search.apply.proposal_source import seed_of
from search.space import SearchSpace

TASK = "trec6"
TRIALS = 12
FINAL_SEEDS = (101, 102, 103)
# Full fine-tuning as the catalog has it: learning rate 5e-5, batches of 32.
UNTUNED: dict[str, Any] = {"adaptation": "full"}

# Fixed before anything was trained: three methods that a user would narrow down to, each with its
# learning rate over about the papers' range, and what else is usually tuned.
SPACE = SearchSpace(
    {
        "adaptation": CategoricalDistribution(("full", "lora", "adapters")),
        "full.learning_rate": FloatDistribution(2e-5, 1e-3, log=True),
        "full.layer_decay": FloatDistribution(0.6, 1.0),
        "lora.learning_rate": FloatDistribution(3e-4, 1e-2, log=True),
        "lora.rank": IntDistribution(4, 32, log=True),
        "adapters.learning_rate": FloatDistribution(3e-4, 1e-2, log=True),
        "batch_size": CategoricalDistribution((16, 32)),
        "dropout": FloatDistribution(0.0, 0.2),
        "label_smoothing": FloatDistribution(0.0, 0.2),
    },
    {
        "full.learning_rate": {"adaptation": ("full",)},
        "full.layer_decay": {"adaptation": ("full",)},
        "lora.learning_rate": {"adaptation": ("lora",)},
        "lora.rank": {"adaptation": ("lora",)},
        "adapters.learning_rate": {"adaptation": ("adapters",)},
    },
)


def search(setting: Setting, trials: int = TRIALS, seed: int = 0) -> list[dict[str, Any]]:
    """Return the search's trials in order: "configuration" and a training's record each.

    Every trial is kept when it is done. The sampler depends on its seed and the trials so far
    alone, so a resumed search proposes the same configurations and finds them trained.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    store = setting.store()
    sampler = WarmStartSampler(None, SPACE, seed, task=TASK, objectives=[quality(TASK)])
    study = optuna.create_study(sampler=sampler, direction="maximize")
    done: list[dict[str, Any]] = []
    for number in range(trials):
        trial = study.ask()
        configuration = SPACE.suggest(trial)
        own_seed = seed_of(seed, "benchmarks.adaptation", number) % 2**31
        own_key = setting.key(TASK, "trial", configuration=configuration, seed=own_seed)
        fitted = store.once(own_key, partial(_fitted, setting, configuration, own_seed))
        record = fitted | {"configuration": configuration}
        value = float(record["curve"][-1][quality(TASK)])
        if math.isnan(value):
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, value)
        done.append(record)
        print(f"trial {number + 1} of {trials}: {value:.3f} {configuration}", flush=True)
    return done


def _fitted(setting: Setting, configuration: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return fit(setting, TASK, configuration, seed)[1]


def final(
    setting: Setting, arm: str, configuration: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Return a final training's record with "test" (metrics) and "correct" (0 or 1 an example)."""
    own_key = setting.key(TASK, "final", configuration=dict(configuration), seed=seed)

    def measured() -> dict[str, Any]:
        training, record = fit(setting, TASK, configuration, seed)
        return record | {
            "arm": arm, "configuration": dict(configuration), "test": training.evaluate_test(),
            "correct": _correct(setting, training),
        }  # fmt: skip

    return setting.store().once(own_key, measured)


def key(setting: Setting) -> dict[str, Any]:
    """Return the key of the whole comparison, which is kept once it is done."""
    what = {"trials": TRIALS, "seeds": FINAL_SEEDS, "space": SPACE.to_json()}
    return setting.key(TASK, "tuned", **what, sampler=sampler_version())


def paired(tuned: ArrayLike, untuned: ArrayLike) -> Estimate:
    """Return tuned less untuned accuracy and its 95 % interval, by test examples.

    Args:
        tuned: 0 or 1 of shape `(seeds, examples)`: which test examples were classified correctly.
        untuned: The same of the other arm, on the same examples in the same order.

    The difference of an example is that of its means over seeds; the interval is a percentile
    bootstrap over examples. It covers other test examples, not other seeds.
    """
    difference = np.asarray(tuned).mean(axis=0) - np.asarray(untuned).mean(axis=0)
    return bootstrap(difference, np.mean)


def _correct(setting: Setting, training: Any) -> list[int]:
    # Imported here: only a worker needs torch.
    from models.networks.tokenizer import load_tokenizer
    from models.training.text.encoding import Encoder
    from models.training.text.predict import class_logits

    examples, loaded = data(setting, TASK).test, base(setting, TASK)
    length = int(training.configuration["max_length"])
    tokenizer = load_tokenizer(loaded.base.folder)
    encoder = Encoder(tokenizer, loaded.kind, loaded.label_names, length)
    logits = class_logits(training.model, encoder, encoder.encode(examples.texts))
    predicted = logits.argmax(dim=-1).tolist()
    return [int(p == truth) for p, truth in zip(predicted, examples.labels, strict=True)]
