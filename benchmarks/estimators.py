"""Every gradient estimator of `jaxgen/losses/estimators.py` against the sum over all states: bias and variance.

`python benchmarks/estimators.py` prints the table, by 20,000 gradients of each, by the logits of 8 Bernoulli latents
under 16 pixels. The largest |z|, over the logits and p's parameters, is of the mean's distance from the truth in its
standard errors: within 5 for an unbiased estimator; a biased one must fail that, or it could not be seen at all.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.lax import stop_gradient

from jaxgen.losses import estimators
from jaxgen.losses.variational import bernoulli_log_prob

BITS, PIXELS = 8, 16

Params = Sequence[jax.Array]
Model = Callable[[Params, jax.Array, estimators.Sample], jax.Array]  # (..., image, sampler) -> log p(x, z) [draws, 1]
Bound = Callable[[Model, Params, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Measures every estimator.

    Attributes:
      draws: gradients of each.
      seed: of the model and of the draws.
    """

    draws: int = 20_000
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Row:
    """One estimator's gradients by q's logits (`z` by all parameters) against the exact one.

    Attributes:
      bias: of their mean, relative to the exact gradient's norm.
      z: the largest distance of the mean's coordinates from the exact ones, in standard errors.
      cosine: between the mean and the exact gradient.
      variance: of one gradient, summed over the logits.
      value_z: distance of the bound's mean from the exact bound, in standard errors.
    """

    bias: float
    z: float
    cosine: float
    variance: float
    value_z: float


def random_model(seed: int) -> tuple[Params, jax.Array]:
    """q's logits, the prior's, the decoder's weights and bias; and an image."""
    rng, dtype = np.random.default_rng(seed), jnp.result_type(float)
    params = [jnp.asarray(rng.normal(size=shape), dtype) for shape in (BITS, BITS, (PIXELS, BITS), PIXELS)]
    return params, jnp.asarray(rng.integers(0, 2, PIXELS), dtype)


def one_layer(params: Params, x: jax.Array, sample: estimators.Sample) -> jax.Array:
    """Bits of their own under a prior of their own, and pixels whose logits are linear in them."""
    logits, prior, weights, bias = params
    z = sample(logits[None])
    log_prior = jax.vmap(bernoulli_log_prob, (0, None))(z, prior[None])
    return log_prior + jax.vmap(bernoulli_log_prob, (None, 0))(x[None], z @ weights.T + bias)


def two_layers(params: Params, x: jax.Array, sample: estimators.Sample) -> jax.Array:
    """Five bits nearest to the data, then three, in q as in p, where the weights are parts of the one layer's."""
    logits, prior, weights, bias = params
    z_1 = sample(logits[None, :5])
    z_2 = sample(logits[5:] + z_1 @ weights[:5, 5:])
    of_bits = jax.vmap(bernoulli_log_prob)
    log_p = of_bits(z_2, jnp.broadcast_to(prior[5:], z_2.shape)) + of_bits(z_1, prior[:5] + z_2 @ weights[5:8, :5])
    return log_p + jax.vmap(bernoulli_log_prob, (None, 0))(x[None], z_1 @ weights[:, :5].T + bias)


