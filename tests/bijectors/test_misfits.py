"""Parts that do not fit are refused when they are put together, in one sentence with both parts and both numbers."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.compose import Chain, Repeat, Split
from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.lower_triangular import LowerTriangular
from jaxgen.bijectors.squeeze import Checkerboard, Squeeze
from jaxgen.errors import UserError
from jaxgen.layers.made import MADE


class Short(nn.Module):
    """A conditioner that gives one number too few."""

    @nn.compact
    def __call__(self, x, features):
        return nn.Dense(features - 1)(x)


def dense(**settings):
    return Coupling(DenseConditioner((4,)), **settings)


# a composition, what it is initialized with, and the sentence
MISFITS = {
    "chain: rank": (
        Chain((Squeeze(), Autoregressive(MADE((4,))))),
        [(4, 4, 1)],
        r"Squeeze gives Autoregressive examples of shape \(2, 2, 4\): .* takes \[batch, size\], .*\[batch, 2, 2, 4\]",
    ),
    "chain: size": (
        Chain((Squeeze(), Flatten((4, 4, 1)))),
        [(4, 4, 1)],
        r"Squeeze gives Flatten examples of shape \(2, 2, 4\): .* event_shape \(4, 4, 1\); got \(2, 2, 4\)",
    ),
    "chain: conditioner": (
        Chain((Flatten((2, 2, 1)), Coupling(ConvConditioner(2)))),
        [(2, 2, 1)],
        r"Flatten gives Coupling examples of shape \(4,\): NormalizedConv takes .*channels\], but got \[batch, 2\]",
    ),
    "chain: channels": (
        Chain((Squeeze(), Chain((Squeeze(),)), Squeeze())),
        [(4, 4, 1)],
        r"Chain gives Squeeze examples of shape \(1, 1, 16\): Squeeze got height x width=1x1: .* factor=2",
    ),
    "chain: squares": (
        Chain((Flatten((1, 1, 6)), Checkerboard())),
        [(1, 1, 6)],
        r"Flatten gives Checkerboard examples of shape \(6,\): Checkerboard got channels=6: give it a multiple of 4",
    ),
    "coupling: numbers": (Coupling(Short()), [(4,)], "Short gives 3 numbers, but Affine takes 4 for 2 channels"),
    "coupling: one channel": (dense(), [(1,)], "Coupling got channels=1: give it at least 2"),
    "coupling: condition": (
        dense(conditional=True),
        [(2, 2, 4), (3,)],
        r"DenseConditioner sees a condition of shape \(2, 3\) beside \(2, 2, 2, 2\)",
    ),
    "autoregressive: numbers": (
        Autoregressive(Short()),
        [(4,)],
        "Short gives 7 numbers, but Affine takes 8 for 4 channels",
    ),
    "repeat": (Repeat(Squeeze(), 2), [(4, 4, 1)], r"Repeat .*Squeeze makes .*\(2, 2, 4\) of \(4, 4, 1\)"),
    "split": (Split(Squeeze()), [(4, 4, 2)], r"Split .*Squeeze makes .*\(2, 2, 4\) of \(4, 4, 1\)"),
    "split: one channel": (Split(dense()), [(4, 4, 1)], "Split got channels=1: give it at least 2"),
    "lower triangular": (LowerTriangular(), [(4,), (5,)], "a condition of 6 numbers for 4 dimensions, but got 5"),
}


@pytest.mark.parametrize("name", list(MISFITS))
def test_a_misfit_is_a_sentence_before_anything_is_computed(name):
    bijector, shapes, sentence = MISFITS[name]
    given = [jax.ShapeDtypeStruct((2, *shape), jnp.float32) for shape in shapes]
    with pytest.raises(UserError, match=sentence):
        jax.eval_shape(bijector.init, jax.random.key(0), *given)


def test_so_is_one_from_base_to_data():
    z = jax.ShapeDtypeStruct((2, 5), jnp.float32)
    init = functools.partial(Flatten((2, 2, 1)).init, method="forward_and_log_det")
    with pytest.raises(UserError, match=r"Flatten makes \(2, 2, 1\) of 4 numbers; got \(5,\)"):
        jax.eval_shape(init, jax.random.key(0), z)


def test_nothing_is_repeated_no_times():
    with pytest.raises(UserError, match="length is 0: repeat Coupling at least once"):
        Repeat(dense(), 0)
