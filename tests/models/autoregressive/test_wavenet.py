import jax
import numpy as np

from jaxgen.models.autoregressive.wavenet import WaveNet


def test_the_receptive_field_is_one_and_the_sum_of_the_dilations(x64):
    """The last symbol's logits, by changing each symbol before it."""
    model = WaveNet(5, width=8, skip=8, dilations=(1, 2, 4))
    x = np.random.default_rng(0).integers(0, 5, (1, 12)).astype(np.int32)
    changed = x.repeat(13, axis=0)
    changed[np.arange(12), np.arange(12)] = (x[0] + 1) % 5
    logits, _ = jax.jit(lambda: model.init_with_output(jax.random.key(1), changed))()
    moved = np.abs(np.asarray(logits)[:12, -1] - np.asarray(logits)[12, -1]).max(-1) > 1e-9
    np.testing.assert_array_equal(moved, [False] * 3 + [True] * 8 + [False])