def all_states(model: Model, params: Params, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log p(x, z) and log q(z), `[2^BITS]` each: the model is handed every state, by no code of the library's."""
    states = jnp.array(list(itertools.product([0.0, 1.0], repeat=BITS)))
    log_q, taken = jnp.zeros(len(states)), 0

    def sample(logits: jax.Array) -> jax.Array:
        nonlocal log_q, taken
        z = states[:, None, taken : taken + logits.shape[-1]]
        taken += logits.shape[-1]
        log_q += jnp.sum(z * logits - jnp.logaddexp(0, logits), -1)[:, 0]
        return z

    return model(params, x, sample)[:, 0], log_q


def exact_elbo(model: Model, params: Params, x: jax.Array) -> jax.Array:
    """The evidence lower bound, a sum over all states."""
    log_p, log_q = all_states(model, params, x)
    return jnp.sum(jnp.exp(log_q) * (log_p - log_q))


def exact_iwae_2(model: Model, params: Params, x: jax.Array) -> jax.Array:
    """The importance-weighted bound of two draws, a sum over all pairs of states."""
    log_p, log_q = all_states(model, params, x)
    pairs = jnp.logaddexp((log_p - log_q)[:, None], log_p - log_q) - jnp.log(2)
    return jnp.sum(jnp.exp(log_q[:, None] + log_q) * pairs)


@functools.cache
def exact(bound: Bound, model: Model, seed: int) -> tuple[jax.Array, Any]:
    """The value and the gradient of a bound of the random model: the truth of all its estimators."""
    params, x = random_model(seed)
    return jax.jit(jax.value_and_grad(lambda p: bound(model, p, x)))(params)


def vimco_without_the_weights(key: jax.Array, log_joint: estimators.LogJoint, *, draws: int) -> jax.Array:
    """VIMCO with a fault seen in public: eq. 9 without its -w~, the weights' own gradient by q."""
    log_p: Any = None
    log_q: Any = 0.0

    def watched(sample: estimators.Sample) -> jax.Array:
        def record(logits: jax.Array) -> jax.Array:
            nonlocal log_q
            z = sample(logits)
            log_q += jax.vmap(bernoulli_log_prob)(z, jnp.broadcast_to(logits, z.shape))
            return z

        nonlocal log_p
        log_p = log_joint(record)
        return log_p

    bound = estimators.vimco(key, watched, draws=draws)
    weights = jax.nn.softmax(stop_gradient(log_p - log_q), 0)
    return bound + jnp.sum(weights * (log_q - stop_gradient(log_q)), 0)


_PARTIAL = functools.partial
UNBIASED: dict[str, tuple[Callable[..., jax.Array], Bound]] = {
    "score function, K = 1": (estimators.score_function, exact_elbo),
    "score function, K = 4": (_PARTIAL(estimators.score_function, draws=4), exact_elbo),
    "NVIL, a constant's baseline": (_PARTIAL(estimators.score_function, baseline=-15.0), exact_elbo),
    "RLOO, K = 4": (_PARTIAL(estimators.rloo, draws=4), exact_elbo),
    "DisARM": (estimators.disarm, exact_elbo),
    "VIMCO, K = 2": (_PARTIAL(estimators.vimco, draws=2), exact_iwae_2),
}
BIASED: dict[str, tuple[Callable[..., jax.Array], Bound]] = {
    "straight-through": (estimators.straight_through, exact_elbo),
    "ReinMax": (estimators.reinmax, exact_elbo),
    "Gumbel-softmax, 0.5": (_PARTIAL(estimators.gumbel_softmax, temperature=0.5), exact_elbo),
    "Gumbel-softmax, 0.5, hard": (_PARTIAL(estimators.gumbel_softmax, temperature=0.5, hard=True), exact_elbo),
    "VIMCO without -w~, K = 2": (_PARTIAL(vimco_without_the_weights, draws=2), exact_iwae_2),
}


def measure(name: str, model: Model = one_layer, *, draws: int = 20_000, seed: int = 0) -> Row:
    """Draws that many gradients of one estimator and compares their mean with the exact one."""
    estimator, bound = (UNBIASED | BIASED)[name]
    params, x = random_model(seed)

    def value_and_gradient(key: jax.Array) -> tuple[jax.Array, Any]:
        return jax.value_and_grad(lambda p: estimator(key, lambda sample: model(p, x, sample))[0])(params)

    keys = jax.random.split(jax.random.key(seed + 1), draws)
    values, gradients = jax.device_get(jax.jit(jax.vmap(value_and_gradient))(keys))
    value, gradient = jax.device_get(exact(bound, model, seed))
    drawn = np.concatenate([np.reshape(g, (draws, -1)) for g in gradients], 1).astype(np.float64)
    truth = np.concatenate([np.ravel(g) for g in gradient]).astype(np.float64)
    mean, error = drawn.mean(0), drawn.std(0) / np.sqrt(draws)
    z = np.abs(mean - truth) / np.maximum(error, 1e-9)  # parameters that move nothing have neither
    mean, truth = mean[:BITS], truth[:BITS]  # by the logits
    return Row(
        bias=float(np.linalg.norm(mean - truth) / np.linalg.norm(truth)),
        z=float(z.max()),
        cosine=float(mean @ truth / np.linalg.norm(mean) / np.linalg.norm(truth)),
        variance=float(drawn[:, :BITS].var(0).sum()),
        value_z=float((np.mean(values) - value) / np.maximum(np.std(values) / np.sqrt(draws), 1e-9)),
    )


def main() -> None:
    arguments = tyro.cli(Arguments)
    print("| estimator | bias / norm of g | max z | cosine of mean | total variance | within 5 |")
    print("|---|---|---|---|---|---|")
    with jax.enable_x64(True):
        for name in UNBIASED | BIASED:
            row = measure(name, draws=arguments.draws, seed=arguments.seed)
            verdict = "yes" if row.z < 5 else "no"
            print(
                f"| {name} | {row.bias:.3f} | {row.z:.1f} | {row.cosine:.4f} | {row.variance:.1f} | {verdict} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
