"""Acquisition: closed forms against Monte Carlo; order and finiteness where it cannot tell."""

from __future__ import annotations

import mpmath  # comes with torch
import numpy as np
import pytest

from search.apply.acquisition import (
    SUM_SHARE,
    Draws,
    Predicted,
    expected_hypervolume_improvement,
    expected_scalar_improvement,
    log_acquisition_value,
    log_expected_improvement,
)
from search.objectives import pareto

# Estimates may be five standard errors off: a false alarm in 1.7 million comparisons.
SIGMAS = 5


def log_improvement(mean, variance, best):
    return float(log_expected_improvement(np.array([mean]), np.array([variance]), best)[0])


@pytest.mark.parametrize("mean", [-1.0, 0.0, 0.4, 1.5])
@pytest.mark.parametrize("variance", [0.09, 1.0])
def test_expected_improvement_is_that_of_monte_carlo(mean, variance):
    draws = mean + np.sqrt(variance) * np.random.default_rng(0).standard_normal(200_000)
    gains = np.maximum(0.3 - draws, 0.0)
    error = gains.std() / np.sqrt(len(gains))
    found = np.exp(log_improvement(mean, variance, 0.3))
    assert found == pytest.approx(gains.mean(), abs=SIGMAS * error + 1e-12)


def _exactly(z):
    """Returns log(phi(z) + z Phi(z)) with enough digits for the cancellation."""
    with mpmath.workdps(80):
        z = mpmath.mpf(z)
        return float(mpmath.log(mpmath.npdf(z) + z * mpmath.ncdf(z)))


@pytest.mark.parametrize("z", [8.0, 1.0, 0.0, -0.999, -1.001, -5.0, -40.0, -200.0, -999.0])
def test_its_logarithm_is_exact_far_into_the_tail(z):
    # log EI is differenced between candidates, so an absolute error of 1e-6 changes no choice.
    assert log_improvement(-z, 1.0, 0.0) == pytest.approx(_exactly(z), abs=1e-6)


@pytest.mark.parametrize("z", [-1_001.0, -5_000.0])
def test_beyond_what_cancels_its_logarithm_is_still_exact(z):
    # phi(z) / z^2 has a relative error of 3 / z^2; the logarithm is near 1e7.
    assert log_improvement(-z, 1.0, 0.0) == pytest.approx(_exactly(z), abs=1e-4)


def test_it_falls_as_a_candidate_gets_worse_and_stays_finite():
    worse = np.r_[np.linspace(-10, 100, 2_000), np.geomspace(101, 1e7, 2_000)]
    found = log_expected_improvement(worse, np.ones(len(worse)), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) < 0).all()


