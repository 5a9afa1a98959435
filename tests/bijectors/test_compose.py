import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import loops
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner
from jaxgen.bijectors.coupling import Coupling


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def test_chain_composes_from_the_base_side():
    """x = f₁(f₂(z)) by hand: f₁ doubles, f₂ adds one."""
    chain = Chain((ActNorm(), ActNorm()))
    params = {
        "bijectors_0": {"shift": jnp.zeros(1), "log_scale": jnp.full(1, np.log(2.0))},
        "bijectors_1": {"shift": jnp.ones(1), "log_scale": jnp.zeros(1)},
    }
    x, log_det = chain.apply({"params": params}, jnp.full((1, 1), 3.0), method="forward_and_log_det")
    np.testing.assert_allclose(x, 8.0)
    np.testing.assert_allclose(log_det, np.log(2.0))
    np.testing.assert_allclose(chain.apply({"params": params}, x)[0], 3.0)


def test_a_loop_and_its_unrolling_agree_in_value_and_gradient(monkeypatch):
    repeat = Repeat(Chain((ActNorm(), Coupling(DenseConditioner((8,))))), 2)
    x = np.random.default_rng(0).standard_normal((5, 4))
    variables = jax.jit(repeat.init)(jax.random.key(1), x)
    variables = {**variables, "params": jax.tree.map(lambda p: np.asarray(p) + 0.1, variables["params"])}

    def loss(params):
        z, log_det = repeat.apply({**variables, "params": params}, x)
        y, _ = repeat.apply({**variables, "params": params}, 0.5 * z, method="forward_and_log_det")
        return jnp.sum(z**2) + jnp.sum(jnp.sin(y)) - jnp.sum(log_det)

    results, loops_compiled = [], []
    for unrolls in (False, True):
        monkeypatch.setattr(loops, "unrolls", lambda *_, unrolls=unrolls: unrolls)
        lowered = jax.jit(jax.value_and_grad(lambda p, _=unrolls: loss(p))).lower(variables["params"])
        loops_compiled.append("stablehlo.while" in lowered.as_text())
        results.append(lowered.compile()(variables["params"]))
    assert loops_compiled == [True, False]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10), *results)


class Convolved(nn.Module):
    """A conditioner of a direct convolution, which a compiled loop on a CPU would slow down."""

    @nn.compact
    def __call__(self, x: jax.Array, features: int) -> jax.Array:
        return nn.Conv(features, (3, 3))(x)


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("conditioner", [Convolved(), ConvConditioner(3)])
def test_only_layers_that_convolve_directly_leave_the_loop(conditioner, length):
    """The loop's policy is asked about one layer, not about the stacked parameters of all."""
    repeat = Repeat(Coupling(conditioner), length)
    x = jax.ShapeDtypeStruct((2, 4, 4, 2), jnp.float64)
    variables = jax.eval_shape(repeat.init, jax.random.key(0), x)
    text = jax.jit(jax.grad(lambda v, x: repeat.apply(v, x)[0].sum())).lower(variables, x).as_text()
    assert ("stablehlo.while" in text) == (jax.default_backend() != "cpu" or not isinstance(conditioner, Convolved))
