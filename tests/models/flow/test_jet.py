"""What a coupling of patches leaves alone, and what moves the rest."""

import jax
import numpy as np

from jaxgen.models.flow.jet import jet


def test_a_coupling_moves_half_of_each_patch_by_the_other_halves_of_all_of_them(x64):
    model, shape = jet(patch=2, couplings=1, width=4, layers=1), (4, 4, 1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, *shape))
    variables = model.init(jax.random.key(0), x, method="inverse_and_log_det")
    z, log_det = model.apply(variables, x, method="inverse_and_log_det")
    np.testing.assert_allclose(np.sort(z.ravel()), np.sort(x.ravel()), rtol=1e-12)  # at first nothing but an order
    np.testing.assert_allclose(log_det, 0, atol=1e-12)
    moved = variables | {"params": jax.tree.map(lambda p: 0.5 * rng.normal(size=p.shape), variables["params"])}

    def to_base(x):
        return model.apply(moved, x.reshape(1, *shape), method="inverse_and_log_det")[0].ravel()

    seen = np.abs(jax.jit(jax.jacobian(to_base))(x.ravel())) > 1e-9
    kept = seen.sum(1) == 1
    assert kept.reshape(2, 2, 2, 2).sum((1, 3)).tolist() == [[2, 2], [2, 2]]  # of the four numbers of each patch
    assert set(seen[~kept].sum(1)) == {8 + 1}
    assert (seen[~kept][:, seen[kept].any(0)]).all()
