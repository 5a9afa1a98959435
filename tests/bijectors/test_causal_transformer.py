"""The class that a causal transformer is told: nothing, or more of it than it was trained to be told."""

import jax
import numpy as np

from jaxgen.bijectors.causal_transformer import CausalTransformer
from jaxgen.bijectors.coupling import Additive

KEY = jax.random.key(0)


def test_guidance_moves_shifts_from_those_of_no_class_through_those_of_the_class(x64):
    """Of an additive transform x - z is the shift: linear in w, at -1 that of no class, at 0 that of the class."""
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(4, 3, 2)), np.array([0, 1, 2, 1])

    def module(guidance):
        return CausalTransformer(4, 1, transform=Additive(), classes=3, guidance=guidance)

    variables = jax.tree.map(lambda p: rng.normal(size=p.shape), jax.eval_shape(module(0.0).init, KEY, x, label))

    @jax.jit
    def shifts():
        found = lambda w, c: x - module(w).apply(variables, x, c, method="inverse_and_log_det")[0]  # noqa: E731
        return [found(0.0, np.full(4, -1)), found(0.0, label), found(-1.0, label), found(0.7, label)]

    untold, told, least, guided = map(np.asarray, shifts())
    np.testing.assert_allclose(least, untold, atol=1e-6)  # the attention's softmax is of float32
    np.testing.assert_allclose(guided, told + 0.7 * (told - untold), atol=1e-6)
    assert np.abs(told - untold)[:, 1:].min() > 1e-3
    assert np.abs(told[:, 0]).max() == 0  # the first vector stays as it is
