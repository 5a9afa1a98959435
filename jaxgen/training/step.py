"""The engine: a method becomes one pure step, and the step one compiled, donated, sharded call."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from jaxgen import loops, target
from jaxgen.core import Array, Batch, Method, NetState, Params, Phase, Place, TrainState, as_they_are, view_of
from jaxgen.errors import UserError
from jaxgen.training.sharding import batch_sharding, replicated

Metrics = dict[str, Array]
Step = Callable[[TrainState, Batch, Array], tuple[TrainState, Metrics]]
Reports = Callable[[Array], Any]  # number of a step, from 1 -> bool []: whether its metrics will be looked at


def always(step: Array) -> bool:
    """The `Reports` of steps whose metrics are all looked at."""
    return True


def init_state(method: Method, key: Array, batch: Batch) -> TrainState:
    """The state before the first step. Pure: compile it with `out_shardings` to create the arrays where they belong.

    Args:
      method: the algorithm.
      key: PRNG key of the initialization.
      batch: real data, leaves `[batch, ...]`, for data-dependent initialization.
    """
    initial = method.init({name: net.module for name, net in method.nets.items()}, key, batch)
    nets = {}
    for name, net in method.nets.items():
        variables = dict(initial[name])
        params = variables.pop("params", {})
        nets[name] = NetState(
            params=params,
            variables=variables,
            opt_state=None if net.optimizer is None else net.optimizer.init(params),
            ema=None if net.ema_decay is None else jax.tree.map(jnp.copy, params),
        )
    return TrainState(step=jnp.zeros((), jnp.int32), nets=nets)


def build_step(method: Method, place: Place = as_they_are, reports: Reports = always) -> Step:
    """The training step of a method: `step(state, batches, key) -> (state, metrics)`, pure.

    `batches` has leaves `[method.batches_per_step, batch, ...]`; a phase with k repeats uses the first k, one each.
    `key` is the run's key, the same at every step: noise depends on it, the step, the phase, the repeat and the
    micro-batch alone, so a restarted run draws what it would have drawn. Metrics are those of a phase's last repeat, as
    `<phase>/<name>`, and the norm of each network's gradient in the last phase that trains it, `<network>/grad_norm`,
    which steps that `reports` does not name may leave 0. `place` lays networks and their inputs out over the devices.

    Raises:
      UserError: a phase trains a network that does not exist or has no optimizer, or two phases share a name. When the
        step is traced: batches are too few or too many, or a loss returns variables that no network has.
    """
    _check(method)

    def step(state: TrainState, batches: Batch, key: Array) -> tuple[TrainState, Metrics]:
        _check_batches(method, batches)
        step_key = jax.random.fold_in(key, state.step)
        metrics: Metrics = {}
        for index, phase in enumerate(method.phases):
            phase_key = jax.random.fold_in(step_key, index)

            def repeat(state, batch_and_repeat, phase=phase, phase_key=phase_key):
                batch, repeat = batch_and_repeat
                key = jax.random.fold_in(phase_key, repeat)
                state, metrics, grads = _update(method, phase, place, state, batch, key)
                norms = {name: loops.when(reports(state.step + 1), optax.tree.norm, g) for name, g in grads.items()}
                return state, metrics | {f"{name}/grad_norm": norm for name, norm in norms.items()}

            fresh = jax.tree.map(lambda x, k=phase.repeats: x[:k], batches)
            state, history = loops.scan(repeat, state, (fresh, jnp.arange(phase.repeats)))
            metrics |= {name: values[-1] for name, values in history.items()}
        return dataclasses.replace(state, step=state.step + 1), metrics

    return step


def compile_step(step: Step, mesh: Mesh, shardings: TrainState) -> jax.stages.Wrapped:
    """Compiles steps into one call: `call(state, batches, key) -> (state, metrics)`.

    The state is donated and stays where `shardings`, one for each of its leaves, have put it; the batch is split over
    the mesh's `data` and `fsdp` axes. `batches` has leaves `[steps_per_call, batches_per_step, batch, ...]` and metrics
    come back as `[steps_per_call]`, so that small models pay for one dispatch in many steps. Lowered and compiled ahead
    of time, it cannot retrace: another shape raises.
    """

    def call(state: TrainState, batches: Batch, key: Array) -> tuple[TrainState, Metrics]:
        with target.tracing_for(mesh.devices.flat[0].platform):
            return loops.scan(lambda state, batch: step(state, batch, key), state, batches)

    whole = replicated(mesh)
    return jax.jit(
        call,
        donate_argnums=0,
        in_shardings=(shardings, batch_sharding(mesh, leading_axes=2), whole),
        out_shardings=(shardings, whole),
    )


def _update(
    method: Method, phase: Phase, place: Place, state: TrainState, batch: Batch, key: Array
) -> tuple[TrainState, Metrics, dict[str, Params]]:
    """One gradient update of the networks a phase trains: the state it leaves, its metrics, and their gradients."""
    view = view_of(method, state, place)

    def objective(trained, variables, micro_batch, key):
        moved = dataclasses.replace(view, params={**view.params, **trained}, variables=variables)
        loss, aux = phase.loss(moved, micro_batch, key)
        _check_variables(phase, aux.variables, variables)
        variables = {name: {**old, **aux.variables.get(name, {})} for name, old in variables.items()}
        return loss, (variables, {"loss": loss, **aux.metrics})

    trained = {name: view.params[name] for name in phase.trains}
    gradient = jax.grad(objective, has_aux=True)
    if phase.accumulate == 1:
        grads, (variables, metrics) = gradient(trained, view.variables, batch, key)
    else:
        grads, variables, metrics = _accumulate(gradient, trained, view.variables, batch, key, phase.accumulate)

    nets = {name: dataclasses.replace(net, variables=variables[name]) for name, net in state.nets.items()}
    for name in phase.trains:
        net, optimizer, decay = nets[name], method.nets[name].optimizer, method.nets[name].ema_decay
        assert optimizer is not None  # `_check` has seen to it
        updates, opt_state = optimizer.update(grads[name], net.opt_state, net.params)
        params = optax.apply_updates(net.params, updates)
        nets[name] = dataclasses.replace(net, params=params, opt_state=opt_state)
        if decay is not None:
            ema: Any = optax.incremental_update(params, net.ema, 1 - decay)  # pyright: ignore[reportArgumentType]
            nets[name] = dataclasses.replace(nets[name], ema=ema)
    own = {f"{phase.name}/{name}": value for name, value in metrics.items()}
    return dataclasses.replace(state, nets=nets), own, grads


def _accumulate(gradient: Callable, trained: Any, variables: Any, batch: Batch, key: Array, count: int) -> tuple:
    """Gradients and metrics averaged over `count` micro-batches; collections pass from one to the next."""
    size = jax.tree.leaves(batch)[0].shape[0]
    if size % count:
        raise UserError(f"batch_size {size} is not divisible by accumulate {count}; choose a multiple of {count}.")
    # Column-major, unlike `reshape`, keeps a batch that is split over devices where it is.
    micro_batches = optax.microbatching.reshape_batch_axis(batch, size // count)

    def body(carry, batch_and_index):
        variables, total = carry
        micro_batch, index = batch_and_index
        grads, (variables, metrics) = gradient(trained, variables, micro_batch, jax.random.fold_in(key, index))
        return (variables, jax.tree.map(jnp.add, total, grads)), metrics

    zeros = jax.tree.map(jnp.zeros_like, trained)
    (variables, total), metrics = loops.scan(body, (variables, zeros), (micro_batches, jnp.arange(count)))
    return jax.tree.map(lambda x: x / count, total), variables, jax.tree.map(lambda x: jnp.mean(x, 0), metrics)


def _check_batches(method: Method, batches: Batch) -> None:
    for field, x in batches.items():
        if x.shape[:1] != (method.batches_per_step,):
            raise UserError(
                f"batches: {field} has shape {x.shape}, but a step of this {method.name} takes leaves "
                f"[{method.batches_per_step}, batch, ...]."
            )


def _check_variables(phase: Phase, moved: Any, variables: Any) -> None:
    there = [(name, collection) for name, collections in variables.items() for collection in collections]
    for name, collections in moved.items():
        for collection in collections:
            if (name, collection) not in there:
                raise UserError(
                    f"variables: the loss of phase {phase.name!r} returns {name}/{collection}, which is not among "
                    f"{', '.join(map('/'.join, there)) or 'the variables, of which there are none'}."
                )


def _check(method: Method) -> None:
    names = [phase.name for phase in method.phases]
    for phase in method.phases:
        if names.count(phase.name) > 1:
            raise UserError(f"phases: two train {phase.name!r}, so their metrics would collide; merge their losses.")
        for name in phase.trains:
            if name not in method.nets:
                raise UserError(f"trains: no network is named {name!r}; there are {', '.join(method.nets)}.")
            if method.nets[name].optimizer is None:
                raise UserError(f"trains: network {name!r} is frozen; give its Net an optimizer.")
        for field in ("repeats", "accumulate"):
            if getattr(phase, field) < 1:
                raise UserError(f"{field} is {getattr(phase, field)} in phase {phase.name!r}; it must be at least 1.")
