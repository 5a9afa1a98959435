"""Every estimator's mean over 20,000 draws against the gradient of the enumerated bound, coordinate by coordinate.

The unbiased ones lie within 5 standard errors everywhere; the biased ones must not, or the test could not see a bias.
"""

import functools
import importlib.util
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy import special

from jaxgen.errors import UserError
from jaxgen.losses import estimators

BENCHMARK = Path(__file__).parent.parent.parent / "benchmarks" / "estimators.py"
spec = importlib.util.spec_from_file_location("benchmark_of_estimators", BENCHMARK)
assert spec is not None
assert spec.loader is not None
benchmark = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = benchmark  # where dataclasses look their module up
spec.loader.exec_module(benchmark)
one_layer, two_layers, measure = benchmark.one_layer, benchmark.two_layers, functools.cache(benchmark.measure)


@pytest.mark.parametrize("name", benchmark.UNBIASED)
def test_unbiased_estimators_have_the_exact_gradient_in_the_mean(x64, name):
    row = measure(name)
    assert row.z < 5, row
    assert abs(row.value_z) < 5, row


@pytest.mark.quick("straight-through", "VIMCO *")
@pytest.mark.parametrize("name", benchmark.BIASED)
def test_the_same_test_sees_a_known_bias(x64, name):
    assert measure(name).z > 5


def test_reinmax_has_less_than_a_third_of_straight_through_s_bias(x64):
    assert measure("ReinMax").bias < measure("straight-through").bias / 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RLOO, K = 4", "VIMCO, K = 2"])
def test_two_layers_of_latents_are_unbiased_too(x64, name):
    row = measure(name, two_layers)
    assert row.z < 5, row
    assert abs(row.value_z) < 5, row


@pytest.mark.parametrize("model", [one_layer, two_layers])
def test_enumeration_is_the_bound_and_its_gradient(x64, model):
    params, x = benchmark.random_model(0)
    key = jax.random.key(0)
    found = jax.jit(
        jax.value_and_grad(lambda p: estimators.exact(key, lambda s: model(p, x, s), size=benchmark.BITS)[0])
    )(params)
    expected = benchmark.exact(benchmark.exact_elbo, model, 0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), found, expected)


def test_the_bound_is_below_the_evidence_and_equal_at_the_posterior(x64):
    """With no weights the latents are independent of x, and q = prior is the posterior: every draw gives log p(x)."""
    (_, prior, weights, bias), x = benchmark.random_model(0)
    params, key = [prior, prior, np.zeros(weights.shape), bias], jax.random.key(0)
    evidence = np.sum(np.log(special.expit(np.where(x, bias, -np.asarray(bias)))))

    @jax.jit
    def bounds(params):
        both = estimators.disarm, functools.partial(estimators.vimco, draws=3)
        return [estimator(key, lambda s: one_layer(params, x, s))[0] for estimator in both]

    for bound in bounds(params):
        np.testing.assert_allclose(bound, evidence, rtol=1e-12)


def test_a_baseline_learns_the_mean_of_the_signal_and_leaves_the_value(x64):
    params, x = benchmark.random_model(0)
    key = jax.random.key(3)

    def bound(baseline=None):
        return estimators.score_function(key, lambda s: one_layer(params, x, s), draws=7, baseline=baseline)[0]

    (value, slope), plain = jax.jit(lambda baseline: (jax.value_and_grad(bound)(baseline), bound()))(-3.0)
    np.testing.assert_allclose(value, plain, rtol=1e-12)
    np.testing.assert_allclose(slope, 2 * (plain + 3.0), rtol=1e-9)


def test_bad_settings_are_refused_in_a_sentence():
    params, x = benchmark.random_model(0)
    key, model, deep = (
        jax.random.key(0),
        functools.partial(one_layer, params, x),
        functools.partial(two_layers, params, x),
    )
    with pytest.raises(UserError, match="rloo .* at least 2"):
        estimators.rloo(key, model, draws=1)
    with pytest.raises(UserError, match="vimco .* at least 2"):
        estimators.vimco(key, model, draws=1)
    with pytest.raises(UserError, match="temperature is 0"):
        estimators.gumbel_softmax(key, model, temperature=0)
    with pytest.raises(UserError, match="the model has 2; use rloo"):
        jax.eval_shape(lambda: estimators.disarm(key, deep))
    for size in (7, 9):
        with pytest.raises(UserError, match=f"size is {size}, but the model draws 8"):
            jax.eval_shape(lambda s=size: estimators.exact(key, model, size=s))
