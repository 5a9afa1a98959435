import jax
import numpy as np
from jax.test_util import check_grads

from jaxgen.bijectors.batch_norm import BatchNorm

RNG = np.random.default_rng(0)
FIRST, SECOND = (np.float32(RNG.normal([1.0, -2.0, 0.0], [0.5, 3.0, 1.0], (32, 2, 2, 3)) + shift) for shift in (0, 1))
PARAMS = {"shift": np.float32([1.0, 2.0, 3.0]), "log_scale": np.float32([0.1, -0.2, 0.3])}


def variables(norm):
    return {**jax.jit(norm.init)(jax.random.key(0), FIRST), "params": PARAMS}


def test_training_takes_the_batch_s_moments_as_constants_and_moves_the_averages_towards_them():
    """Evaluation, whose log-det is held against autodiff elsewhere, does the same once its averages are the batch's."""
    replacing = BatchNorm(momentum=0.0)
    (z, log_det), moved = replacing.apply(variables(replacing), SECOND, mutable=["batch_stats"])
    moments = {"mean": SECOND.mean((0, 1, 2)), "variance": SECOND.var((0, 1, 2))}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), moved["batch_stats"], moments)
    evaluated = replacing.apply({"params": PARAMS, **moved}, SECOND)
    for ours, theirs in zip((z, log_det), evaluated, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.mean(z, (0, 1, 2)), PARAMS["shift"], atol=1e-5)
    np.testing.assert_allclose(np.std(z, (0, 1, 2)), np.exp(PARAMS["log_scale"]), rtol=1e-4)

    slow = BatchNorm(momentum=0.75)
    _, moved = slow.apply(variables(slow), SECOND, mutable=["batch_stats"])
    expected = 0.75 * FIRST.mean((0, 1, 2)) + 0.25 * SECOND.mean((0, 1, 2))
    np.testing.assert_allclose(moved["batch_stats"]["mean"], expected, rtol=1e-5, atol=1e-6)


def test_gradients_pass_through_the_batch_s_moments_in_training_alone():
    """In training the sum over the batch is the shift, whatever the data."""
    norm = BatchNorm()

    def total(x, **training):
        out = norm.apply(variables(norm), x, **training)
        return (out[0] if training else out)[0].sum()

    assert np.abs(jax.grad(total)(SECOND)).min() > 0.1
    gradient = jax.grad(lambda x: total(x, mutable=["batch_stats"]))(SECOND)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-5)


def test_gradients_in_training_are_those_of_both_moments(x64):
    """Central differences, which see through anything that is held constant: of z, of the log-det, and of both."""
    norm, x = BatchNorm(), np.float64(SECOND[:3, :1])
    state = jax.tree.map(np.float64, variables(norm))
    weights = RNG.normal(size=x.shape)

    def outputs(params, x):
        (z, log_det), _ = norm.apply({**state, "params": params}, x, mutable=["batch_stats"])
        return (weights * z).sum(), log_det.sum()

    check_grads(outputs, (state["params"], x), order=1, modes=["rev"], rtol=1e-6)
