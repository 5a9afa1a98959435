"""Which random draws layers share and which not."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Repeat

FORWARD = "forward_and_log_det"
KEYS = {"noise": jax.random.key(1)}


class Noise(Bijector):
    """z = 2x - n of a standard normal n."""

    @nn.compact
    def drawn(self, x):
        scale = self.param("scale", nn.initializers.constant(2.0), ())
        return scale, jax.random.normal(self.make_rng("noise"), x.shape)

    def inverse_and_log_det(self, x):
        scale, noise = self.drawn(x)
        return scale * x - noise, jnp.zeros(x.shape[0])

    def forward_and_log_det(self, z):
        scale, noise = self.drawn(z)
        return (z + noise) / scale, jnp.zeros(z.shape[0])


@pytest.mark.parametrize("memory", ["plain", "remat", "reversible"])
def test_every_repeated_layer_draws_noise_of_its_own_and_both_directions_the_same(memory):
    layers, x = Repeat(Noise(), 2, memory), np.zeros((1, 4000), np.float32)
    variables = layers.init({"params": jax.random.key(0), **KEYS}, x)
    z, _ = layers.apply(variables, x, rngs=KEYS)
    # -2 n1 - n2: 5 where they are independent, 9 where they are one.
    assert np.var(z) == pytest.approx(5, abs=5 * 5 * np.sqrt(2 / 4000))
    back, _ = layers.apply(variables, z, rngs=KEYS, method=FORWARD)
    np.testing.assert_allclose(back, x, atol=1e-5)
    other, _ = layers.apply(variables, x, rngs={"noise": jax.random.key(2)})
    assert np.abs(np.corrcoef(z[0], other[0])[0, 1]) < 0.1
