"""The vocabulary: every algorithm is coordinate descent, some networks moving downhill while the others stand still.

A `Method` is a list of `Phase`s over named `Net`s. The state of all networks is a `TrainState` of arrays; a phase's
loss sees it through a `View`, and whatever is not a parameter moves only by what the loss returns in `Aux.variables`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import optax
from flax import struct

from jaxgen.errors import UserError

Array = jax.Array
Params = Any  # a pytree of arrays
Variables = Mapping[str, Any]  # collection name -> pytree of arrays, without "params"
Batch = Mapping[str, Any]  # field -> array [batch, ...]


class Module(Protocol):
    """All the engine asks of a network: Flax Linen's functional `init` and `apply`."""

    def init(self, rngs: Any, *args: Any, **kwargs: Any) -> Any: ...

    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Net:
    """What a network is.

    Attributes:
      module: a Linen module (or anything with its `init` and `apply`).
      optimizer: the optax transformation that moves it; None leaves it frozen.
      ema_decay: decay of the exponential moving average of its parameters; None keeps no average.
    """

    module: Module
    optimizer: optax.GradientTransformation | None = None
    ema_decay: float | None = None


@struct.dataclass
class NetState:
    """The arrays of one network: parameters, other variable collections, optimizer state, averaged parameters."""

    params: Params
    variables: Variables
    opt_state: Any
    ema: Params | None


@struct.dataclass
class TrainState:
    """Everything a checkpoint holds: the step, int32 `[]`, and the networks' arrays."""

    step: Array
    nets: dict[str, NetState]


class Aux(NamedTuple):
    """What a loss returns beside its scalar.

    Attributes:
      metrics: name -> scalar, logged as `<phase>/<name>`.
      variables: network -> collection -> new value; collections not named keep theirs.
    """

    metrics: Mapping[str, Array] = {}
    variables: Mapping[str, Variables] = {}


# (network, its variables with "params", its inputs) -> the last two, laid out over the devices; values stay the same.
Place = Callable[[str, Variables, tuple[Any, ...]], tuple[Variables, tuple[Any, ...]]]


def as_they_are(name: str, variables: Variables, inputs: tuple[Any, ...]) -> tuple[Variables, tuple[Any, ...]]:
    """The `Place` that leaves every array where it is."""
    return variables, inputs


@dataclasses.dataclass(frozen=True)
class View:
    """The networks as a loss sees them: `view("critic", x)` is `module.apply` on this step's arrays, a pure call.

    On several devices `place` decides which of them computes what; inputs have their examples along the first axis.
    """

    modules: Mapping[str, Module]
    params: Mapping[str, Params]
    variables: Mapping[str, Variables]
    ema: Mapping[str, Params | None]
    step: Array
    place: Place = as_they_are

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Applies network `name`; with `mutable=[...]` returns `(output, new_collections)` as Linen's `apply` does."""
        variables, inputs = self.place(name, {"params": self.params[name], **self.variables[name]}, args)
        return self.modules[name].apply(variables, *inputs, **kwargs)

    def moved(self, name: str, variables: Variables) -> "View":
        """The same view with collections of network `name` replaced, for a loss that applies it twice in sequence."""
        merged = {**self.variables[name], **variables}
        return dataclasses.replace(self, variables={**self.variables, name: merged})

    def averaged(self) -> "View":
        """The same view with averaged parameters wherever a network keeps them."""
        params = {name: p if self.ema[name] is None else self.ema[name] for name, p in self.params.items()}
        return dataclasses.replace(self, params=params)


Loss = Callable[[View, Batch, Array], tuple[Array, Aux]]


@dataclasses.dataclass(frozen=True)
class Phase:
    """One move of coordinate descent.

    Attributes:
      trains: names of the networks that move; gradients are taken with respect to these alone.
      loss: `(view, batch, key) -> (scalar, Aux)`.
      repeats: how many times the phase runs in a step, each on a fresh batch.
      accumulate: micro-batches per update; their gradients and metrics are averaged.
    """

    trains: tuple[str, ...]
    loss: Loss
    repeats: int = 1
    accumulate: int = 1

    @property
    def name(self) -> str:
        """How metrics and messages name the phase: the networks it trains."""
        return "+".join(self.trains)


@dataclasses.dataclass(frozen=True)
class Latents:
    """Where samples come from: noise, and the map that makes samples of it.

    Latents are an array `[count, ...]` or a pytree of them: floating-point leaves are standard normal under the prior,
    so that they may be scaled, truncated and interpolated; others (a `label`, say, or random keys) stay as drawn.

    Attributes:
      prior: `(key, count) -> latents`.
      decode: `(view, latents) -> [count, ...]`, samples; images are in [-1, 1].
      encode: `(view, batch) -> latents` of data, for arithmetic with them; None where there is no such map.
      standing: `(view, key) -> {net: {collection: value}}`, what `decode` applies that follows from the parameters, as
        the statistics of batch normalization do, computed anew for those of the view; None where nothing does.
    """

    prior: Callable[[Array, int], Any]
    decode: Callable[[View, Any], Array]
    encode: Callable[[View, Batch], Any] | None = None
    standing: Callable[[View, Array], Mapping[str, Variables]] | None = None


@dataclasses.dataclass(frozen=True)
class Watch:
    """What training looks at with every row of metrics, and says once when it is too large.

    Attributes:
      name: of the metric, `<network>/<name>`.
      compute: `(view, batch, key) -> scalar` of the step's batch and the networks it left behind.
      limit: the largest value that goes without a warning.
      advice: what to do about a larger one.
    """

    name: str
    compute: Callable[[View, Batch, Array], Array]
    limit: float
    advice: str


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
    """

    name: str
    nets: Mapping[str, Net]
    phases: tuple[Phase, ...]
    init: Callable[[Mapping[str, Module], Array, Batch], Mapping[str, Any]]
    latents: Latents | None
    evaluate: Callable[[View, Batch, Array], Mapping[str, Array]]
    watch: Watch | None = None

    @property
    def batches_per_step(self) -> int:
        """Fresh batches a step consumes: the most any phase repeats."""
        return max(phase.repeats for phase in self.phases)

    def sample(self, view: View, key: Array, count: int) -> Array:
        """Draws `[count, ...]` from the model.

        Raises:
          UserError: it draws none.
        """
        if self.latents is None:
            raise UserError("this method draws no samples; look at its figures with `jaxgen eval`.")
        return self.latents.decode(view, self.latents.prior(key, count))


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A picture of what the networks have learned, made when training ends.

    Attributes:
      compute: `view -> arrays`, compiled, with averaged weights where they are kept.
      draw: those arrays, in NumPy, to a matplotlib `Figure`.
    """

    compute: Callable[[View], Any]
    draw: Callable[[Any], Any]


def view_of(method: Method, state: TrainState, place: Place = as_they_are) -> View:
    """The view of a state."""
    return View(
        modules={name: net.module for name, net in method.nets.items()},
        params={name: net.params for name, net in state.nets.items()},
        variables={name: net.variables for name, net in state.nets.items()},
        ema={name: net.ema for name, net in state.nets.items()},
        step=state.step,
        place=place,
    )
