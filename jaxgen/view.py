"""Networks, their arrays, and how a loss sees them: in evaluation or training, and what that moves."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.typing import ArrayLike

from jaxgen import linen
from jaxgen.errors import UserError

Array = jax.Array
Params = Any  # a pytree of arrays
Variables = Mapping[str, Any]  # collection name -> pytree of arrays, without "params"
Batch = Mapping[str, Any]  # field -> array [batch, ...], or stream -> such a mapping
Weight = float | Callable[[Array], ArrayLike]  # of a term: a number, or a function of the step as optax's schedules are


class Module(Protocol):
    """All the engine asks of a network: Flax Linen's functional `init` and `apply`."""

    def init(self, rngs: Any, *args: Any, **kwargs: Any) -> Any: ...

    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Start:
    """First parameters from another run: see `jaxgen.from_run`."""

    run: str
    net: str


@dataclasses.dataclass(frozen=True)
class Net:
    """What a network is.

    Attributes:
      module: a Linen module (or anything with its `init` and `apply`).
      optimizer: the optax transformation that moves it, its schedules functions of the step; None leaves it frozen.
      ema_decay: decay of the exponential moving average of its parameters, once in each step that trains it, after the
        last phase; None keeps no average. It begins as the first parameters, of which `ema_decay ** steps` are left.
      streams: the streams of random numbers that it draws from in training, such as "dropout".
      start: where its first parameters come from; None is the method's `init`.

    Raises:
      UserError: the module or the optimizer is none, or streams are not a tuple.
    """

    module: Module
    optimizer: optax.GradientTransformation | None = None
    ema_decay: float | None = None
    streams: tuple[str, ...] = ()
    start: Start | None = None

    def __post_init__(self) -> None:
        if isinstance(self.module, type):
            raise UserError(f"module is the class {self.module.__name__}; make one, {self.module.__name__}(...).")
        if not hasattr(self.module, "apply"):
            raise UserError(f"module is {self.module!r}; make it a Linen module, or what has its init and apply.")
        if self.optimizer is not None and not hasattr(self.optimizer, "update"):
            raise UserError(f"optimizer is {self.optimizer!r}; make it one of optax's, such as optax.adam(1e-3).")
        if isinstance(self.streams, str):
            raise UserError(f"streams is {self.streams!r}; make it a tuple, ({self.streams!r},).")


@struct.dataclass
class NetState:
    """The arrays of one network: parameters, other variable collections, optimizer state, averaged parameters."""

    params: Params
    variables: Variables
    opt_state: Any
    ema: Params | None


@struct.dataclass
class TrainState:
    """Everything a checkpoint holds: steps, int32 `[]`, of the run and when its stage began; networks; memory."""

    step: Array
    start: Array
    nets: dict[str, NetState]
    memory: dict[str, Any] = struct.field(default_factory=dict)


# (network, its variables with "params", its inputs) -> the last two, laid out over the devices; values stay the same.
Place = Callable[[str, Variables, tuple[Any, ...]], tuple[Variables, tuple[Any, ...]]]


def as_they_are(name: str, variables: Variables, inputs: tuple[Any, ...]) -> tuple[Variables, tuple[Any, ...]]:
    """The `Place` that leaves every array where it is."""
    return variables, inputs