def test_it_rises_with_the_variance_of_an_equally_good_candidate():
    variances = np.geomspace(1e-10, 1e4, 500)
    found = log_expected_improvement(np.full(500, 0.2), variances, 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


FRONT = np.array([[0.1, 0.8], [0.4, 0.5], [0.45, 0.45], [0.9, 0.05]])
REFERENCE = np.array([1.0, 1.0])


def expected(mean, variance, known=FRONT):
    rows = np.array([mean]), np.array([variance])
    return float(expected_hypervolume_improvement(*rows, known, REFERENCE)[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mean", "variance"),
    [
        ((0.2, 0.2), (0.01, 0.04)),
        ((0.5, 0.6), (0.25, 0.0625)),
        ((0.95, 0.9), (0.01, 0.04)),
        ((-0.3, 1.4), (0.25, 0.0625)),
    ],
    ids=["inside", "wide", "dominated", "end"],
)
def test_hypervolume_improvement_is_that_of_monte_carlo(mean, variance):
    draws = mean + np.sqrt(variance) * np.random.default_rng(1).standard_normal((3_000, 2))
    before = pareto.hypervolume(FRONT, REFERENCE)
    gains = [pareto.hypervolume(np.vstack([FRONT, draw]), REFERENCE) - before for draw in draws]
    error = np.std(gains) / np.sqrt(len(gains))
    assert expected(mean, variance) == pytest.approx(np.mean(gains), abs=SIGMAS * error + 1e-6)


def test_a_certain_candidate_gains_its_own_area():
    # By hand: (0.3, 0.4) adds the strip x from 0.3 to 0.4 and y from 0.4 to 0.8, which is 0.04;
    # from 0.4 to 0.45 the front is at 0.5: 0.005; from 0.45 to 0.9 at 0.45: 0.0225.
    assert expected((0.3, 0.4), (1e-16, 1e-16)) == pytest.approx(0.0675, abs=1e-7)


def test_dominated_trials_do_not_matter_nor_do_those_beyond_the_reference():
    more = np.vstack([FRONT, [0.95, 0.9], [0.4, 0.5], [0.05, 2.0], [3.0, 0.0]])
    plain = expected((0.3, 0.3), (0.04, 0.04))
    assert expected((0.3, 0.3), (0.04, 0.04), more) == pytest.approx(plain, abs=1e-12)


def test_without_a_front_the_gain_is_the_product_of_two_improvements():
    ahead = [np.exp(log_improvement(mean, 0.04, 1.0)) for mean in (0.3, 0.6)]
    found = expected((0.3, 0.6), (0.04, 0.04), np.array([[2.0, 2.0]]))
    assert found == pytest.approx(ahead[0] * ahead[1], rel=1e-9)


def test_a_bad_candidate_is_finite_and_gains_almost_nothing():
    assert 0.0 <= expected((1e3, 1e3), (1e-4, 1e-4)) < 1e-12


def test_three_objectives_compare_certain_candidates_as_their_scalars_do():
    known = np.array([[0.2, 0.9, 0.5], [0.8, 0.1, 0.6]])
    candidates = np.array([[0.1, 0.05, 0.4], [0.3, 0.3, 0.3], [0.9, 0.95, 0.7]])
    for seed in range(5):
        found = expected_scalar_improvement(
            candidates, np.full((3, 3), 1e-18), known, np.random.default_rng(seed)
        )
        # By hand from ParEGO's definition, with the weights this seed draws first.
        weights = np.random.default_rng(seed).dirichlet(np.ones(3))
        scalar = [
            max(weights * (row - known.min(axis=0)))
            + SUM_SHARE * sum(weights * (row - known.min(axis=0)))
            for row in (*known, *candidates)
        ]
        gains = [max(min(scalar[:2]) - each, 0.0) for each in scalar[2:]]
        assert found == pytest.approx(gains, abs=1e-7)
        assert found[0] > 0  # better than every trial in everything
        assert found[2] == 0  # worse than one in everything


def predicted(means, variances, known, ceilings=(), is_feasible=None, **more):
    count = len(known)
    return Predicted(
        np.array(means, float), np.array(variances, float), np.array(known, float),
        np.array(ceilings, float), np.ones(count, bool) if is_feasible is None else is_feasible,
        **more,
    )  # fmt: skip


def promised(*arguments, **more):
    return log_acquisition_value(predicted(*arguments, **more), np.random.default_rng(0))


def test_without_constraints_the_acquisition_value_is_the_improvement():
    one = promised([[0.4], [1.5]], [[1.0], [1.0]], [[0.3], [0.5]])
    assert one.tolist() == [log_improvement(0.4, 1.0, 0.3), log_improvement(1.5, 1.0, 0.3)]
    means, variances, known = [[0.0, 0.0]], [[1.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]
    two = promised(means, variances, known)
    expected = expected_hypervolume_improvement(
        np.array(means), np.array(variances), np.array(known), np.array([1.1, 1.1])
    )
    assert np.exp(two) == pytest.approx(expected)


def test_under_a_constraint_the_improvement_is_multiplied_by_the_probability_of_feasibility():
    # The constraint is N(2, 4) and kept up to 0, one standard deviation off: probability 0.1587.
    found = promised([[0.4, 2.0]], [[1.0, 4.0]], [[0.3, -1.0]], ceilings=[0.0])
    assert found[0] == pytest.approx(log_improvement(0.4, 1.0, 0.3) + np.log(0.158655), abs=1e-5)
    # Two objectives and two such constraints: the product.
    plain = promised([[0.0, 0.0]], [[1.0, 1.0]], [[0.5, 0.5]])
    both = promised([[0.0, 0.0, 2.0, 2.0]], [[1.0, 1.0, 4.0, 4.0]], [[0.5, 0.5, -1.0, -1.0]],
                    ceilings=[0.0, 0.0])  # fmt: skip
    assert both[0] == pytest.approx(plain[0] + 2 * np.log(0.158655), rel=1e-4)


def test_only_feasible_trials_are_to_be_improved_on():
    known = [[-9.0, 5.0], [0.3, -1.0]]
    found = promised([[0.4, -99.0]], [[1.0, 1.0]], known, ceilings=[0.0],
                     is_feasible=np.array([False, True]))  # fmt: skip
    assert found[0] == pytest.approx(log_improvement(0.4, 1.0, 0.3))


def test_while_no_trial_is_feasible_the_most_probably_feasible_candidate_is_best():
    found = promised([[-9.0, 2.0], [9.0, 1.0]], [[1.0, 1.0]] * 2, [[0.0, 3.0]], ceilings=[0.0],
                     is_feasible=np.array([False]))  # fmt: skip
    assert found[1] > found[0]


def test_a_candidate_as_uncertain_as_the_best_trial_next_to_it_promises_little():
    """Both may be better than predicted, but only together."""
    near, far = promised(
        [[0.5], [0.5]], [[1.0], [1.0]], [[0.5], [0.9]], difference_variances=np.array([1e-4, 2.0])
    )
    assert near == pytest.approx(log_improvement(0.5, 1e-4, 0.5))
    assert far == pytest.approx(log_improvement(0.5, 2.0, 0.5))


def test_of_two_objectives_the_gain_is_the_mean_over_draws_of_the_trials_values():
    means, variances = np.array([[[0.2, 0.3]], [[0.1, 0.6]]]), np.array([[0.04, 0.09]])
    known = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.4, 0.8], [0.7, 0.2]]])
    gains = [
        expected_hypervolume_improvement(each, variances, front, front.max(axis=0) + 0.1)[0]
        for each, front in zip(means, known, strict=True)
    ]
    found = promised(
        [[9.0, 9.0]], [[1.0, 1.0]], [[0.5, 0.5], [0.6, 0.4]], draws=Draws(known, means, variances)
    )
    assert np.exp(found[0]) == pytest.approx(np.mean(gains))
