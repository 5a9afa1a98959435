"""A flow whose base density depends on the class."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, run, sum_per_example


class ClassPrior(Bijector):
    """x = f(exp(l_y)·u + m_y) and u = (f⁻¹(x) - m_y)·exp(-l_y): f with base N(m_y, exp(2·l_y)) for the class y.

    The log-dets of f, plus or minus Σl_y. m and l are learned for each base variable, those factored out early
    included, and start at 0. Kingma & Dhariwal 2018, section 5 and appendix E (class-conditional top prior).

    Attributes:
      flow: f, a bijector of x `[batch, ..., channels]`.
      classes: how many values y, the condition, int `[batch]`, takes.
    """

    flow: Bijector
    classes: int
    conditional = True

    @nn.compact
    def _prior(self, shape: tuple[int, ...], label: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Means and log standard deviations `[batch, *shape]`."""
        mean, log_std = (
            self.param(name, nn.initializers.zeros, (self.classes, *shape)) for name in ("mean", "log_std")
        )
        return jnp.take(mean, label, axis=0), jnp.take(log_std, label, axis=0)

    def forward_and_log_det(self, z: jax.Array, condition: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, log_std = self._prior(z.shape[1:], condition)
        x, log_det = run(self.flow, "forward_and_log_det", z * jnp.exp(log_std) + mean, condition)
        return x, log_det + sum_per_example(log_std)

    def inverse_and_log_det(self, x: jax.Array, condition: jax.Array) -> tuple[jax.Array, jax.Array]:
        z, log_det = run(self.flow, "inverse_and_log_det", x, condition)
        mean, log_std = self._prior(z.shape[1:], condition)
        return (z - mean) * jnp.exp(-log_std), log_det - sum_per_example(log_std)
