import jax
import numpy as np
import pytest

from jaxgen import sampling
from jaxgen.errors import UserError
from jaxgen.models.autoregressive.parallel_multiscale import ParallelMultiscale


def test_groups_are_log_many_and_independent_given_those_before(x64):
    """No symbol moves another of its group, most earlier ones move it, and samples take a pass a group."""
    model, event = ParallelMultiscale(3, width=8, blocks=2), (4, 4, 2)
    group = model.groups(event)
    assert sorted(np.unique(group)) == list(range(2 * (1 + 3 * 2)))
    by_hand = [[0, 4, 1, 4], [5, 6, 5, 6], [2, 4, 3, 4], [5, 6, 5, 6]]
    np.testing.assert_array_equal(group[..., 0] // 2, by_hand)
    group, rng = group.ravel(), np.random.default_rng(0)
    x = rng.integers(0, 3, (1, 32)).astype(np.int32)
    changed = x.repeat(33, axis=0)
    changed[np.arange(32), np.arange(32)] = (x[0] + 1) % 3

    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, *event), np.int32))
    variables = jax.tree.map(lambda p: rng.normal(0, p.shape[0] ** -0.5, p.shape), shapes)

    @jax.jit
    def logits(x):
        return model.apply(variables, x.reshape(-1, *event)).reshape(*x.shape, 3)

    out = np.asarray(logits(changed))
    moved = np.abs(out[:32] - out[32]).max(-1).T > 1e-12  # [of, by]
    earlier = group[:, None] > group
    assert not moved[~earlier].any()
    assert moved[earlier].mean() > 0.9
    _, passes = jax.jit(lambda noise: sampling.jacobi(logits, noise))(rng.gumbel(size=(20, 32, 3)))
    assert passes <= 14 + 1


@pytest.mark.parametrize("event", [(4, 2, 1), (6, 6, 1)])
def test_images_that_are_no_squares_of_a_power_of_two_are_refused(event):
    with pytest.raises(UserError, match="takes squares whose side is"):
        jax.eval_shape(ParallelMultiscale(3).init, jax.random.key(0), np.zeros((1, *event), np.int32))
