"""VAE networks: sizes worked by hand, independence of examples, and that they can fit real digits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from jaxgen.errors import UserError
from jaxgen.models.latent.vae import ConvDecoder, ConvEncoder, MLPDecoder, MLPEncoder

PAIRS = {
    "mlp": (MLPEncoder(4, (32,)), MLPDecoder((8, 8, 1), (32,))),
    "conv": (ConvEncoder(4, width=8), ConvDecoder((8, 8, 1), width=8)),
}


def count(module, x):
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(module.init, jax.random.key(0), x)))


def test_parameter_counts_by_hand():
    images, z = jnp.zeros((2, 16, 16, 3)), jnp.zeros((2, 5))
    assert count(MLPEncoder(5, (7, 9)), images) == (768 * 7 + 7) + (7 * 9 + 9) + (9 * 10 + 10)
    assert count(MLPDecoder((16, 16, 3), (9, 7), outputs=2), z) == (5 * 9 + 9) + (9 * 7 + 7) + (7 * 1536 + 1536)
    # 16x16x3 -> 8x8x4 -> 4x4x8 -> 2 x 5, and back to two numbers for each of three channels
    assert count(ConvEncoder(5, width=4), images) == (16 * 3 * 4 + 4) + (16 * 4 * 8 + 8) + (128 * 10 + 10)
    decoder = (5 * 128 + 128) + (16 * 8 * 4 + 4) + (16 * 4 * 6 + 6)
    assert count(ConvDecoder((16, 16, 3), width=4, outputs=2), z) == decoder


@pytest.mark.parametrize("decoder", [MLPDecoder((8, 8, 3), (16,), outputs=2), ConvDecoder((8, 8, 3), 4, outputs=2)])
def test_last_axis_takes_the_parameters_apart(decoder):
    """Moving the last layer's bias of one output moves that output of every pixel, and no other."""
    z = jax.random.normal(jax.random.key(1), (2, 5))
    variables = jax.jit(decoder.init)(jax.random.key(0), z)
    before = decoder.apply(variables, z)
    bias = variables["params"]["likelihood"]["bias"]
    variables["params"]["likelihood"]["bias"] = bias.reshape(-1, 2).at[:, 1].add(3.0).reshape(bias.shape)
    moved = decoder.apply(variables, z) - before
    assert moved.shape == (2, 8, 8, 3, 2)
    np.testing.assert_allclose(moved, np.broadcast_to([0.0, 3.0], moved.shape), atol=1e-5)


@pytest.mark.parametrize("name", PAIRS)
def test_examples_are_independent(name):
    encoder, decoder = PAIRS[name]
    for module, x in ((encoder, jnp.ones((3, 8, 8, 1))), (decoder, jnp.ones((3, 4)))):
        x = x * jax.random.normal(jax.random.key(0), x.shape)
        variables = jax.jit(module.init)(jax.random.key(1), x)

        def first(x, module=module, variables=variables):
            return jnp.stack([jnp.sum(out[0]) for out in jax.tree.leaves(module.apply(variables, x))]).sum()

        gradient = jax.jit(jax.grad(first))(x)
        assert jnp.abs(gradient[0]).max() > 1e-4
        assert not gradient[1:].any()


@pytest.mark.parametrize("name", PAIRS)
def test_bfloat16_computes_and_float32_keeps(name):
    for module in PAIRS[name]:
        x = jnp.ones((2, 8, 8, 1)) if "Encoder" in type(module).__name__ else jnp.ones((2, 4))
        variables = jax.jit(module.init)(jax.random.key(0), x)
        exact, rough = (jax.jit(m.apply)(variables, x) for m in (module, module.clone(dtype=jnp.bfloat16)))
        assert {leaf.dtype for leaf in jax.tree.leaves(rough)} == {jnp.dtype("bfloat16")}
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b.astype(jnp.float32), atol=0.05), exact, rough)


def test_other_sizes_are_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"image size 28x28.*pad or resize"):
        ConvEncoder(4).init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_fits_digits_better_than_independent_pixels(name):
    """Through four latents and no noise, cross-entropy falls below the entropy of each pixel's own Bernoulli."""
    encoder, decoder = PAIRS[name]
    images = jnp.asarray(load_digits().images[:64, :, :, None] > 7, jnp.float32)
    params = {
        "encoder": jax.jit(encoder.init)(jax.random.key(0), images)["params"],
        "decoder": jax.jit(decoder.init)(jax.random.key(1), jnp.zeros((1, 4)))["params"],
    }
    optimizer = optax.adam(1e-2)

    @jax.jit
    def step(params, state):
        def loss(params):
            mean, _ = encoder.apply({"params": params["encoder"]}, images)
            logits = decoder.apply({"params": params["decoder"]}, mean)[..., 0]
            return optax.sigmoid_binary_cross_entropy(logits, images).sum((1, 2, 3)).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state)
        return value, optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    for _ in range(100):
        value, params, state = step(params, state)
    mean = np.asarray(images).mean(0).clip(1e-6, 1 - 1e-6)
    independent = -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)).sum()
    assert value < 0.8 * independent, (float(value), float(independent))
