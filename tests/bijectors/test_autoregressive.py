import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.reverse import Reverse
from jaxgen.layers.made import MADE
from jaxgen.losses.flow import log_likelihood


@pytest.mark.parametrize("order", ["natural", "reversed"])
def test_both_jacobians_are_triangular_in_the_declared_order(order):
    layer = Autoregressive(MADE((64,)))
    flow = layer if order == "natural" else Chain((Reverse(), layer, Reverse()))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 4), np.float32)
    shapes = jax.eval_shape(flow.init, jax.random.key(0), x)
    variables = jax.tree.map(lambda p: np.float32(rng.standard_normal(p.shape)), shapes)
    for direction in ("forward_and_log_det", "inverse_and_log_det"):
        run = jax.jit(jax.jacfwd(lambda x, m=direction: flow.apply(variables, x[None], method=m)[0][0]))
        jacobian = np.asarray(run(x[0]))
        allowed = np.tri(4, dtype=bool) if order == "natural" else np.tri(4, dtype=bool).T
        assert (jacobian[~allowed] == 0).all()
        assert (np.diagonal(jacobian) > 0).all()
        assert np.abs(jacobian[allowed]).min() > 1e-6


def test_a_linear_made_learns_a_gaussian_to_its_entropy():
    """A sample with exactly the moments of a full-covariance Gaussian: no Gaussian scores below the entropy."""
    rng = np.random.default_rng(0)
    mixing, mean = rng.standard_normal((4, 4)) + np.eye(4), np.array([1.0, -1.0, 0.5, 0.0])
    noise = rng.standard_normal((4096, 4))
    noise -= noise.mean(0)
    noise = np.linalg.solve(np.linalg.cholesky(np.cov(noise.T, bias=True)), noise.T).T
    x = np.float32(noise @ mixing.T + mean)
    entropy = stats.multivariate_normal(mean, mixing @ mixing.T).entropy()
    flow, adam = Autoregressive(MADE(())), optax.adam(optax.cosine_decay_schedule(0.1, 300))

    def loss(params):
        return -jnp.mean(log_likelihood(*flow.apply({"params": params}, x)))

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = adam.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    @jax.jit
    def fit(key):
        params = flow.init(key, x)["params"]
        return jax.lax.scan(step, (params, adam.init(params)), None, 300)[1]

    history = fit(jax.random.key(0))
    assert history[0] > entropy + 1
    # The scales may depend on x too: twelve spare weights fit the sample's noise, by 0.0015 nats in expectation.
    assert history[-1] == pytest.approx(entropy, abs=0.005)


def test_sampling_is_one_loop_however_many_the_elements():
    def size(elements: int) -> int:
        flow, x = Autoregressive(MADE((8,))), jax.ShapeDtypeStruct((2, elements), jnp.float32)
        variables = jax.eval_shape(flow.init, jax.random.key(0), x)
        sample = functools.partial(flow.apply, method="forward_and_log_det")
        return jax.jit(sample).lower(variables, x).as_text().count("\n")

    assert size(40) == size(4)
