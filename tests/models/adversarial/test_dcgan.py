"""DCGAN: sizes worked by hand, what batch normalization makes invariant, and that it can learn."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from jaxgen.errors import UserError
from jaxgen.models.adversarial.dcgan import Discriminator, Generator


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def init(module, x):
    """The module's variables; jitted, as an eager initialization compiles every operation by itself."""
    return jax.jit(lambda key: module.init(key, x, train=True))(jax.random.key(0))


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_parameter_counts_by_hand():
    g = init(Generator((16, 16, 3), width=8), normal(0, 2, 10))
    project, up_0, up_1 = 10 * 16 * 16, 16 * 16 * 8, 16 * 8 * 3 + 3  # 4x4x16 -> 8x8x8 -> 16x16x3, bias at the image
    assert count(g["params"]) == project + up_0 + up_1 + 2 * (16 + 8)
    assert count(g["batch_stats"]) == 2 * (16 + 8)
    d = init(Discriminator(width=8), normal(0, 2, 16, 16, 3))
    down_0, down_1, logit = 16 * 3 * 8 + 8, 16 * 8 * 16, 16 * 16 + 1  # 16x16x3 -> 8x8x8 -> 4x4x16 -> 1
    assert count(d["params"]) == down_0 + down_1 + logit + 2 * 16
    assert count(d["batch_stats"]) == 2 * 16


def test_weights_are_drawn_with_standard_deviation_002():
    params = init(Generator((16, 16, 3), width=32), normal(0, 2, 100))["params"]
    for layer, kernel in (("project", "kernel"), ("up_0", "transposed_kernel")):
        np.testing.assert_allclose(params[layer][kernel].std(), 0.02, rtol=0.02)


@pytest.mark.quick("8")
@pytest.mark.parametrize("size", [8, 32])
def test_images_have_their_size_and_range(size):
    generator, discriminator = Generator((size, size, 3), width=4), Discriminator(width=4)
    z = 100 * normal(0, 3, 10)
    variables = init(generator, z)
    variables["params"] = jax.tree.map(lambda p: 50 * p, variables["params"])  # far into saturation
    images, _ = generator.apply(variables, z, train=True, mutable=["batch_stats"])
    assert images.shape == (3, size, size, 3)
    assert 0.9 < jnp.abs(images).max() <= 1
    logits = jax.eval_shape(lambda x: discriminator.init_with_output(jax.random.key(1), x, train=True)[0], images)
    assert logits.shape == (3,)


@pytest.mark.parametrize("shape", [(4, 4), (12, 12), (16, 32)])
def test_other_sizes_are_refused_in_a_sentence(shape):
    with pytest.raises(UserError, match=rf"image size {shape[0]}x{shape[1]}.*pad or resize"):
        init(Generator((*shape, 1)), jnp.zeros((2, 8)))


def test_training_output_ignores_the_scale_of_normalized_kernels():
    """BatchNorm(a W x) = BatchNorm(W x) for a > 0, so the kernel's gradient is orthogonal to the kernel."""
    generator = Generator((8, 8, 1), width=8)
    z = normal(0, 16, 10)
    variables = init(generator, z)

    def images(kernel):
        params = {**variables["params"], "project": {"kernel": kernel}}
        return generator.apply({**variables, "params": params}, z, train=True, mutable=["batch_stats"])[0]

    kernel = 10 * variables["params"]["project"]["kernel"]
    np.testing.assert_allclose(images(3 * kernel), images(kernel), atol=1e-5)
    weights = normal(1, *images(kernel).shape)
    gradient = jax.grad(lambda k: jnp.sum(weights * images(k)))(kernel)
    cosine = jnp.vdot(gradient, kernel) / jnp.linalg.norm(gradient) / jnp.linalg.norm(kernel)
    assert abs(cosine) < 1e-3
    assert jnp.linalg.norm(gradient) > 1e-4


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_examples_mix_in_training_only(network):
    if network == "generator":
        module, x, other = Generator((8, 8, 1), width=8), normal(0, 4, 10), 5 * normal(1, 3, 10)
    else:
        module, x, other = Discriminator(width=8), normal(0, 4, 16, 16, 1), 5 * normal(1, 3, 16, 16, 1)
    variables = init(module, x)
    mates = jnp.concatenate([x[:1], other])
    evaluated = [module.apply(variables, batch, train=False)[0] for batch in (x, mates)]
    np.testing.assert_allclose(*evaluated, atol=1e-6)
    trained = [module.apply(variables, batch, train=True, mutable=["batch_stats"])[0][0] for batch in (x, mates)]
    assert jnp.abs(trained[0] - trained[1]).max() > 1e-3 * jnp.abs(trained[0]).max()


def test_batch_statistics_move_a_tenth_of_the_way():
    module, z = Generator((8, 8, 1), width=8), normal(0, 64, 10)
    variables = init(module, z)
    _, new = module.apply(variables, z, train=True, mutable=["batch_stats"])
    hidden = (z @ variables["params"]["project"]["kernel"]).reshape(-1, 8)  # every pixel of the 4x4x8 map
    moved = new["batch_stats"]["norm_0"]
    np.testing.assert_allclose(moved["mean"], 0.1 * hidden.mean(0), atol=1e-6)
    np.testing.assert_allclose(moved["var"], 0.9 + 0.1 * hidden.var(0), rtol=1e-5)


def test_bfloat16_computes_and_float32_keeps():
    module, z = Generator((8, 8, 1), width=8, dtype=jnp.bfloat16), normal(0, 16, 10)
    variables = init(module, z)
    images = module.apply(variables, z, train=True, mutable=["batch_stats"])[0]
    assert images.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    exact = Generator((8, 8, 1), width=8).apply(variables, z, train=True, mutable=["batch_stats"])[0]
    np.testing.assert_allclose(images.astype(jnp.float32), exact, atol=0.02)


@pytest.mark.parametrize(("normalization", "kept"), [("spectral", {"spectral"}), (None, set())])
def test_a_discriminator_without_batch_normalization_has_biases_instead(normalization, kept):
    module, x = Discriminator(width=8, normalization=normalization), jnp.zeros((2, 16, 16, 1))
    variables = jax.eval_shape(lambda key: module.init(key, x, train=True), jax.random.key(0))
    assert variables.keys() - {"params"} == kept
    assert count(variables["params"]) == 16 * 8 + 8 + 16 * 8 * 16 + 16 + 16 * 16 + 1


def test_discriminator_learns_zeros_from_ones():
    """Ten Adam steps on real digits halve the log 2 of a coin."""
    digits = load_digits(n_class=2)
    images = jnp.asarray(digits.images[:64, :, :, None] / 8 - 1, jnp.float32)
    signs = jnp.asarray(2 * digits.target[:64] - 1)
    module, optimizer = Discriminator(width=16), optax.adam(1e-2)
    variables = init(module, images)

    @jax.jit
    def step(params, state):
        def loss(params):
            logits, _ = module.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
            return jax.nn.softplus(-signs * logits).mean()

        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradient, state)
        return value, optax.apply_updates(params, updates), state

    params, state = variables["params"], optimizer.init(variables["params"])
    for _ in range(11):
        value, params, state = step(params, state)
    assert value < np.log(2) / 2
