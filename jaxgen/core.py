"""The vocabulary: every algorithm is coordinate descent, some networks moving downhill while the others stand still.

A `Method` is a list of named `Phase`s over named `Net`s. The state of all networks is a `TrainState` of arrays; a
phase's loss sees it through a `View`, and whatever is not a parameter moves only by what the loss returns in `Aux`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.fields import Fields
from jaxgen.figures import Drawing, Evaluation, Evidence, Watch  # noqa: F401 - a page of the vocabulary
from jaxgen.view import (  # noqa: F401 - another page of it
    Apply,
    Array,
    Batch,
    Module,
    Net,
    NetState,
    Params,
    Place,
    Start,
    Training,
    TrainState,
    Variables,
    View,
    Weight,
    as_they_are,
)


class Aux(NamedTuple):
    """What a loss returns beside its scalar.

    Attributes:
      metrics: name -> scalar, logged as `<phase>/<name>`.
      variables: network -> collection -> new value; collections not named keep theirs.
      memory: name -> new value; what is not named stays.
    """

    metrics: Mapping[str, Array] = {}
    variables: Mapping[str, Variables] = {}
    memory: Mapping[str, Any] = {}


Loss = Callable[[View, Batch, Array], tuple[Array, Aux]]


@dataclasses.dataclass(frozen=True)
class Phase:
    """One move of coordinate descent.

    Attributes:
      name: how metrics and messages name it; another for every phase.
      trains: names of the networks that move; gradients are taken with respect to these alone. There may be none.
      loss: `(view, batch, key) -> (scalar, Aux)`.
      repeats: how many times the phase runs in a step.
      fresh: whether each repeat gets a batch of its own; otherwise all see the step's first.
      every: the phase is due at steps of its stage, from 0, that `every` divides.
      accumulate: micro-batches per update; their gradients and metrics are averaged, variables and memory pass on.
      counts: `batch -> {name: number}`, taken of the whole batch before it is cut into micro-batches: what a loss
        divides by, for `view.counts`.

    Raises:
      UserError: `trains` is a name, and not a tuple of them.
    """

    name: str
    trains: tuple[str, ...]
    loss: Loss
    repeats: int = 1
    fresh: bool = True
    every: int = 1
    accumulate: int = 1
    counts: Callable[[Batch], Mapping[str, Array]] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.trains, str):
            raise UserError(f"trains is {self.trains!r} in phase {self.name!r}; make it a tuple, ({self.trains!r},).")

    def counted(self, view: View, batch: Batch) -> View:
        """The view with what this phase counts on the whole batch, an n-th of it for each of n micro-batches."""
        counts = {} if self.counts is None else self.counts(batch)
        return dataclasses.replace(view, counts={name: x / self.accumulate for name, x in counts.items()})


@dataclasses.dataclass(frozen=True)
class Latents:
    """Where samples come from: noise, and the map that makes samples of it.

    Latents are an array `[count, ...]` or a pytree of them: floating-point leaves are standard normal under the prior,
    so that they may be scaled, truncated and interpolated; others (a `label`, say, or random keys) stay as drawn.

    Attributes:
      prior: `(key, count, batch) -> latents`; of `count` examples to translate or complete where `batch` is given,
        freely drawn where it is None.
      decode: `(view, latents, key) -> [count, ...]`, samples; images are in [-1, 1].
      encode: `(view, batch) -> latents` of data, for arithmetic with them; None where there is no such map.
      standing: `(view, key) -> {net: {collection: value}}`, what `decode` applies that follows from the parameters, as
        the statistics of batch normalization do, computed anew for those of the view; None where nothing does.
      conditional: whether `prior` needs a batch.
      shown: `batch -> [batch, ...]`, what stands beside the samples made of it; None is the batch's `image`.
      truncated: `(latents, shares [count]) -> latents` nearer to the usual, the model's own way of truncation, in which
        a share of 1 changes nothing; None truncates the normals.
    """

    prior: Callable[[Array, int, Batch | None], Any]
    decode: Callable[[View, Any, Array], Array]
    encode: Callable[[View, Batch], Any] | None = None
    standing: Callable[[View, Array], Mapping[str, Variables]] | None = None
    conditional: bool = False
    shown: Callable[[Batch], Any] | None = None
    truncated: Callable[[Any, Array], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Method:
    """An algorithm: networks and the phases of a training step, run in order.

    Attributes:
      name: the field's name for it, e.g. "VAE".
      nets: the networks by name.
      phases: what a step does.
      init: `(modules, key, batch) -> {net: variables}`; the batch `[batch, ...]` is real data, for data-dependent init.
      latents: what samples are made of; None for a method that draws none, such as a classifier.
      evaluate: `(view, batch, key) -> {metric: [batch]}` held-out figures of each example.
      watch: what else training logs, if anything.
      memory: `(key, batch) -> {name: arrays}`, what training keeps that belongs to no network; None keeps nothing.
      split: names of memory whose first axis is spread over the devices, as a batch is; the rest is on all of them.
      evaluations: figures of whole sets.
      takes: what values the data must have, `field -> jaxgen.fields.Field`, of streams `{stream: {field: Field}}`.
      log_prob: `(view, batch, key) -> [batch]`, nats of each example, of whole numbers that are dequantized a lower
        bound from one draw; None for a method that has no density.
      evidence: what bounds log p(x) from both sides; None where it is exact, or there is none.
      nulls: `data -> {null control: {metric: number}}`, what `evaluate`'s means are without any network, such as those
        of `jaxgen.methods.nulls`; None where nothing is known.

    Raises:
      UserError: `phases` is one, and not a tuple of them, or `nets` holds something else.
    """

    name: str
    nets: Mapping[str, Net]
    phases: tuple[Phase, ...]
    init: Callable[[Mapping[str, Module], Array, Batch], Mapping[str, Any]]
    latents: Latents | None
    evaluate: Callable[[View, Batch, Array], Mapping[str, Array]]
    watch: Watch | None = None
    memory: Callable[[Array, Batch], Mapping[str, Any]] | None = None
    split: tuple[str, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    takes: Fields = dataclasses.field(default_factory=dict)
    log_prob: Callable[[View, Batch, Array], Array] | None = None
    evidence: Evidence | None = None
    nulls: Callable[[Any], Mapping[str, Mapping[str, float]]] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.phases, Phase):
            raise UserError(f"phases of {self.name} is a Phase; make it a tuple, (Phase(...),).")
        for name, net in self.nets.items():
            if not isinstance(net, Net):
                raise UserError(f"nets of {self.name} has {name!r}, a {type(net).__name__}; make it Net({name}, ...).")

    @property
    def batches_per_step(self) -> int:
        """Fresh batches a step consumes: the most any phase takes."""
        return max(phase.repeats if phase.fresh else 1 for phase in self.phases)

    @property
    def modules(self) -> dict[str, Module]:
        """The networks' modules, as `init` takes them."""
        return {name: net.module for name, net in self.nets.items()}

    def sample(self, view: View, key: Array, count: int, batch: Batch | None = None) -> Array:
        """Draws `[count, ...]` from the model, of a batch of `count` examples where it is conditional.

        Raises:
          UserError: it draws none.
        """
        if self.latents is None:
            raise UserError("this method draws no samples; look at its figures with `jaxgen eval`.")
        if self.latents.conditional and batch is None:
            raise UserError(f"{self.name} makes its samples of examples; give some, as in `jaxgen sample --from test`.")
        latents = self.latents.prior(key, count, batch)
        return self.latents.decode(view, latents, jax.random.fold_in(key, 1))


def view_of(method: Method, state: TrainState, place: Place = as_they_are) -> View:
    """The view of a state."""
    return View(
        nets=method.nets,
        params={name: net.params for name, net in state.nets.items()},
        variables={name: net.variables for name, net in state.nets.items()},
        ema={name: net.ema for name, net in state.nets.items()},
        step=jnp.subtract(state.step, state.start),
        memory=state.memory,
        place=place,
    )
