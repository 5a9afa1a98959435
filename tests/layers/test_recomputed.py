"""What a layer that computes again gives, and what it keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.test_util import check_grads

from jaxgen.layers.recomputed import LayerNorm, gelu
from jaxgen.layers.transformer import Block


def kept(function, *args):
    """Numbers of bytes of the arrays that the gradient waits for, as reverse mode hands them over."""
    _, pull = jax.eval_shape(lambda *args: jax.vjp(function, *args), *args)
    return sorted(x.size * x.dtype.itemsize for x in jax.tree.leaves(pull))


def test_it_is_the_layer_it_stands_for():
    x = jax.random.normal(jax.random.key(0), (5, 7))
    plain, again = nn.LayerNorm(use_bias=False), LayerNorm(use_bias=False)
    variables = jax.tree.map(lambda p: p * 1.5, plain.init(jax.random.key(1), x))
    assert jax.tree.structure(again.init(jax.random.key(1), x)) == jax.tree.structure(variables)
    np.testing.assert_array_equal(again.apply(variables, x), plain.apply(variables, x))
    np.testing.assert_array_equal(gelu(x), jax.nn.gelu(x))
    check_grads(lambda x: again.apply(variables, gelu(x)), (x,), order=2, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("layer", [gelu, lambda x: LayerNorm().apply({"params": {"scale": S, "bias": S}}, x)])
def test_it_keeps_its_input_alone(layer):
    x = jax.ShapeDtypeStruct((64, 32), jnp.bfloat16)
    assert sum(size for size in kept(layer, x) if size > S.nbytes) == 64 * 32 * 2


S = jnp.ones(32)


def test_a_block_keeps_a_third_of_what_autodiff_would():
    """Of its elementwise work nothing: its two inputs, normalized, queries to values, both sides of the GELU."""
    width, positions = 32, 512  # longer than it is wide: weights are smaller than activations
    block = Block(4, 1, attend=lambda query, key, value: value, dtype=jnp.bfloat16)
    x = jax.ShapeDtypeStruct((1, positions, width), jnp.bfloat16)
    variables = jax.eval_shape(block.init, jax.random.key(0), x)
    arrays = [n for n in kept(lambda v, x: block.apply(v, x)[0], variables, x) if n >= positions * width * 2]
    assert sum(arrays) <= (2 + 2 + 3 + 2 * 4) * positions * width * 2
