"""Attention against the softmax written out; the fused kernel's place is taken by XLA's, as no test here has a GPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import target
from jaxgen.layers import dot_product
from jaxgen.layers.dot_product import attend

Q, K, V, G = (jax.random.normal(key, (2, 6, 2, 8)) for key in jax.random.split(jax.random.key(0), 4))


def written_out(q, k, v, causal=False, scale=8**-0.5):
    logits = scale * jnp.einsum("bqhd,bkhd->bhqk", q, k)
    logits = jnp.where(jnp.tril(jnp.ones((6, 6), bool)), logits, -jnp.inf) if causal else logits
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(logits), v)


@pytest.fixture
def fused(monkeypatch):
    """As if a GPU's kernel were there: its value, its gradient, and no gradient of that."""
    called = []

    @jax.custom_vjp
    def kernel(q, k, v):
        called.append("value")
        return written_out(q, k, v, True, 0.3)

    @jax.custom_jvp
    def gradient(q, k, v, g):
        called.append("gradient")
        return jax.vjp(lambda *qkv: written_out(*qkv, True, 0.3), q, k, v)[1](g)

    @gradient.defjvp
    def refuse(primals, tangents):
        raise NotImplementedError("the kernel's gradient has none")

    kernel.defvjp(lambda *qkv: (kernel(*qkv), qkv), lambda qkv, g: gradient(*qkv, g))
    attention = dot_product._attention
    monkeypatch.setattr(
        dot_product, "_attention", lambda how, *rest: kernel(*rest[1:]) if how == "cudnn" else attention(how, *rest)
    )
    monkeypatch.setattr(dot_product, "_fits", lambda query: True)
    return called


@pytest.mark.parametrize(("causal", "scale"), [(False, None), (True, 0.3)])
def test_it_is_the_softmax_written_out(causal, scale):
    np.testing.assert_allclose(
        attend(Q, K, V, causal=causal, scale=scale), written_out(Q, K, V, causal, scale or 8**-0.5), atol=1e-5
    )


def test_the_kernel_s_gradient_is_used_and_second_order_does_without_it(fused):
    mine = functools.partial(attend, causal=True, scale=0.3)
    truth = functools.partial(written_out, causal=True, scale=0.3)

    def gradients(f):
        first = jax.grad(lambda *qkv: jnp.sum(G * f(*qkv)), (0, 1, 2))
        second = jax.grad(lambda *qkv: sum(jnp.sum(g**2) for g in first(*qkv)), (0, 1, 2))
        return jax.jit(first)(Q, K, V), jax.jit(second)(Q, K, V)

    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4), gradients(mine), gradients(truth))
    assert set(fused) == {"value", "gradient"}


def test_kernels_are_for_gpus_and_half_precision():
    with target.tracing_for("gpu"):  # this process has none, whatever it traces for
        assert not dot_product._fits(Q.astype(jnp.bfloat16))
    assert not dot_product._fits(Q)
