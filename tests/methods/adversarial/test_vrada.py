"""VRADA: what each network hears of the domain, by its gradients."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.core import Net, view_of
from jaxgen.methods.adversarial.vrada import vrada
from jaxgen.models.latent.vrnn import VRNN
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
SERIES = jax.random.normal(KEY, (2, 4, 3, 1))
BATCH = {"source": {"x": SERIES[0], "label": jnp.array([0, 1, 1, 0])}, "target": {"x": SERIES[1] + 1}}


class Linear(nn.Module):
    outputs: int

    @nn.compact
    def __call__(self, x):
        y = nn.Dense(self.outputs)(x)
        return y if self.outputs > 1 else y[:, 0]


def gradients(strength, bound=0.0):
    sgd = optax.sgd(0.1)
    method = vrada(Net(VRNN(2, 4), sgd), Net(Linear(2), sgd), Net(Linear(1), sgd), strength=strength, bound=bound)
    view = view_of(method, jax.jit(lambda: init_state(method, KEY, BATCH))())

    def loss(params):
        return method.phases[0].loss(type(view)(**{**vars(view), "params": params}), BATCH, KEY)[0]

    return jax.jit(jax.grad(loss))(view.params)


def test_the_recurrent_network_hears_the_domain_reversed_and_the_domain_s_own_head_does_not():
    none, one, two = (gradients(strength) for strength in (0.0, 1.0, 2.0))
    flat = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(g["recurrent"])]) for g in (none, one, two)]
    np.testing.assert_allclose(flat[2] - flat[0], 2 * (flat[1] - flat[0]), atol=1e-6)
    assert np.abs(flat[1] - flat[0]).max() > 1e-3
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), none["domain"], two["domain"])
    # Down that part of the gradient, domains become harder to tell.
    sgd = optax.sgd(0.1)
    method = vrada(Net(VRNN(2, 4), sgd), Net(Linear(2), sgd), Net(Linear(1), sgd), strength=1.0, bound=0.0)
    view = view_of(method, jax.jit(lambda: init_state(method, KEY, BATCH))())

    def domain(params):
        return method.phases[0].loss(type(view)(**{**vars(view), "params": params}), BATCH, KEY)[1].metrics["domain"]

    moved = jax.tree.map(
        lambda p, a, b: p - 0.05 * (a - b), view.params["recurrent"], one["recurrent"], none["recurrent"]
    )
    before, after = (float(jax.jit(domain)({**view.params, "recurrent": r})) for r in (view.params["recurrent"], moved))
    assert after > before


def test_all_of_the_recurrent_network_serves_the_evidence():
    parts = [jax.tree.leaves(gradients(0.0, bound)["recurrent"]) for bound in (0.0, 1.0)]
    assert min(float(np.abs(a - b).max()) for a, b in zip(*parts, strict=True)) > 0
