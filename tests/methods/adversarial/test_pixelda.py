"""PixelDA's three losses by hand, and whom each of them moves."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import special

from jaxgen.core import Net, view_of
from jaxgen.methods.adversarial.pixelda import pixelda
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
BATCH = {
    "source": {"image": RNG.normal(size=(6, 3)).astype(np.float32), "label": np.array([0, 1, 1, 0, 1, 0], np.int32)},
    "target": {"image": RNG.normal(2, 1, (6, 3)).astype(np.float32)},
}


class Shifted(nn.Module):
    """The image by a learned factor; z does nothing."""

    @nn.compact
    def __call__(self, x, z):
        return x * self.param("factor", lambda key: jnp.full((), 1.5)) + 0 * jnp.sum(z)


class Linear(nn.Module):
    outputs: int

    @nn.compact
    def __call__(self, x):
        y = nn.Dense(self.outputs)(x)
        return y if self.outputs > 1 else y[:, 0]


def test_the_losses_by_hand():
    sgd = optax.sgd(0.1)
    method = pixelda(Net(Shifted(), sgd), Net(Linear(1), sgd), Net(Linear(2), sgd), task=3.0)
    view = view_of(method, jax.jit(lambda: init_state(method, KEY, BATCH))())
    assert [phase.trains for phase in method.phases] == [("critic",), ("classifier",), ("generator",)]
    values = [float(phase.loss(view, BATCH, KEY)[0]) for phase in method.phases]
    x, label, target = BATCH["source"]["image"], BATCH["source"]["label"], BATCH["target"]["image"]
    weights = {name: view.params[name]["Dense_0"] for name in ("critic", "classifier")}

    def of(name, x):
        return x @ np.asarray(weights[name]["kernel"], float) + np.asarray(weights[name]["bias"], float)

    def nats(x):
        return -special.log_softmax(of("classifier", x), axis=1)[np.arange(6), label].mean()

    fake, real = of("critic", 1.5 * x), of("critic", target)
    critic = np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()
    generator = np.logaddexp(0, -fake).mean() + 3 * nats(1.5 * x)
    np.testing.assert_allclose(values, [critic, nats(x) + nats(1.5 * x), generator], rtol=1e-5)
    shown = method.latents.decode(view, method.latents.prior(KEY, 6, BATCH), KEY)
    np.testing.assert_allclose(shown, 1.5 * x, rtol=1e-6)
