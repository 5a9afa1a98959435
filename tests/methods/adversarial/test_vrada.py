"""VRADA: what each network hears of the domain, by its gradients."""

import dataclasses

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


def loss(params, view, strength, bound):
    method = game(lambda step: strength, lambda step: bound)
    value, aux = method.phases[0].loss(dataclasses.replace(view, params=params), BATCH, KEY)
    return value, aux.metrics["domain"]


def game(strength, bound):
    sgd = optax.sgd(0.1)
    return vrada(Net(VRNN(2, 4), sgd), Net(Linear(2), sgd), Net(Linear(1), sgd), strength=strength, bound=bound)


def test_the_recurrent_network_hears_the_domain_reversed_and_the_evidence_and_the_domain_s_own_head_neither():
    method = game(0.0, 0.0)
    view = view_of(method, jax.jit(lambda: init_state(method, KEY, BATCH))())
    both = jax.jit(lambda params, *weights: jax.value_and_grad(loss, has_aux=True)(params, view, *weights))
    found = {weights: both(view.params, *weights) for weights in ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (0.0, 1.0))}
    none, one, two, evidence = (gradient for _, gradient in found.values())
    flat = [np.concatenate([np.ravel(x) for x in jax.tree.leaves(g["recurrent"])]) for g in (none, one, two)]
    np.testing.assert_allclose(flat[2] - flat[0], 2 * (flat[1] - flat[0]), atol=1e-6)
    assert np.abs(flat[1] - flat[0]).max() > 1e-3
    jax.tree.map(lambda *x: np.testing.assert_allclose(*x, atol=1e-7), none["domain"], two["domain"])
    # Down that part of the gradient, domains become harder to tell.
    down = jax.tree.map(
        lambda p, a, b: p - 0.05 * (a - b), view.params["recurrent"], one["recurrent"], none["recurrent"]
    )
    (_, before), _ = found[1.0, 0.0]
    (_, after), _ = both({**view.params, "recurrent": down}, 1.0, 0.0)
    assert after > before
    pairs = zip(*(jax.tree.leaves(g["recurrent"]) for g in (none, evidence)), strict=True)
    assert min(float(np.abs(a - b).max()) for a, b in pairs) > 0
