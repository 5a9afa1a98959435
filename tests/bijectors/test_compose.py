import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import loops
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.invertible_conv import InvertibleConv


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


@pytest.mark.parametrize(("conditioner", "shape"), [(DenseConditioner((8,)), (4,)), (ConvConditioner(3), (4, 4, 4))])
def test_a_loop_and_its_unrolling_agree_in_value_and_gradient(monkeypatch, conditioner, shape):
    repeat = Repeat(Chain((ActNorm(), InvertibleConv(), Coupling(conditioner))), 3)
    x = jax.random.normal(jax.random.key(0), (5, *shape))
    variables = repeat.init(jax.random.key(1), x)
    variables = {**variables, "params": jax.tree.map(lambda p: p + 0.1, variables["params"])}

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
