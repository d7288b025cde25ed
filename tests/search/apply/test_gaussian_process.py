"""The Gaussian process, against scikit-learn's, finite differences and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    DotProduct,
    Matern,
    WhiteKernel,
)
from sklearn.linear_model import Ridge

from search.apply import gaussian_process as ours
from search.apply import gp_fit

N = 15
GROUPS = np.array([0, 1, 1])  # the last two columns share a lengthscale
# Lengthscales, signal variance, noise variance, weight of a block.
PARAMETERS = np.log([0.4, 0.9, 1.7, 0.05, 0.6])
# Equal up to rounding: the algebra is the same, in another order.
EQUAL = {"rel": 1e-6, "abs": 1e-8}


@pytest.fixture
def data():
    generator = np.random.default_rng(3)
    points, elsewhere = generator.random((N, 3)), generator.random((20, 3))
    values = np.sin(5 * points[:, 0]) + points[:, 1] + 0.1 * generator.standard_normal(N)
    return points, values, elsewhere


def fixed(parameters):
    """Makes a prior with given means, which are the parameters if no step is taken."""
    return gp_fit.Prior(parameters, np.ones_like(parameters))


def theirs(points, values, with_block):
    """scikit-learn's process with the same parameters; a block of the points is a dot product."""
    first, second, signal, noise, weight = np.exp(PARAMETERS)
    kernel = ConstantKernel(signal) * Matern([first, second, second], nu=2.5)
    if with_block:
        kernel += ConstantKernel(weight) * DotProduct(sigma_0=0.0, sigma_0_bounds="fixed")
    process = GaussianProcessRegressor(
        kernel + WhiteKernel(noise), alpha=ours.JITTER, optimizer=None
    )
    return process.fit(points, values - values.mean())


@pytest.mark.parametrize("with_block", [False, True])
def test_posterior_and_evidence_are_those_of_scikit_learn(data, with_block):
    points, values, elsewhere = data
    parameters = PARAMETERS if with_block else PARAMETERS[:-1]
    blocks, there = ([points], [elsewhere]) if with_block else ([], [])
    process = gp_fit.fit(points, values, GROUPS, fixed(parameters), blocks, steps=0)
    oracle = theirs(points, values, with_block)
    mean, variance = process.predict(elsewhere, there)
    expected_mean, expected_spread = oracle.predict(elsewhere, return_std=True)
    assert mean == pytest.approx(expected_mean + values.mean(), **EQUAL)
    assert process.mean(elsewhere, there) == pytest.approx(mean, **EQUAL)
    # scikit-learn gives the variance of a measurement, we that of the function.
    assert variance == pytest.approx(expected_spread**2 - process.noise, **EQUAL)
    # At the prior's means the prior adds nothing, and the constant is left out.
    expected = oracle.log_marginal_likelihood_value_ + N / 2 * np.log(2 * np.pi)
    assert process.evidence == pytest.approx(expected, **EQUAL)


def test_away_from_its_means_the_prior_costs_half_the_squared_distance(data):
    points, values, _ = data
    at_means = gp_fit._Posterior(points, values, GROUPS, fixed(PARAMETERS[:4]), [])
    spreads = np.array([1.0, 2.0, 0.5, 1.0])
    shifted = gp_fit.Prior(PARAMETERS[:4] + np.array([1.0, 2.0, 0.0, 3.0]), spreads)
    away = gp_fit._Posterior(points, values, GROUPS, shifted, [])
    # (1/1)^2 + (2/2)^2 + 0 + (3/1)^2 = 11
    cost = away(PARAMETERS[:4])[0] - at_means(PARAMETERS[:4])[0]
    assert cost == pytest.approx(11 / 2)


