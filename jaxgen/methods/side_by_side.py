"""Several methods trained at once on the same batches, to compare what becomes of them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxgen.core import Array, Aux, Batch, Method, Module, Phase, Variables, View
from jaxgen.errors import UserError


def side_by_side(methods: Mapping[str, Method]) -> Method:
    """One method of many that know nothing of one another.

    Network `net` of method `name` is `name.net`, and metrics and figures are named alike. A method sees the noise and
    the batches it would see alone, but for the numbers of its phases in the keys.

    Args:
      methods: name -> method.

    Raises:
      UserError: two take other values of one field.
    """

    def phase_of(name: str, phase: Phase) -> Phase:
        def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
            value, aux = phase.loss(part(view, name), batch, key)
            return value, Aux(aux.metrics, _prefixed(name, aux.variables), _prefixed(name, aux.memory))

        trains = tuple(f"{name}.{net}" for net in phase.trains)
        return dataclasses.replace(phase, name=f"{name}.{phase.name}", trains=trains, loss=loss)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        initial = {}
        for name, method in methods.items():
            initial |= _prefixed(name, method.init(_own(name, modules), key, batch))
        return initial

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        figures = {}
        for name, method in methods.items():
            figures |= _prefixed(name, method.evaluate(part(view, name), batch, key))
        return figures

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        kept = {}
        for name, method in methods.items():
            kept |= {} if method.memory is None else _prefixed(name, method.memory(key, batch))
        return kept

    nets, phases, split, takes = {}, (), (), {}
    for name, method in methods.items():
        nets |= _prefixed(name, method.nets)
        phases += tuple(phase_of(name, phase) for phase in method.phases)
        split += tuple(f"{name}.{kept}" for kept in method.split)
        if other := [field for field, taken in method.takes.items() if takes.get(field, taken) != taken]:
            raise UserError(
                f"{name} takes {method.takes[other[0]]} of {other[0]}, and another {takes[other[0]]}; side by side all "
                "see the same data."
            )
        takes |= method.takes
    return Method(", ".join(methods), nets, phases, init, None, evaluate, memory=memory, split=split, takes=takes)


def part(view: View, name: str) -> View:
    """The view of the method `name`, in a view of all."""

    def place(net: str, variables: Variables, inputs: tuple[Any, ...]) -> tuple[Variables, tuple[Any, ...]]:
        return view.place(f"{name}.{net}", variables, inputs)

    owned = {field: _own(name, getattr(view, field)) for field in ("nets", "params", "variables", "ema", "memory")}
    return dataclasses.replace(view, **owned, place=place)


def _prefixed(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}.{key}": value for key, value in values.items()}


def _own(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
