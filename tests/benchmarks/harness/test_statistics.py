"""The intervals of all benchmarks, by hand and by an independent reference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.harness.statistics import (
    bootstrap,
    bootstrap_ratio,
    bootstrap_weights,
    mean_interval,
)


def test_a_paired_interval_is_students() -> None:
    # 1, 2, 3: mean 2, standard error 1 / sqrt(3), t(0.975, 2) = 4.3027.
    assert mean_interval([1, 2, 3]) == pytest.approx((2, 2 - 2.4841, 2 + 2.4841), abs=1e-3)
    assert mean_interval([1.0]) == (1.0, -np.inf, np.inf)


def test_a_bootstrap_interval_is_the_percentile_interval_of_scipy() -> None:
    sample = np.random.default_rng(1).normal(size=30)
    reference = stats.bootstrap(
        (sample,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    middle, low, high = bootstrap(sample, np.mean)
    assert middle == pytest.approx(sample.mean())
    # Ends of an interval from 10,000 resamples: a standard error of about 2.7 % of the sample's
    # standard error each; 0.2 of it is more than 5 sigmas of the difference of two.
    error = sample.std(ddof=1) / np.sqrt(len(sample))
    assert (low, high) == pytest.approx((reference.low, reference.high), abs=0.2 * error)


def test_the_same_sample_and_seed_have_the_same_interval_and_another_seed_another() -> None:
    sample = np.random.default_rng(1).normal(size=9)
    assert bootstrap(sample) == bootstrap(sample)
    assert bootstrap(sample, np.mean, seed=1) != bootstrap(sample, np.mean, seed=2)


def test_the_ratio_of_proportional_samples_is_certain() -> None:
    sample = np.array([1.0, 2.0, 4.0])
    assert bootstrap_ratio(3 * sample, sample) == pytest.approx((3.0, 3.0, 3.0))


def test_the_weights_of_a_resample_add_up_to_one() -> None:
    weights = bootstrap_weights(7, seed=0)
    assert weights.shape == (2000, 7)
    assert weights.sum(axis=1) == pytest.approx(np.ones(2000))
