"""Bytes between a device's main memory and its cores in a compiled program, loops counted in full.

Each instruction that is not fused into another reads its operands once and writes its results once; a fused slice
reads, and a fused update writes, only its part. Arrays that the compiler keeps on the chip cost nothing.
"""

import re
from collections.abc import Iterator

from jaxgen.aot.hlo import Array, Computation, Instruction, Program

# These move nothing: they name parts of arrays, or call computations whose instructions are counted themselves.
_FREE = {
    "after-all",
    "async-start",
    "bitcast",
    "call",
    "conditional",
    "constant",
    "get-tuple-element",
    "opt-barrier",
    "parameter",
    "partition-id",
    "replica-id",
    "tuple",
    "while",
}
_COLLECTIVES = ("all-", "reduce-scatter", "collective-")
_SLICES = {"dynamic-slice", "slice", "gather"}


def moves(program: Program) -> Iterator[tuple[Instruction, int, int]]:
    """Every operation that a device starts, how often in one run of the program, and the bytes it moves each time."""
    for name, times in program.executions(fused=False).items():
        computation = program.computations[name]
        for instruction in computation.values() if times else ():
            if not _is_free(instruction):
                yield instruction, times, _moved(instruction, computation, program)


def _is_free(instruction: Instruction) -> bool:
    opcode = instruction.opcode
    nothing = opcode == "custom-call" and not instruction.operands  # the TPU compiler's way to set memory apart
    return opcode in _FREE or opcode.endswith(("-done", "-update")) or nothing


def _moved(instruction: Instruction, computation: Computation, program: Program) -> int:
    opcode = instruction.opcode
    given = [computation[name].arrays for name in instruction.operands]
    if opcode == "fusion":
        return _fusion(instruction, given, program)
    results = instruction.arrays
    if opcode == "copy-start":
        results = results[:1]  # then come its source and a semaphore
    elif opcode.endswith("-start") and len(results) > len(given):
        results = results[len(given) :]  # operands come first
    if opcode.removesuffix("-start") in _SLICES:
        return min(_size(given[0]), results[0].padded_bytes) + _size(results)
    if opcode == "dynamic-update-slice":
        return _size(given[1]) + min(_size(given[0]), sum(part.padded_bytes for part in given[1]))
    return sum(map(_size, given)) + _size(results)


def _fusion(instruction: Instruction, given: list[tuple[Array, ...]], program: Program) -> int:
    fused = _fused(instruction, program)
    root = next(i for i in fused.values() if i.root)
    names = root.operands if root.opcode == "tuple" else [root.name]
    results = [name for name in names for _ in fused[name].arrays]
    # Fused with other work, a collective under way has its arrays passed on from fusion to fusion.
    under_way = any(i.opcode.startswith(_COLLECTIVES) for i in fused.values())
    aliases = re.findall(r"\{(\d*)\}: \((\d+), ", instruction.attributes.partition("calls=")[0]) if under_way else []
    passed_out, passed_in = {int(out or 0) for out, _ in aliases}, {int(operand) for _, operand in aliases}
    read = sum(
        _read(number, arrays, fused, program)
        for number, arrays in enumerate(given)
        if _size(arrays) and number not in passed_in
    )
    written = sum(
        _written(name, array, fused, program)
        for number, (name, array) in enumerate(zip(results, instruction.arrays, strict=True))
        if array.space == 0 and number not in passed_out
    )
    return read + written


def _read(number: int, arrays: tuple[Array, ...], fused: Computation, program: Program) -> int:
    """Of a fusion's operand: all of it, unless all that reads it takes a slice, or replaces one."""
    parameter = next(i for i in fused.values() if i.opcode == "parameter" and int(i.inside) == number)
    total = 0
    for user in _users(parameter, fused):
        first = user.opcode != "bitcast" and _source(user.operands[0], fused) is parameter
        if user.opcode in _SLICES and first:
            total += sum(array.padded_bytes for array in user.arrays)
        elif user.opcode == "fusion":
            places = [place for place, name in enumerate(user.operands) if _source(name, fused) is parameter]
            total += sum(_read(place, arrays, _fused(user, program), program) for place in places)
        elif user.opcode != "dynamic-update-slice" or not first:
            return _size(arrays)
    return min(total, _size(arrays))


def _written(name: str, array: Array, fused: Computation, program: Program) -> int:
    """Of a fusion's result: all of it, unless it is an operand of which a slice was replaced."""
    source = _source(name, fused)
    if source.opcode == "fusion" and len(source.arrays) == 1:
        inner = _fused(source, program)
        return _written(next(i.name for i in inner.values() if i.root), array, inner, program)
    if source.opcode == "dynamic-update-slice":
        return sum(part.padded_bytes for part in fused[source.operands[1]].arrays)
    return _size((array,))


def _fused(fusion: Instruction, program: Program) -> Computation:
    return program.computations[fusion.called("calls")[0]]


def _users(instruction: Instruction, computation: Computation) -> list[Instruction]:
    """What reads an instruction, looking through bitcasts that do not end the computation."""
    users = []
    for user in computation.values():
        if instruction.name in user.operands:
            users += _users(user, computation) if user.opcode == "bitcast" and not user.root else [user]
    return users


def _source(name: str, computation: Computation) -> Instruction:
    """What an instruction is, looking through bitcasts."""
    instruction = computation[name]
    while instruction.opcode == "bitcast":
        instruction = computation[instruction.operands[0]]
    return instruction


def _size(arrays: tuple[Array, ...]) -> int:
    return sum(array.padded_bytes for array in arrays if array.space == 0)
