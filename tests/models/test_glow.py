import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.coupling import Affine
from jaxgen.models.glow import glow


def test_half_precision_networks_leave_the_flow_exact_and_wide():
    """bfloat16 conditioners change the map, not its invertibility; log-dets stay float32."""
    flow = glow(steps=2, levels=2, width=8, dtype=jnp.bfloat16)
    x = jax.random.uniform(jax.random.key(0), (4, 8, 8, 3))
    variables = flow.init(jax.random.key(1), x)
    assert {p.dtype for p in jax.tree.leaves(variables["params"])} == {jnp.dtype("float32")}
    variables = {**variables, "params": jax.tree.map(lambda p: p + 0.02, variables["params"])}
    z, log_det = flow.apply(variables, x)
    assert z.dtype == log_det.dtype == jnp.float32
    np.testing.assert_allclose(flow.apply(variables, z, method="forward_and_log_det")[0], x, atol=5e-4)


def test_density_integrates_to_one():
    """Importance sampling over the smallest image, 2x2x1, from a wide Gaussian: the mean density ratio is 1."""
    flow = glow(steps=2, levels=1, width=4, transform=Affine(bound=0.5))
    data = jax.random.uniform(jax.random.key(0), (256, 2, 2, 1))
    variables = flow.init(jax.random.key(1), data)
    variables = {**variables, "params": jax.tree.map(lambda p: p + 0.1, variables["params"])}
    scale = 0.6
    noise = jax.random.normal(jax.random.key(2), (200_000, 2, 2, 1))
    z, log_det = flow.apply(variables, 0.5 + scale * noise)

    def normal(x):
        return -0.5 * jnp.sum(x**2 + jnp.log(2 * jnp.pi), axis=(1, 2, 3))

    ratio = jnp.exp(normal(z) + log_det - normal(noise) + 4 * jnp.log(scale))
    error = jnp.std(ratio) / jnp.sqrt(len(ratio))
    assert error < 0.02
    assert abs(jnp.mean(ratio) - 1.0) < 4 * error


def test_compile_size_does_not_grow_with_steps():
    """The steps of a level are one compiled loop on every backend: their networks are matrix products."""
    x = jax.ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)

    def size(steps: int) -> int:
        flow = glow(steps, levels=2, width=4)
        variables = jax.eval_shape(flow.init, jax.random.key(0), x)
        return jax.jit(flow.apply).lower(variables, x).as_text().count("\n")

    assert size(12) < 1.1 * size(2)


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_temperature_contracts_samples_towards_the_mode(temperature):
    flow = glow(steps=1, levels=1, width=4)
    x = jax.random.uniform(jax.random.key(0), (64, 4, 4, 1))
    variables = flow.init(jax.random.key(1), x)  # couplings start as the identity, so the flow is linear here
    z = jax.random.normal(jax.random.key(2), (64, 4, 4, 1))
    mode, warm, cool = (
        flow.apply(variables, t * z, method="forward_and_log_det")[0] for t in (0.0, 1.0, temperature)
    )
    np.testing.assert_allclose(cool - mode, temperature * (warm - mode), atol=1e-5)
