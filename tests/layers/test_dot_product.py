"""Attention against the softmax written out.

No test here has a GPU: XLA's attention takes the place of its kernel. The TPU's kernel is interpreted.
"""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pallas
from scipy import special

from jaxgen import target
from jaxgen.layers import dot_product
from jaxgen.layers.dot_product import attend, attend_once
from jaxgen.training.flops import flops_by_kind
from jaxgen.training.sharding import make_mesh

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
    monkeypatch.setattr(dot_product, "_best", lambda query, key: "cudnn")
    return called


@pytest.mark.parametrize(("dtype", "atol"), [(jnp.float32, 1e-6), (jnp.bfloat16, 0.02)])
def test_one_query_s_is_the_softmax_of_what_it_sees(dtype, atol):
    seen = np.array([True, False, True, True, False, False])
    q, k, v = Q[:, :1].astype(dtype), K.astype(dtype), V.astype(dtype)
    found = attend_once(q, k.swapaxes(1, 2), v.swapaxes(1, 2), jnp.asarray(seen))
    assert (found.dtype, found.shape) == (dtype, q.shape)
    np.testing.assert_allclose(found, written_out(Q[:, :1], K[:, seen], V[:, seen]), atol=atol)


def test_of_double_precision_nothing_is_rounded_to_single(x64):
    q, k, v = (np.random.default_rng(i).normal(size=(1, 5, 2, 4)) for i in range(3))
    products = np.einsum("bqhd,bkhd->bhqk", q, k)
    everything = np.einsum("bhqk,bkhd->bqhd", special.softmax(0.3 * products, -1), v)
    np.testing.assert_allclose(attend(q, k, v, scale=0.3), everything, rtol=1e-12)
    logits = np.where(np.tri(5, dtype=bool), products / 2, -np.inf)
    expected = np.einsum("bhqk,bkhd->bqhd", special.softmax(logits, -1), v)
    np.testing.assert_allclose(attend(q, k, v, causal=True), expected, rtol=1e-12)
    last = attend_once(q[:, -1:], k.swapaxes(1, 2), v.swapaxes(1, 2), np.full(5, True))
    np.testing.assert_allclose(last, expected[:, -1:], rtol=1e-12)


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
        assert dot_product._best(Q.astype(jnp.bfloat16), K) == "xla"
    assert dot_product._best(Q, K) == "xla"


@contextlib.contextmanager
def on_a_slice(tensor=1):
    """As a step of two TPUs is traced, whose kernels the CPU interprets."""
    mesh = make_mesh(tensor=tensor, devices=jax.devices()[:2])
    with target.tracing_for("tpu", mesh), pallas.force_tpu_interpret_mode():
        yield


LONG = [
    jax.random.normal(key, (2, length, 1, 8))
    for key, length in zip(jax.random.split(jax.random.key(1), 4), (384, 128, 128, 384), strict=True)
]


def test_a_tpu_s_kernel_and_its_gradient_are_the_softmax_written_out():
    *qkv, g = LONG

    def pulled(q, k, v):
        mixed, pull = jax.vjp(lambda *qkv: attend(*qkv, scale=0.3), q, k, v)
        return mixed, pull(g)

    with on_a_slice():
        found = jax.jit(pulled)(*qkv)
    truth, pull = jax.vjp(lambda *qkv: written_out(*qkv, scale=0.3), *qkv)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), found, (truth, pull(g)))


def test_a_tpu_s_kernel_takes_whole_blocks_of_every_device_s_examples_and_is_counted():
    q, k, v, _ = LONG
    plain = flops_by_kind(jax.make_jaxpr(attend)(q, k, v))
    with on_a_slice():
        assert dot_product._best(q, k) == "pallas"
        assert dot_product._best(q[:1], k[:1]) == "xla"
        assert dot_product._best(q[:, :200], k) == "xla"
        assert flops_by_kind(jax.make_jaxpr(attend)(q, k, v)) == plain
    with on_a_slice(tensor=2):
        assert dot_product._best(q, k) == "xla"  # there is but one head
    with target.tracing_for("tpu"):  # a kernel cannot be split by the compiler, who alone knows over what
        assert dot_product._best(q, k) == "xla"


def test_a_tpu_s_kernel_takes_each_device_s_own_heads_where_they_are_split():
    q, k, v, _ = (jnp.concatenate([x, x**2], 2) for x in LONG)
    with on_a_slice(tensor=2):
        assert dot_product._best(q[:1], k[:1]) == "pallas"
        lowered = jax.jit(attend).lower(q, k, v)
        found = jax.jit(attend)(q, k, v)
    assert "2x384x1x8" in lowered.as_text()  # what a device is given: all examples, one head
    np.testing.assert_allclose(found, written_out(q, k, v), rtol=1e-4, atol=1e-5)
