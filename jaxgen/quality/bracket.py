"""log p(x) of a latent-variable model from below, and on data of its own from above: what `jaxgen eval --draws` prints.

Importance-weighted bounds (Burda et al. 2016, eq. 8) are streamed, so that their memory does not grow with the draws;
annealed chains and bidirectional Monte Carlo are those of `jaxgen.metrics.ais`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.core import Array, Batch, Evidence, Method, TrainState, View
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.losses.importance import streamed_iwae
from jaxgen.metrics import ais
from jaxgen.quality import refine
from jaxgen.training.evaluate import compiled_on_view, mean_of, of_examples
from jaxgen.training.sharding import shardings_of

CHAINS, SIMULATED, LEAPFROGS = 16, 100, 10
_ACTIVE = 0.01  # variance over x of a unit's posterior mean, above which it is in use: Burda et al. 2016, section 5.2
_CHUNK = 50  # draws at once
_SEED = 0

ABOVE = "upper bound of -log p(x), in expectation"
BELOW = "lower bound of -log p(x), in expectation, of the model's own data"


def evidence_of(method: Method) -> Evidence:
    """What the method says of its evidence.

    Raises:
      UserError: it says nothing.
    """
    if method.evidence is None:
        raise UserError(f"draws are asked for, but {method.name} has no latent variables to draw; leave --draws out.")
    return method.evidence


def importance_weighted(
    experiment: Experiment, state: TrainState, mesh: Mesh, stage: str = "", *, draws: int
) -> dict[str, Any]:
    """Held-out bounds by one draw and by `draws` of each example, and how many units of z are in use.

    Args:
      experiment: what was trained.
      state: of its stage.
      mesh: the devices; on any number of them the figures are the same, but for rounding.
      stage: the stage.
      draws: k.

    Returns:
      "rows", a figure each: its mean and standard error, what it bounds and by how many draws of how many examples.

    Raises:
      UserError: the method has no latent variables, or draws is below 1.
    """
    method = experiment.stage(stage).method
    evidence = evidence_of(method)
    if draws < 1:
        raise UserError(f"draws is {draws}; it must be at least 1, e.g. 5000.")

    def figures(view: View, batch: Batch, key: Array) -> dict[str, Array]:
        def log_weight(key: Array) -> Array:
            return evidence.log_weight(view, batch, key)

        found = {
            "elbo": log_weight(jax.random.fold_in(key, 0)),
            "bound": streamed_iwae(log_weight, key, draws=draws, chunk=_chunk(draws)),
        }
        return found if evidence.means is None else {**found, "means": evidence.means(view, batch)}

    columns = of_examples(method, figures, mesh, shardings_of(state))(state, experiment.held_out(mesh, stage))
    rows = [
        _row("negative_elbo_nats", -columns["elbo"], ABOVE, draws=1),
        _row(f"iw_{draws}_nats", -columns["bound"], ABOVE, draws=draws),
    ]
    found: dict[str, Any] = {"rows": rows}
    if "means" in columns:
        variances = columns["means"].reshape(len(columns["means"]), -1).var(0)
        found["active_units"] = {"value": int(np.sum(variances > _ACTIVE)), "of": variances.size}
    return found


def annealed(
    experiment: Experiment, state: TrainState, mesh: Mesh, stage: str = "", *, temperatures: int
) -> list[dict[str, Any]]:
    """Rows as of `importance_weighted`: both bounds on data that the model draws, and the one of held-out data.

    The first two bracket the truth on average, and their distance says how far chains of this length can be off.

    Args:
      experiment: as of `importance_weighted`.
      state: as of `importance_weighted`.
      mesh: as of `importance_weighted`.
      stage: as of `importance_weighted`.
      temperatures: from prior to posterior, the first and the last included.

    Raises:
      UserError: z of the method is no vector of real numbers, or there are fewer than 2 temperatures.
    """
    method = experiment.stage(stage).method
    evidence = evidence_of(method)
    if evidence.log_joint is None or evidence.draw is None:
        raise UserError(f"annealing moves vectors of real numbers, which the latents of {method.name} are not.")
    if temperatures < 2:
        raise UserError(f"temperatures is {temperatures}; it must be at least 2, e.g. 1000.")
    held_out, few = _first(experiment, mesh, stage)
    run = compiled_on_view(
        method,
        lambda view, batch, key: _bounds(view, evidence, few(batch), key, temperatures),
        mesh,
        shardings_of(state),
    )
    found = jax.device_get(run(state, held_out, jax.random.key(_SEED)))
    settings = {"chains": CHAINS, "temperatures": temperatures}
    gap = np.asarray(found["upper"] - found["lower"], np.float64)
    return [
        _row("ais_nats", -found["held_out"], ABOVE, **settings),
        _row("ais_own_nats", -found["lower"], ABOVE + ", of the model's own data", **settings),
        _row("bdmc_own_nats", -found["upper"], BELOW, **settings),
        _row("bdmc_gap_nats", gap, "distance of the last two", **settings),
    ]


def refined(
    experiment: Experiment, state: TrainState, mesh: Mesh, stage: str = "", *, steps: int, draws: int = 1000
) -> list[dict[str, Any]]:
    """Rows as of `importance_weighted`: how far off the bound is for want of a better q, and of a better encoder.

    Of each of a few held-out examples q is refined by itself: see `jaxgen.quality.refine`.

    Args:
      experiment: as of `importance_weighted`.
      state: as of `importance_weighted`.
      mesh: as of `importance_weighted`.
      stage: as of `importance_weighted`.
      steps: of refinement.
      draws: of the bound that stands for log p(x), whose draws are the refined q's, and of the means of the others.

    Raises:
      UserError: q of the method is no Gaussian, or steps is below 1.
    """
    method = experiment.stage(stage).method
    evidence = evidence_of(method)
    gaussian, log_joint = evidence.gaussian, evidence.log_joint
    if gaussian is None or log_joint is None:
        raise UserError(f"what is refined is a Gaussian q(z|x), which that of {method.name} is not.")
    if steps < 1:
        raise UserError(f"refine is {steps}; it must be at least 1 step, e.g. 500.")

    def bounds(view: View, batch: Batch, key: Array) -> dict[str, Array]:
        batch = few(batch)
        joint = lambda z: jnp.add(*log_joint(view, batch, z))  # noqa: E731
        keys, q = jax.random.split(key, 4), gaussian(view, batch)
        best = refine.refine(joint, *q, keys[0], steps=steps)

        def log_weight(key: Array) -> Array:
            return refine.elbo(joint, *best, key, draws=1)

        return {
            "encoder": refine.elbo(joint, *q, keys[1], draws=draws),
            "refined": refine.elbo(joint, *best, keys[2], draws=draws),
            "evidence": streamed_iwae(log_weight, keys[3], draws=draws, chunk=_chunk(draws)),
        }

    held_out, few = _first(experiment, mesh, stage)
    run = compiled_on_view(method, bounds, mesh, shardings_of(state))
    found = jax.device_get(run(state, held_out, jax.random.key(_SEED)))
    settings = {"draws": draws, "steps": steps}
    return [
        _row("refined_elbo_nats", -found["refined"], ABOVE, **settings),
        _row("refined_iw_nats", -found["evidence"], ABOVE, **settings),
        _row("approximation_gap_nats", found["evidence"] - found["refined"], "what a Gaussian misses", **settings),
        _row("amortization_gap_nats", found["refined"] - found["encoder"], "what the encoder misses", **settings),
    ]


def _first(experiment: Experiment, mesh: Mesh, stage: str) -> tuple[Batch, Callable[[Batch], Batch]]:
    """The first held-out batch, and what leaves so many of it as are looked at closely, without padding."""
    batch, _ = next(experiment.held_out(mesh, stage))
    count = min(SIMULATED, len(experiment.stage(stage).data.test))
    return batch, lambda batch: jax.tree.map(lambda x: x[:count], batch)


def _chunk(draws: int) -> int:
    return max(size for size in range(1, min(_CHUNK, draws) + 1) if draws % size == 0)


def _bounds(view: View, evidence: Evidence, batch: Batch, key: Array, temperatures: int) -> dict[str, Array]:
    """log p(x) `[batch]` of held-out examples from below, and of simulated ones from below and above."""
    assert evidence.log_joint is not None
    assert evidence.draw is not None
    draw, log_joint, keys = evidence.draw, evidence.log_joint, jax.random.split(key, 8)
    betas = ais.temperatures(temperatures)
    true_z, own = draw(view, keys[0], SIMULATED)

    def chains(
        batch: Batch, z: Array, key: Array, betas: Array, steps: Array | float, adapt: float = 0.0
    ) -> ais.Annealed:
        of = lambda part: jax.vmap(lambda z: log_joint(view, batch, z)[part])  # noqa: E731
        settings = {"betas": betas, "step_sizes": steps, "leapfrogs": LEAPFROGS, "adapt": adapt}
        return ais.anneal(of(0), of(1), z, key, **settings)

    def prior(key: Array, count: int) -> Array:
        return draw(view, key, CHAINS * count)[0].reshape(CHAINS, count, -1)

    count = len(jax.tree.leaves(batch)[0])
    tuned = chains(own, prior(keys[1], SIMULATED), keys[2], betas, 0.1, adapt=0.02).step_sizes
    steps = jnp.exp(jnp.mean(jnp.log(tuned), 1, keepdims=True))
    forward = chains(own, prior(keys[3], SIMULATED), keys[4], betas, steps)
    start = jnp.broadcast_to(true_z, (CHAINS, *true_z.shape))
    backward = chains(own, start, keys[5], betas[::-1], steps[::-1])
    real = chains(batch, prior(keys[6], count), keys[7], betas, steps)
    return {
        "lower": ais.lower_bound(forward),
        "upper": ais.upper_bound(backward),
        "held_out": ais.lower_bound(real),
    }


def _row(figure: str, values: np.ndarray, says: str, **settings: int) -> dict[str, Any]:
    return {
        "figure": figure,
        **mean_of(np.asarray(values, np.float64)),
        "is": says,
        **settings,
        "examples": len(values),
    }