@pytest.mark.parametrize("blocks", [0, 1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_finite_differences(data, blocks, seed):
    points, values, _ = data
    generator = np.random.default_rng(seed)
    features = [generator.standard_normal((N, 2)) for _ in range(blocks)]
    prior = gp_fit.usual_prior(2, blocks)
    posterior = gp_fit._Posterior(points, values, GROUPS, prior, features)
    at = prior.means + generator.standard_normal(len(prior.means))
    # Differences over 1.5e-8 are exact to some 1e-6 of a cost around 10; gradients are of order 1.
    error = check_grad(lambda x: posterior(x)[0], lambda x: posterior(x)[1], at)
    assert error < 1e-4 * max(1.0, float(np.abs(posterior(at)[1]).max()))


def test_fitting_finds_more_probable_parameters_and_stays_at_them(data):
    points, values, _ = data
    prior = gp_fit.usual_prior(2)
    start = gp_fit.fit(points, values, GROUPS, prior, steps=0)
    found = gp_fit.fit(points, values, GROUPS, prior, steps=200)
    assert found.evidence > start.evidence
    posterior = gp_fit._Posterior(points, values - values.mean(), GROUPS, prior, [])
    slope = posterior(found.parameters)[1]
    # L-BFGS-B stops at 1e-5, or where the cost moves by less than 2e-9 of itself.
    assert np.abs(slope).max() < 1e-2


@pytest.mark.slow
def test_fitted_noise_is_near_that_of_the_data():
    generator = np.random.default_rng(0)
    points = generator.random((150, 1))
    values = np.sin(6 * points[:, 0]) + 0.3 * generator.standard_normal(150)
    process = gp_fit.fit(points, values, np.array([0]), gp_fit.usual_prior(1), steps=50)
    # A variance of 0.09 from 150 values has a standard error of 0.09 * sqrt(2 / 150) = 0.0104; four
    # of them are missed with a chance of 6e-5, and the smooth part takes a few degrees of freedom.
    assert process.noise == pytest.approx(0.09, abs=4 * 0.0104)


def test_left_out_means_are_those_of_refits(data):
    points, values, _ = data
    process = ours.assemble(points, values, GROUPS, [points], PARAMETERS, 0.3)
    expected = []
    for index in range(N):
        kept = np.arange(N) != index
        without = ours.assemble(points[kept], values[kept], GROUPS, [points[kept]], PARAMETERS, 0.3)
        expected.append(without.mean(points[[index]], [points[[index]]])[0])
    assert process.left_out_means() == pytest.approx(np.array(expected), **EQUAL)


def test_coefficients_of_a_block_recover_known_weights(data):
    points, _, _ = data
    features = np.random.default_rng(1).standard_normal((N, 3))
    known = np.array([1.5, 0.0, -2.0])
    noise, weight = 1e-4, 2.0
    # With next to no signal variance nothing but the block explains the values.
    parameters = np.log([1.0, 1.0, 1e-9, noise, weight])
    process = ours.assemble(points, features @ known, GROUPS, [features], parameters, 0.0)
    found = process.coefficients(0)
    # Shrunk by about noise / (weight * n) = 3e-6.
    assert found == pytest.approx(known, abs=1e-4)
    # Exactly, they are those of ridge regression.
    ridge = Ridge(alpha=(noise + ours.JITTER) / weight, fit_intercept=False, solver="svd")
    assert found == pytest.approx(ridge.fit(features, features @ known).coef_, abs=1e-6)


def with_features():
    generator = np.random.default_rng(3)
    points, elsewhere = generator.random((N, 3)), generator.random((20, 3))
    values = np.sin(5 * points[:, 0]) + points[:, 1]
    process = gp_fit.fit(points, values, GROUPS, fixed(PARAMETERS), [points], steps=0)
    return process, theirs(points, values, with_block=True), points, elsewhere


def covariance_of_the_function(oracle, process, points):
    """scikit-learn's is that of measurements."""
    return oracle.predict(points, return_cov=True)[1] - process.noise * np.eye(len(points))


def test_the_variance_of_a_difference_is_that_of_the_joint_distribution():
    process, oracle, points, elsewhere = with_features()
    joint = covariance_of_the_function(oracle, process, np.vstack([elsewhere, points[[4]]]))
    expected = np.diag(joint)[:-1] + joint[-1, -1] - 2 * joint[-1, :-1]
    assert process.difference_variance(elsewhere, [elsewhere], 4) == pytest.approx(
        expected, **EQUAL
    )
    # Nothing is uncertain about the difference of a value from itself.
    assert process.difference_variance(points, [points], 4)[4] == pytest.approx(0.0, abs=1e-8)


def test_drawn_values_have_the_distribution_of_the_function_at_the_own_points():
    process, oracle, points, elsewhere = with_features()
    means, _, _ = process.sampled(elsewhere, [elsewhere], np.zeros((1, N)))
    assert means[0] == pytest.approx(process.mean(points, [points]), **EQUAL)
    # Draws of unit vectors give the columns of a root of the covariance.
    unit, _, _ = process.sampled(elsewhere, [elsewhere], np.eye(N))
    root = (unit - means).T
    expected = covariance_of_the_function(oracle, process, points)
    # 1e-4 of the signal is added, so that nearly equal points do not bend the function.
    assert root @ root.T == pytest.approx(expected + 1.7e-4 * np.eye(N), **EQUAL)


def test_given_drawn_values_the_points_are_predicted_as_by_scikit_learn_without_noise():
    process, _, points, elsewhere = with_features()
    draws = np.random.default_rng(0).standard_normal((2, N))
    values, means, variance = process.sampled(elsewhere, [elsewhere], draws)
    first, second, signal, _, weight = np.exp(PARAMETERS)
    kernel = ConstantKernel(signal) * Matern([first, second, second], nu=2.5) + ConstantKernel(
        weight
    ) * DotProduct(sigma_0=0.0, sigma_0_bounds="fixed")
    for drawn, found in zip(values, means, strict=True):
        oracle = GaussianProcessRegressor(kernel, alpha=1e-4 * signal, optimizer=None)
        oracle.fit(points, drawn - process.offset)
        mean, spread = oracle.predict(elsewhere, return_std=True)
        assert found == pytest.approx(mean + process.offset, rel=1e-5, abs=1e-6)
        assert variance == pytest.approx(spread**2, rel=1e-4, abs=1e-8)


def test_fantasizing_lowers_the_variance_and_keeps_the_mean(data):
    points, values, elsewhere = data
    process = ours.assemble(points, values, GROUPS, [points], PARAMETERS, 0.3)
    under_way = elsewhere[:4]
    fantasize = process.fantasize(under_way, [under_way])
    before, after = (
        process.predict(elsewhere, [elsewhere]),
        fantasize.predict(elsewhere, [elsewhere]),
    )
    assert after[0] == pytest.approx(before[0], **EQUAL)
    assert (after[1] <= before[1] + 1e-9).all()
    # A measurement leaves at most the noise, or what was there if that is less.
    assert (after[1][:4] < np.minimum(before[1][:4], process.noise)).all()
    assert process.fantasize(np.empty((0, 3)), [np.empty((0, 3))]) is process


def test_repeated_configurations_are_no_error():
    points = np.full((6, 1), 0.5)
    process = gp_fit.fit(points, np.arange(6.0), np.array([0]), gp_fit.usual_prior(1))
    # It can only predict the mean of the values there.
    assert process.mean(np.array([[0.5]]))[0] == pytest.approx(2.5, abs=1e-6)


def test_one_value_is_its_own_prediction_everywhere():
    process = gp_fit.fit(np.array([[0.2]]), np.array([1.3]), np.array([0]), gp_fit.usual_prior(1))
    assert process.mean(np.array([[0.2], [0.9]])) == pytest.approx([1.3, 1.3])


def test_all_but_equal_points_without_noise_are_no_error():
    points = 0.5 + 1e-9 * np.arange(30.0)[:, None]
    # Signal and noise are further apart than a float's digits: to rounding, the rank is one.
    parameters = np.log([10.0, 1e12, 1e-9])
    process = ours.assemble(points, np.zeros(30), np.array([0]), [], parameters, 0.0)
    assert np.isfinite(process.mean(points)).all()


def test_a_value_with_a_variance_of_its_own_counts_as_scikit_learns_alpha_has_it(data):
    points, values, elsewhere = data
    own = np.linspace(0.0, 2.0, N)
    process = ours.assemble(
        points, values, GROUPS, [], PARAMETERS[:-1], float(values.mean()), variances=own
    )
    first, second, signal, noise, _ = np.exp(PARAMETERS)
    kernel = ConstantKernel(signal) * Matern([first, second, second], nu=2.5)
    oracle = GaussianProcessRegressor(kernel, alpha=noise + own + ours.JITTER, optimizer=None)
    oracle.fit(points, values - values.mean())
    mean, deviation = oracle.predict(elsewhere, return_std=True)
    found, variance = process.predict(elsewhere)
    assert found == pytest.approx(mean + values.mean(), **EQUAL)
    assert variance == pytest.approx(deviation**2, rel=1e-5, abs=1e-7)
    # What running trials are believed to have does not change what is known of the others.
    assert process.fantasize(elsewhere[:2]).predict(elsewhere)[0] == pytest.approx(found, abs=1e-4)