@dataclasses.dataclass(frozen=True)
class View:
    """The networks as a loss sees them: `view("critic", x)` is `module.apply` on this step's arrays, a pure call.

    On several devices `place` decides which of them computes what; inputs have their examples along the first axis.

    Attributes:
      step: steps since the run's stage began, int32 `[]`.
      repeat: which of its phase's repeats this is, from 0, int32 `[]`.
      memory: arrays of no network.
      counts: what the phase counted on the whole batch; for one of n micro-batches, an n-th of it.
    """

    nets: Mapping[str, Net]
    params: Mapping[str, Params]
    variables: Mapping[str, Variables]
    ema: Mapping[str, Params | None]
    step: Array
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    repeat: ArrayLike = 0
    counts: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    place: Place = as_they_are

    def __call__(self, name: str, *inputs: Any, **settings: Any) -> Any:
        """Evaluates network `name`: nothing random, nothing moves; `train=False` where the module asks."""
        variables, inputs = self._placed(name, inputs)
        return linen.evaluate(self.nets[name].module, variables, inputs, settings)

    def train(
        self, name: str, *inputs: Any, key: Array, hold: Sequence[str] = (), **settings: Any
    ) -> tuple[Any, Variables]:
        """Applies network `name` as training does, and returns its output and the collections that moved.

        The declared streams get keys, every collection of the state may move, and `train=True` goes to modules that
        ask. Parameters, sown values and the collection `constants` never move. What moved is kept only if the loss
        returns it: `Aux(variables={name: moved})`.

        Args:
          name: the network.
          *inputs: of the module.
          key: PRNG key; every stream of every network gets another from it.
          hold: collections that stand still, as "spectral" does where the phase does not train the network.
          **settings: keyword arguments of the module's `apply`.

        Raises:
          UserError: the module draws from a stream that its `Net` does not declare, or cannot hold a collection still
            (batch normalization cannot in training).
        """
        variables, inputs = self._placed(name, inputs)
        mutable = [collection for collection in self.variables[name] if collection not in (*hold, linen.CONSTANTS)]
        return linen.train(name, self.nets[name], variables, inputs, key, mutable, settings)

    def training(self, key: Array, hold: Sequence[str] = ()) -> "Training":
        """This view in training mode, for a loss that applies several networks: see `Training`."""
        return Training(self, key, hold)

    def stopped(self, *names: str) -> "View":
        """The same view, through which no gradient reaches the networks named."""
        held = {name: jax.lax.stop_gradient(p) if name in names else p for name, p in self.params.items()}
        return dataclasses.replace(self, params=held)

    def with_variables(self, name: str, variables: Variables) -> "View":
        """The same view with collections of network `name` replaced, for a loss that applies it twice in sequence."""
        merged = {**self.variables[name], **variables}
        return dataclasses.replace(self, variables={**self.variables, name: merged})

    def averaged(self) -> "View":
        """The same view with averaged parameters wherever a network keeps them."""
        params = {name: p if self.ema[name] is None else self.ema[name] for name, p in self.params.items()}
        return dataclasses.replace(self, params=params)

    def weight(self, weight: Weight) -> Array:
        """A term's weight at this step, `[]`."""
        return jnp.asarray(weight(self.step) if callable(weight) else weight)

    def _placed(self, name: str, inputs: tuple[Any, ...]) -> tuple[Variables, tuple[Any, ...]]:
        if name not in self.nets:
            raise UserError(f"no network is named {name!r}; there are {', '.join(self.nets)}.")
        return self.place(name, {"params": self.params[name], **self.variables[name]}, inputs)


class Training:
    """Applies networks by `View.train` and gathers what they move: called as a view is, with which it is exchangeable.

    A network that is applied again goes on from what it moved before, with other noise.

    Args:
      view: the networks.
      key: PRNG key of their streams.
      hold: as of `View.train`.

    Attributes:
      moved: network -> collections, for `Aux.variables`.
    """

    def __init__(self, view: View, key: Array, hold: Sequence[str] = ()):
        self._view, self._key, self._hold = view, key, hold
        self._uses: dict[str, int] = {}
        self.moved: dict[str, Variables] = {}

    def __call__(self, name: str, *inputs: Any, **settings: Any) -> Any:
        use = self._uses.get(name, 0)
        self._uses[name] = use + 1
        view = self._view.with_variables(name, self.moved[name]) if use else self._view
        key = jax.random.fold_in(self._key, use)
        output, moved = view.train(name, *inputs, key=key, hold=self._hold, **settings)
        self.moved[name] = {**self.moved.get(name, {}), **moved}
        return output


Apply = Callable[..., Any]  # `(network, *inputs, **settings) -> output`: a `View`, or a `Training` of one
