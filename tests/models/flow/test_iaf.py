import functools

import jax
import numpy as np

from jaxgen.models.flow.iaf import iaf

quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})

TO_Z = "forward_and_log_det"


def test_log_det_is_the_jacobian_s_and_the_context_moves_every_element():
    flow, rng = iaf(2, (16,)), np.random.default_rng(0)
    z, context = rng.standard_normal((2, 4), np.float32), rng.standard_normal((2, 3), np.float32)
    shapes = jax.eval_shape(functools.partial(flow.init, method=TO_Z), jax.random.key(0), z, context)
    variables = jax.tree.map(lambda p: np.float32(0.5 * rng.standard_normal(p.shape)), shapes)

    @quick_jit
    def derivatives(z, context):
        def one(z, context):
            out, log_det = flow.apply(variables, z[None], context[None], method=TO_Z)
            return out[0], log_det[0]

        return jax.jacfwd(lambda z, c: one(z, c)[0], (0, 1))(z[0], context[0]), flow.apply(
            variables, z, context, method=TO_Z
        )

    (by_z, by_context), (_, log_det) = derivatives(z, context)
    np.testing.assert_allclose(log_det[0], np.linalg.slogdet(np.asarray(by_z))[1], rtol=1e-4, atol=1e-5)
    assert (np.abs(by_context).max(1) > 1e-3).all()


def test_starts_by_leaving_the_gaussian_as_it_is():
    z = np.random.default_rng(0).standard_normal((3, 4), np.float32)
    start = functools.partial(iaf(2, (8,)).init_with_output, method=TO_Z)
    (out, log_det), _ = quick_jit(start)(jax.random.key(0), z, z)
    np.testing.assert_array_equal(out, z)
    np.testing.assert_array_equal(log_det, 0.0)
