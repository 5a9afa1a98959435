"""Sparse attention against the softmax over all pairs with its mask, and against what it is for: fewer products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import target
from jaxgen.errors import UserError
from jaxgen.layers.attention_patterns import Causal, Everywhere, Fixed, Local, Strided
from jaxgen.training.sharding import make_mesh

LENGTH = 12
SPARSE = [Strided(3), Strided(1), Strided(12), Fixed(3), Fixed(4, 2), Local(4, 3), Local(2, 9)]
PATTERNS = [Causal(), Everywhere(), *SPARSE]


def mask(pattern, length=LENGTH):
    return np.asarray(pattern.sees(np.arange(length)[:, None], np.arange(length)))


@pytest.mark.parametrize("pattern", PATTERNS, ids=str)
def test_it_is_the_softmax_over_what_it_sees(pattern, x64):
    q, k, v = np.random.default_rng(0).normal(size=(3, 2, LENGTH, 2, 4))
    logits = np.where(mask(pattern), np.einsum("bqhd,bkhd->bhqk", q, k) / 2, -np.inf)
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    within = 1e-12 if pattern in SPARSE else 1e-6  # JAX's own softmax is of float32
    np.testing.assert_allclose(pattern(q, k, v), np.einsum("bhqk,bkhd->bqhd", weights, v), rtol=0, atol=within)


def test_patterns_are_the_papers_sets():
    """Sections 4.2 of Child et al. and 4.2.1 of Parmar et al., set by set, of l = 3, c = 1 and blocks of 4 with 3."""
    for i in range(LENGTH):
        row = {str(pattern): set(np.flatnonzero(mask(pattern)[i])) for pattern in PATTERNS}
        assert row[str(Strided(3))] == set(range(max(0, i - 3), i + 1)) | {j for j in range(i + 1) if (i - j) % 3 == 0}
        own = {j for j in range(i + 1) if j // 3 == i // 3}
        assert row[str(Fixed(3))] == own | {j for j in range(i + 1) if j % 3 == 2}
        assert row[str(Local(4, 3))] == set(range(max(0, i // 4 * 4 - 3), i + 1))


@pytest.mark.parametrize("pattern", [Strided(3), Fixed(3), Fixed(4, 2)], ids=str)
def test_two_sparse_layers_reach_all_that_is_earlier_and_no_more(pattern):
    one = mask(pattern).astype(int)
    np.testing.assert_array_equal(one @ one > 0, np.tri(LENGTH, dtype=bool))


def flops(pattern, length):
    x = jnp.zeros((1, length, 2, 16))
    return jax.jit(pattern).lower(x, x, x).compile().cost_analysis()["flops"]


@pytest.mark.parametrize(
    ("pattern", "products"), [(Strided(16), 2 * 16 + 16), (Fixed(16), 16 + 16), (Local(16, 16), 32)], ids=str
)
def test_the_compiled_program_does_less(pattern, products):
    """At length 256 of 16 numbers a head, for each query so many keys of 256; the softmax costs some more."""
    sparse, dense = flops(pattern, 256), flops(Causal(), 256)
    assert products / 256 < sparse / dense < 1.5 * products / 256


@pytest.mark.parametrize("pattern", [Strided(5), Fixed(5), Local(5, 2)], ids=str)
def test_a_length_that_blocks_do_not_fill_is_refused(pattern):
    with pytest.raises(UserError, match="12 positions: make it a multiple of the attention's block 5"):
        jax.eval_shape(pattern, *[jnp.zeros((1, LENGTH, 1, 2))] * 3)


@pytest.mark.parametrize("pattern", [Strided(16), Fixed(16), Local(16, 16)], ids=str)
def test_the_gradient_waits_for_queries_keys_and_values_alone(pattern):
    x = jax.ShapeDtypeStruct((3, 256, 2, 4), jnp.float32)
    _, pull = jax.eval_shape(lambda *qkv: jax.vjp(pattern, *qkv), x, x, x)
    assert [leaf.shape for leaf in jax.tree.leaves(pull) if leaf.size >= x.size] == [x.shape] * 3


def test_each_device_has_its_own_examples_and_sends_nothing():
    """Left to itself, the compiler moved blocks of the sequence between devices: 100 GB a step of a TPU slice."""
    mesh = make_mesh(fsdp=2, tensor=2, devices=jax.devices()[:4])
    x = jax.random.normal(jax.random.key(0), (2, 12, 2, 4))
    with target.tracing_for("cpu", mesh):
        assert "shard_map" in str(jax.make_jaxpr(Strided(3))(x, x, x))
        found = jax.jit(Strided(3))(x, x, x)
    np.testing.assert_allclose(found, Strided(3)(x, x, x), rtol=1e-5, atol=1e-6)
