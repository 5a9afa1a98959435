"""The engine: a method becomes one pure step, and runs of steps one compiled, donated, sharded call."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from jaxgen import linen, loops, target
from jaxgen.core import Array, Batch, Method, NetState, Phase, Place, TrainState, as_they_are
from jaxgen.errors import UserError, naming
from jaxgen.training.pace import Due, runs
from jaxgen.training.sharding import batch_sharding, replicated
from jaxgen.training.update import Metrics, update

Step = Callable[..., tuple[TrainState, Metrics]]  # of a state, batches, the run's key and what is due
Reports = Callable[[TrainState], Any]  # before a step -> bool []: whether its metrics will be looked at


def always(state: TrainState) -> bool:
    """The `Reports` of steps whose metrics are all looked at."""
    return True


def init_state(method: Method, key: Array, batch: Batch) -> TrainState:
    """The state before the first step. Pure: compile it with `out_shardings` to create the arrays where they belong.

    Args:
      method: the algorithm.
      key: PRNG key of the initialization.
      batch: real data, leaves `[batch, ...]`, for data-dependent initialization.

    Raises:
      UserError: `init` asks for a network or a field that does not exist, or gives other networks.
    """
    names = {**method.modules, **batch}
    with naming(f"init of {method.name}", names, "networks and fields"):
        initial = method.init(method.modules, key, batch)
    if not set(method.nets) <= set(initial):
        gives, has = (", ".join(found) or "none" for found in (initial, method.nets))
        raise UserError(f"init of {method.name} gives variables of {gives}; give those of its networks, {has}.")
    nets = {name: _init_net(net, linen.without_sown(dict(initial[name]))) for name, net in method.nets.items()}
    memory = {} if method.memory is None else dict(method.memory(jax.random.fold_in(key, 1), batch))
    zero = jnp.zeros((), jnp.int32)
    return TrainState(step=zero, start=zero, nets=nets, memory=memory)


def _init_net(net: Any, variables: dict[str, Any]) -> NetState:
    params = variables.pop("params", {})
    return NetState(
        params=params,
        variables=variables,
        opt_state=None if net.optimizer is None else net.optimizer.init(params),
        ema=None if net.ema_decay is None else jax.tree.map(jnp.copy, params),
    )


def build_step(method: Method, place: Place = as_they_are, reports: Reports = always) -> Step:
    """The training step of a method: `step(state, batches, key, due) -> (state, metrics)`, pure.

    `batches` has leaves `[method.batches_per_step, batch, ...]`; a phase with k repeats uses the first k, one each, or
    the first alone. `key` is the run's key, the same at every step: noise depends on it, the step, the phase, the
    repeat and the micro-batch alone, so a restarted run draws what it would have drawn. `due` names the phases that
    run, by default all: it is the caller's, who knows the step, so that no branch is compiled around a gradient.
    Metrics are those of a phase's last repeat, `<phase>/<name>`, with the norm of its gradient, `<phase>/grad_norm`,
    which steps that `reports` does not name may leave 0. `place` lays networks and inputs out over the devices.

    Raises:
      UserError: a phase trains a network that does not exist or has no optimizer, or two phases share a name. When the
        step is traced: batches are too few or too many, or a loss returns what the state does not have.
    """
    _check(method)

    def step(state: TrainState, batches: Batch, key: Array, due: Due | None = None) -> tuple[TrainState, Metrics]:
        _check_batches(method, batches)
        step_key = jax.random.fold_in(key, state.step)
        metrics: Metrics = {}
        for index, phase in enumerate(method.phases):
            if due is None or phase.name in due:
                repeat = _repeat(method, phase, place, reports, jax.random.fold_in(step_key, index))
                count = jnp.arange(phase.repeats)
                if phase.fresh:
                    fresh = jax.tree.map(lambda x, k=phase.repeats: x[:k], batches)
                    state, history = loops.scan(lambda s, x, f=repeat: f(s, *x), state, (fresh, count))
                else:
                    first = jax.tree.map(lambda x: x[0], batches)
                    state, history = loops.scan(lambda s, i, f=repeat, b=first: f(s, b, i), state, count)
                metrics |= {name: values[-1] for name, values in history.items()}
        moved = {name for phase in method.phases if due is None or phase.name in due for name in phase.trains}
        nets = {
            name: _average(method.nets[name].ema_decay if name in moved else None, net)
            for name, net in state.nets.items()
        }
        return dataclasses.replace(state, step=state.step + 1, nets=nets), metrics

    return step


def compile_step(step: Step, mesh: Mesh, shardings: TrainState, due: Sequence[Due]) -> jax.stages.Wrapped:
    """Compiles `len(due)` steps into one call: `call(state, batches, key) -> (state, metrics)`.

    The state is donated and stays where `shardings`, one for each of its leaves, have put it; the batch is split over
    the mesh's `data` and `fsdp` axes. `batches` has leaves `[len(due), batches_per_step, batch, ...]` and a metric
    comes back as `[steps in which its phase was due]`, so that small models pay for one dispatch in many steps. Steps
    in a row that are due the same are one loop. Lowered and compiled ahead of time, it cannot retrace: another shape
    raises.
    """

    def call(state: TrainState, batches: Batch, key: Array) -> tuple[TrainState, Metrics]:
        parts: list[Metrics] = []
        with target.tracing_for(mesh.devices.flat[0].platform, mesh):
            for phases, start, stop in runs(due):
                some = jax.tree.map(lambda x, a=start, b=stop: x[a:b], batches)
                state, metrics = loops.scan(lambda s, batch, p=phases: step(s, batch, key, p), state, some)
                parts.append(metrics)
        names = dict.fromkeys(name for part in parts for name in part)
        return state, {name: jnp.concatenate([part[name] for part in parts if name in part]) for name in names}

    whole = replicated(mesh)
    return jax.jit(
        call,
        donate_argnums=0,
        in_shardings=(shardings, batch_sharding(mesh, leading_axes=2), whole),
        out_shardings=(shardings, whole),
    )


def _repeat(method: Method, phase: Phase, place: Place, reports: Reports, phase_key: Array) -> Callable:
    """`(state, batch, number of the repeat) -> (state, metrics)`."""

    def repeat(state: TrainState, batch: Batch, number: Array) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(phase_key, number)
        report = reports(state)
        with jax.named_scope(phase.name):  # by which a compiled program's operations are told apart
            state, metrics, grads = update(method, phase, place, state, batch, key, number)
        if phase.trains:
            metrics["grad_norm"] = loops.when(report, optax.tree.norm, grads)
        return state, {f"{phase.name}/{name}": value for name, value in metrics.items()}

    return repeat


def _average(decay: float | None, net: NetState) -> NetState:
    if decay is None:
        return net
    ema: Any = optax.incremental_update(net.params, net.ema, 1 - decay)  # pyright: ignore[reportArgumentType]
    return dataclasses.replace(net, ema=ema)


def _check_batches(method: Method, batches: Batch) -> None:
    for path, x in jax.tree_util.tree_leaves_with_path(batches):
        if x.shape[:1] != (method.batches_per_step,):
            raise UserError(
                f"batches: {jax.tree_util.keystr(path, simple=True, separator='/')} has shape {x.shape}, but a step of "
                f"this {method.name} takes leaves [{method.batches_per_step}, batch, ...]."
            )


def _check(method: Method) -> None:
    if not method.phases:
        raise UserError(f"phases: {method.name} has none; give it at least one.")
    names = [phase.name for phase in method.phases]
    for phase in method.phases:
        if names.count(phase.name) > 1:
            raise UserError(f"phases: two are named {phase.name!r}, so their metrics would collide; rename one.")
        for name in phase.trains:
            if name not in method.nets:
                raise UserError(f"trains: no network is named {name!r}; there are {', '.join(method.nets)}.")
            if method.nets[name].optimizer is None:
                raise UserError(f"trains: network {name!r} is frozen; give its Net an optimizer.")
        for field in ("repeats", "every", "accumulate"):
            if getattr(phase, field) < 1:
                raise UserError(f"{field} is {getattr(phase, field)} in phase {phase.name!r}; it must be at least 1.")
