"""Penalties that keep a game playable: on the critic's gradient, on weights, and on samples that are all alike.

A critic here is a function `images [batch, ...] -> scores [batch]`. Gradients of a whole batch are taken at once, as
that of the sum of scores, which is each example's own gradient only if no score depends on another example: a critic
with BatchNorm or a minibatch layer has no such gradient, and its penalty would mean nothing (Gulrajani et al. 2017,
section 4). Spectral and layer normalization are fine. Results are in float32 or better.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32, only, sum_event_axes

Critic = Callable[[jax.Array], jax.Array]


def gradient_penalty(
    critic: Critic, real: ArrayLike, fake: ArrayLike, key: jax.Array, *, target: float = 1.0
) -> jax.Array:
    """`(|grad f(x)| - target)^2` at a random point x between each pair: Gulrajani et al. 2017, eq. 3 (there times 10).

    Args:
      critic: f.
      real: `[batch, ...]`.
      fake: of the same shape; no gradient passes to what made it.
      key: PRNG key of the points, uniform on the segments, one an example.
      target: the norm wanted, 1; 0 gives the zero-centred penalty of Thanh-Tung et al. 2019.

    Returns:
      `[batch]`.

    Raises:
      UserError: real and fake differ in shape.
    """
    return jnp.square(_norm(squared_gradient(critic, _between(real, fake, key))) - target)


def r1(critic: Critic, real: ArrayLike) -> jax.Array:
    """`|grad f(x)|^2` at the data: Mescheder et al. 2018, eq. 9 (there times gamma / 2).

    Args:
      critic: f, a logit or a score.
      real: `[batch, ...]`; generated examples make it R2.

    Returns:
      `[batch]`.
    """
    return squared_gradient(critic, real)


def max_gradient_penalty(
    critic: Critic, real: ArrayLike, fake: ArrayLike, key: jax.Array, *, where: ArrayLike | None = None
) -> jax.Array:
    """`max_x |grad f(x)|^2` over points between the pairs: Zhou et al. 2019, "Lipschitz Generative Adversarial Nets".

    The largest norm met is what a batch knows of the critic's Lipschitz constant; no other norm is made smaller.

    Args:
      critic: f.
      real: `[batch, ...]`.
      fake: of the same shape.
      key: PRNG key of the points, uniform on the segments.
      where: which pairs there are, `[batch]`, at least one; None for all.

    Returns:
      `[]`, one number for the batch.

    Raises:
      UserError: real and fake differ in shape.
    """
    points = only(where, _between(real, fake, key))
    return jnp.max(only(where, squared_gradient(critic, points)))


def squared_gradient(critic: Critic, x: ArrayLike) -> jax.Array:
    """`|grad f(x)|^2` with respect to the whole event, `[batch]`, of points `[batch, ...]`."""
    (gradient,) = at_least_float32(jax.grad(lambda x: jnp.sum(critic(x)))(jnp.asarray(x)))
    return sum_event_axes(jnp.square(gradient))


def path_length(
    synthesize: Callable[[jax.Array], jax.Array],
    w: ArrayLike,
    key: jax.Array,
    mean: ArrayLike,
    *,
    decay: float = 0.01,
    where: ArrayLike | None = None,
) -> tuple[jax.Array, jax.Array]:
    """`(|J^T y| - a)^2` with a the running mean of the lengths: Karras et al. 2020, equation 4 (there times 2).

    y is a random image of variance 1 / (height * width) a channel. Zero where w moves the image equally far everywhere
    and in all directions; `E |J^T y|^2` is the Jacobian's squared Frobenius norm over the number of pixels.

    Args:
      synthesize: w to images `[batch, height, width, channels]`, each example's from its own w alone.
      w: `[batch, n]`, or `[batch, layers, n]`, of whose layers the squares are averaged.
      key: PRNG key of y.
      mean: the running mean before, `[]`, 0 at the start.
      decay: how far it moves towards the batch's mean.
      where: which examples there are, `[batch]`; None for all.

    Returns:
      The penalty `[batch]`, 0 for those that are not there, and the running mean after, `[]`, a constant to
      differentiation.
    """
    images, pull = jax.vjp(synthesize, only(where, jnp.asarray(w)))
    y = jax.random.normal(key, images.shape, images.dtype) / (images.shape[1] * images.shape[2]) ** 0.5
    (gradient,) = at_least_float32(pull(y)[0])
    layers = gradient.shape[1] if gradient.ndim == 3 else 1
    lengths = _norm(sum_event_axes(jnp.square(gradient)) / layers)
    of_batch = jnp.mean(lengths, where=None if where is None else jnp.asarray(where, bool))
    moved = jax.lax.stop_gradient((1 - decay) * jnp.asarray(mean) + decay * of_batch)
    return only(where, jnp.square(lengths - moved)), moved


def orthogonality(kernel: ArrayLike, *, norms: bool = False, output_axis: int = -1) -> jax.Array:
    """`|WᵀW - I|^2` without its diagonal, summed: filters at right angles, of any length. Brock et al. 2019, sec. 3.1.

    Args:
      kernel: of a dense layer or a convolution, of any rank; W has a column for every filter.
      norms: whether filters shall also have length one, the form of Brock et al. 2017.
      output_axis: the filters' axis: -1 of `[..., in, out]`, -2 of a transposed convolution's `[..., out, in]`.

    Returns:
      `[]`.
    """
    (w,) = at_least_float32(kernel)
    outputs = output_axis % w.ndim
    inputs = [axis for axis in range(w.ndim) if axis != outputs]
    filters = w.shape[outputs]
    if 2 * w.size <= filters**2:  # twice as many filters as inputs: |WWᵀ| = |WᵀW| is the smaller matrix's
        squares = jnp.sum(jnp.square(w), inputs)
        lengths = 2.0 * jnp.sum(squares) - filters if norms else jnp.sum(jnp.square(squares))
        return jnp.sum(jnp.square(jnp.tensordot(w, w, ([outputs], [outputs])))) - lengths
    gram, eye = jnp.tensordot(w, w, (inputs, inputs)), jnp.eye(filters, dtype=w.dtype)
    return jnp.sum(jnp.square(gram - eye if norms else gram * (1.0 - eye)))


def mode_seeking(z: ArrayLike, images: ArrayLike, others_z: ArrayLike, others: ArrayLike) -> jax.Array:
    """`|z - z'| / |G(z) - G(z')|`, to be minimised, by mean absolute differences: Mao et al. 2019, eq. 3.

    Large where two latents that differ are drawn as one image. The generator's images, and no others, carry a gradient.

    Args:
      z: `[batch, ...]`.
      images: G(z), `[batch, ...]`.
      others_z: z', `[batch, ...]`, independent of z.
      others: G(z'), under the same condition as `images` where there is one.

    Returns:
      `[batch]`, at most `1e5 |z - z'|`, where the images are equal.
    """
    z, images, others_z, others = at_least_float32(z, images, others_z, others)
    return _mean_distance(z, others_z) / (_mean_distance(images, others) + 1e-5)


def _mean_distance(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.mean(jnp.abs(a - b), axis=tuple(range(1, a.ndim)))


def _between(real: ArrayLike, fake: ArrayLike, key: jax.Array) -> jax.Array:
    """A point on the segment between every real example and its fake one."""
    real, fake = jnp.asarray(real), jax.lax.stop_gradient(jnp.asarray(fake))
    if real.shape != fake.shape:
        raise UserError(
            f"real has shape {real.shape} but fake has {fake.shape}: give one fake example for each real one"
        )
    share = jax.random.uniform(key, (real.shape[0], *[1] * (real.ndim - 1)), jnp.result_type(real, fake))
    return real + share * (fake - real)


def _norm(squares: jax.Array) -> jax.Array:
    """The square root, with a derivative of zero and not of infinity where a critic is flat."""
    flat = squares == 0
    return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squares)))
