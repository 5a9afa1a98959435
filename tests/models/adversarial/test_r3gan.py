"""Residual networks without normalization: what a block is, and that depth neither grows nor shrinks what begins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen.models.adversarial.r3gan import Block, Critic, Generator

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(2, 5, 6, 8)).astype(np.float32)
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def test_a_block_is_what_its_formula_says_group_by_group():
    block = Block(groups=4, expansion=2, blocks=3)
    rng = np.random.default_rng(1)
    shapes = jax.jit(block.init)(KEY, X)
    params = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32) / 4, shapes)["params"]

    def rectified(x, name):
        x = x + params[name]
        return np.where(x > 0, x, 0.2 * x)

    y = rectified(X @ params["conv_0"]["kernel"][0, 0], "bias_0")
    kernel = params["conv_1"]["kernel"]  # [3, 3, 16 / 4, 16]
    groups = [
        lax.conv_general_dilated(
            y[..., 4 * g : 4 * g + 4], kernel[..., 4 * g : 4 * g + 4], (1, 1), "SAME", dimension_numbers=DIMENSIONS
        )
        for g in range(4)
    ]
    y = rectified(np.concatenate(groups, -1), "bias_1") @ params["conv_2"]["kernel"][0, 0]
    np.testing.assert_allclose(block.apply({"params": params}, X), X + y, atol=1e-4)


def test_a_block_begins_as_the_identity_and_its_convolutions_as_fixup_says():
    block = Block(groups=4, expansion=8, blocks=16)
    variables = jax.jit(block.init)(KEY, X)
    np.testing.assert_array_equal(block.apply(variables, X), X)
    for name, fan_in in (("conv_0", 8), ("conv_1", 9 * 16)):
        std = float(jnp.std(variables["params"][name]["kernel"]))
        assert std == pytest.approx(np.sqrt(2 / 1.04 / fan_in) / 16**0.25, rel=0.1)
    assert not any("norm" in jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(variables))


@pytest.mark.quick("1")
@pytest.mark.parametrize("blocks", [1, 6])
def test_depth_changes_nothing_at_the_start(blocks):
    """Whatever the depth, the same images and logits, of size about one."""
    z = jax.random.normal(KEY, (64, 32))
    generator = Generator((16, 16), blocks=blocks, expansion=1)
    images = jax.jit(generator.apply)(jax.jit(generator.init)(KEY, z), z)
    assert images.shape == (64, 8, 8, 1)
    assert 0.2 < float(jnp.std(images)) < 2
    critic = Critic((16, 16), blocks=blocks, expansion=1)
    x = jax.random.normal(KEY, (64, 8, 8, 1))
    assert 0.02 < float(jnp.std(jax.jit(critic.apply)(jax.jit(critic.init)(KEY, x), x))) < 2


@pytest.mark.slow
def test_a_critic_of_single_examples_has_a_second_derivative(x64):
    """R1 and R2 differentiate its gradient: no statistics of the batch, so each example's own."""
    critic = Critic((4, 4), blocks=1, groups=2, expansion=1)
    x = jax.random.normal(KEY, (3, 8, 8, 1))
    params = jax.jit(critic.init)(KEY, x)
    params = jax.tree.map(lambda p: jnp.asarray(p + 0.1, float), params)
    judge = jax.jit(critic.apply)
    alone = jnp.concatenate([judge(params, x[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(judge(params, x), alone, rtol=1e-4, atol=1e-5)

    @jax.jit
    def penalty(p):
        return jnp.mean(jnp.square(jax.grad(lambda x: critic.apply(p, x).sum())(x)))

    gradient = jax.jit(jax.grad(penalty))(params)
    direction = jax.tree.map(lambda p: jax.random.normal(KEY, p.shape), params)
    ahead, back = (penalty(jax.tree.map(lambda p, d, s=s: p + s * d, params, direction)) for s in (1e-7, -1e-7))
    slope = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
    assert float(slope) == pytest.approx(float(ahead - back) / 2e-7, rel=1e-4)
