"""The losses are for everyone: bare JAX, or a module system of another kind, with nothing else of jaxgen imported."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgen.losses import adversarial, flow, variational


def test_importing_the_losses_imports_neither_flax_nor_the_engine():
    code = (
        "import sys, jaxgen.losses.adversarial, jaxgen.losses.flow, jaxgen.losses.variational\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'flax', 'optax', 'orbax', 'tensorflow'}))\n"
        "print(sorted(m for m in sys.modules if m.startswith('jaxgen.') and not m.startswith('jaxgen.losses')))\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["[]", "['jaxgen.errors']"]


def test_plain_jax_flow_reaches_the_maximum_likelihood_fit():
    data = jnp.array(np.random.default_rng(0).normal([2.0, -1.0], [0.5, 3.0], (256, 2)), jnp.float32)

    def loss(params):
        z = (data - params["shift"]) * jnp.exp(-params["log_scale"])
        log_det = jnp.full(len(data), -params["log_scale"].sum())
        return -flow.log_likelihood(z, log_det).mean()

    @jax.jit
    def descend(params):
        def step(_, params):
            return jax.tree.map(lambda p, g: p - 0.1 * g, params, jax.grad(loss)(params))

        return jax.lax.fori_loop(0, 2000, step, params)

    fitted = descend({"shift": jnp.zeros(2), "log_scale": jnp.zeros(2)})
    np.testing.assert_allclose(fitted["shift"], data.mean(0), rtol=1e-3)
    np.testing.assert_allclose(jnp.exp(fitted["log_scale"]), data.std(0), rtol=1e-3)


class Critic(nnx.Module):
    def __init__(self, rngs):
        self.hidden, self.out = nnx.Linear(1, 16, rngs=rngs), nnx.Linear(16, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.tanh(self.hidden(x)))[:, 0]


def test_an_nnx_critic_learns_the_log_density_ratio():
    """Between N(1, 1) and N(-1, 1) the optimal logit is 2 x: the critic's own theory, on somebody else's module."""
    real = jax.random.normal(jax.random.key(0), (2048, 1)) + 1
    fake = jax.random.normal(jax.random.key(1), (2048, 1)) - 1
    critic = Critic(nnx.Rngs(0))

    def loss(critic):
        return adversarial.non_saturating.critic(critic(real), critic(fake)).mean()

    @nnx.jit
    def step(critic):
        value, gradients = nnx.value_and_grad(loss)(critic)
        nnx.update(critic, jax.tree.map(lambda p, g: p - 0.3 * g, nnx.state(critic, nnx.Param), gradients))
        return value

    first = step(critic)
    for _ in range(300):
        last = step(critic)
    x = jnp.linspace(-1.5, 1.5, 7)[:, None]
    np.testing.assert_allclose(critic(x), 2 * x[:, 0], atol=0.4)
    np.testing.assert_allclose(jax.nn.sigmoid(critic(x)).mean(), 0.5, atol=0.03)
    assert last < first


def test_an_nnx_encoder_raises_its_bound():
    x = jnp.float32(np.random.default_rng(0).integers(0, 2, (32, 6)))
    encoder, decoder = nnx.Linear(6, 4, rngs=nnx.Rngs(0)), nnx.Linear(2, 6, rngs=nnx.Rngs(1))

    def loss(modules):
        encoder, decoder = modules
        mean, log_variance = jnp.split(encoder(x), 2, axis=-1)
        z = mean + jnp.exp(log_variance / 2) * jax.random.normal(jax.random.key(0), mean.shape)
        bound = variational.elbo(
            variational.bernoulli_log_prob(x, decoder(z)), variational.gaussian_kl(mean, log_variance)
        )
        return -bound.mean()

    modules = nnx.List([encoder, decoder])
    evaluate = nnx.jit(nnx.value_and_grad(loss))
    before, gradients = evaluate(modules)
    nnx.update(modules, jax.tree.map(lambda p, g: p - 0.05 * g, nnx.state(modules, nnx.Param), gradients))
    squared_norm = sum(jnp.sum(g**2) for g in jax.tree.leaves(gradients))
    # To first order a step of descent lowers the loss by the rate times the squared gradient.
    np.testing.assert_allclose(before - evaluate(modules)[0], 0.05 * squared_norm, rtol=0.3)
