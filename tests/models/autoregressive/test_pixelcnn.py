import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.autoregressive.pixelcnn import PixelCNN


def seen(model, image: np.ndarray) -> np.ndarray:
    """Which pixels [j] the first logit of each pixel [i] depends on, by autodiff; positive weights keep ReLUs open."""
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), image))
    rng = np.random.default_rng(0)
    variables = jax.tree.map(lambda p: jnp.asarray(rng.uniform(0.5, 1, p.shape) / p.shape[0]), shapes)
    moved = jax.jit(
        jax.vmap(lambda x: model.apply(variables, x[None])[0, ..., 0, 0].ravel())
    )  # all single changes of the image at once
    size = image.size
    changed = np.tile(image.reshape(1, -1), (size, 1))
    changed[np.arange(size), np.arange(size)] += 1
    base = np.asarray(moved(image))
    return np.asarray(moved(changed.reshape(size, *image.shape[1:])) != base).T


def test_the_blind_spot_of_masked_convolutions_is_where_theory_puts_it(x64):
    """3x3 kernels: d rows up a pixel reaches d columns to the right. On 8x8 that misses 16.0 % of all earlier pairs."""
    blind = np.zeros((8, 8, 8, 8), bool)
    for y, x, v, u in np.ndindex(blind.shape):
        blind[y, x, v, u] = v < y and u - x > y - v
    blind = blind.reshape(64, 64)
    assert round(100 * blind.sum() / (64 * 63 / 2), 1) == 16.0
    earlier = np.tri(64, k=-1, dtype=bool)
    image = np.zeros((1, 8, 8, 1), np.int32)
    np.testing.assert_array_equal(seen(PixelCNN(3, width=2, layers=8), image), earlier & ~blind)
    np.testing.assert_array_equal(seen(GatedPixelCNN(3, width=2, layers=8, size=3), image), earlier)


@pytest.mark.parametrize("model", [PixelCNN(4, width=8), GatedPixelCNN(4, width=8)], ids=["masked", "gated"])
def test_hidden_channels_that_an_image_s_cannot_share_are_refused(model):
    with pytest.raises(UserError, match=r"width is 8: .*3 channels"):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 4, 4, 3), jnp.int32))
