import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.codec.direct import Direct, of_logits
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.autoregressive.transformer import Transformer


def coder(model, scale, event, batch):
    variables = jax.jit(model.init)(jax.random.key(0), np.zeros((1, *event), np.int32))
    variables = jax.tree.map(lambda p: scale * p, variables)
    apply = functools.partial(model.apply, variables)
    start = apply(event, batch, method="start")
    return Direct(of_logits(functools.partial(apply, method="step")), start, model.order(event), batch), apply


@pytest.mark.quick("text")
@pytest.mark.parametrize(
    ("model", "scale", "event"),
    [
        (GatedPixelCNN(5, width=6, layers=2, size=3), 1, (3, 4, 1)),
        (Transformer(5, width=8, layers=1, heads=2), 5, (12,)),
    ],
    ids=["images", "text"],
)
def test_blocks_full_or_not_come_back_and_take_the_model_s_bits(model, scale, event):
    direct, apply = coder(model, scale, event, 8)
    x = np.random.default_rng(0).integers(0, 5, (8, 12)).astype(np.int32)
    bits = -np.asarray(apply(x.reshape(-1, *event), method="log_prob")) / np.log(2)
    for size in (96, 12, 17, 1):
        words = direct.encode(x.ravel()[:size])
        np.testing.assert_array_equal(direct.decode(words, size), x.ravel()[:size])
        if size % 12 == 0:  # what is not there costs nothing
            whole = bits[: size // 12].sum()
            assert whole - 1 < 32 * len(words) < 1.001 * whole + 64


def test_a_step_writes_into_the_cache_that_it_is_given():
    """Copied at every symbol, a cache of a megabyte a sequence would take longer than the network."""
    step = of_logits(lambda cache, position, previous: (cache.at[position].set(previous), jnp.zeros((2, 3))))
    cache = jnp.zeros((4, 2), np.int32)
    step(cache, np.int32(0), np.ones(2, np.int32))
    assert cache.is_deleted()
