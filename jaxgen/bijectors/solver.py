"""Roots of one unknown per element, for inverses that have no closed form."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError


def increasing_root(
    residual: Callable[[jax.Array], jax.Array],
    lower: jax.Array,
    upper: jax.Array,
    *,
    tolerance: float | None = None,
    max_iterations: int = 100,
) -> jax.Array:
    """The t between `lower` and `upper` with residual(t) = 0, by Newton's method safeguarded with bisection.

    A Newton step that leaves the bracket, or is longer than half of the step before, gives way to a bisection, so that
    what is found is found in at most about twice as many evaluations as t has bits, and mostly in five to ten. The
    derivative, by either mode, is the implicit function theorem's: nothing is stored of the iterations.
    Press et al., 2007, "Numerical Recipes", section 9.4.

    Args:
      residual: elementwise and increasing, `[...]` to `[...]`; it may close over arrays to differentiate by.
      lower: where the residual is negative, `[...]`.
      upper: where it is positive, `[...]`.
      tolerance: how short the last step must be, relative to the bracket's larger end; a few roundings unless told.
      max_iterations: evaluations after which the search gives up.

    Returns:
      `[...]`; NaN where the bracket holds no root or the last step was too long, which `require_converged` turns into
      an error. Inside a compiled step the NaN reaches the loss, and training stops there.
    """

    def solve(residual: Callable[[jax.Array], jax.Array], start: jax.Array) -> jax.Array:
        relative = 4 * jnp.finfo(start.dtype).eps if tolerance is None else tolerance
        short = relative * jnp.maximum(jnp.abs(lower), jnp.abs(upper))
        low, high = lower - 4 * short, upper + 4 * short  # a root at an end may fall outside by a rounding
        bracketed = (residual(low) <= 0) & (residual(high) >= 0)

        def searching(state: tuple) -> jax.Array:
            _, _, _, step, iteration = state
            return jnp.any(bracketed & (step > short)) & (iteration < max_iterations)

        def iterate(state: tuple) -> tuple:
            t, low, high, step, iteration = state
            value, slope = jax.jvp(residual, (t,), (jnp.ones_like(t),))
            low, high = jnp.where(value <= 0, t, low), jnp.where(value >= 0, t, high)
            newton = t - value / slope
            trusted = (low <= newton) & (newton <= high) & (jnp.abs(newton - t) <= 0.5 * step)
            proposed = jnp.where(trusted, newton, 0.5 * (low + high))
            done = step <= short  # an element that has converged rests while others go on
            return jnp.where(done, t, proposed), low, high, jnp.where(done, step, jnp.abs(proposed - t)), iteration + 1

        t, _, _, step, _ = jax.lax.while_loop(searching, iterate, (start, low, high, high - low, 0))
        return jnp.where(bracketed & (step <= short), t, jnp.nan)

    def divide(tangent: Callable[[jax.Array], jax.Array], y: jax.Array) -> jax.Array:
        return y / tangent(jnp.ones_like(y))

    lower, upper = jax.lax.stop_gradient((lower, upper))
    return jax.lax.custom_root(residual, 0.5 * (lower + upper), solve, divide)


def require_converged(solution: jax.Array) -> jax.Array:
    """`solution` itself, where every example of `[batch, ...]` has converged. Call it outside of `jax.jit`.

    Raises:
      UserError: some example holds a NaN, which is how a solver marks what it has not found.
    """
    failed = jnp.isnan(solution).reshape(len(solution), -1).any(axis=1)
    if failed.any():
        raise UserError(
            f"the inverse did not converge on {int(failed.sum())} of {len(failed)} examples: give finite data, or run "
            "in float64 (JAX_ENABLE_X64=1)."
        )
    return solution
