import jax
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.models.autoregressive.subscale import SubscalePixelNetwork


def test_the_order_is_slice_by_slice():
    model = SubscalePixelNetwork(3, factor=2, width=8, layers=1, heads=2)
    order = model.order((4, 4, 2))
    by_hand = [
        8 * y + 2 * x + channel
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))
        for y in (i, i + 2)
        for x in (j, j + 2)
        for channel in (0, 1)
    ]
    np.testing.assert_array_equal(order, by_hand)


def test_images_that_slices_do_not_fill_are_refused():
    with pytest.raises(UserError, match="images are 4x3: factor=2 takes multiples of 2"):
        jax.eval_shape(SubscalePixelNetwork(3).init, jax.random.key(0), np.zeros((1, 4, 3, 1), np.int32))
