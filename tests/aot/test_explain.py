"""Traffic by phase and operation, in a program small enough to count by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from jaxgen.aot.explain import Moved, explain
from jaxgen.aot.hlo import Program
from jaxgen.aot.traffic import moves

# As the TPU compiler writes them: weights are fetched onto the chip ahead of the operation that reads them, which may
# have lost its path to a conversion in between; results are written back.
STEP = """HloModule step

ENTRY %main (w: f32[256,128], x: bf16[64,256], m: f32[256,128], k: u32[2]) -> f32[256,128] {
  %w = f32[256,128]{1,0:T(8,128)} parameter(0)
  %x = bf16[64,256]{1,0:T(8,128)} parameter(1)
  %m = f32[256,128]{1,0:T(8,128)} parameter(2)
  %k = u32[2]{0:T(128)} parameter(3)
  %bits = u32[2]{0:T(128)S(1)} fusion(%k), kind=kLoop, calls=%c, metadata={op_name="jit(call)/critic/jit(_normal)/xor"}
  %fetch = (f32[256,128]{1,0:T(8,128)S(1)}, f32[256,128]{1,0:T(8,128)}, u32[]{:S(2)}) copy-start(%w)
  %there = f32[256,128]{1,0:T(8,128)S(1)} copy-done(%fetch)
  %half = bf16[256,128]{1,0:T(8,128)S(1)} convert(%there)
  %y = bf16[64,128]{1,0:T(8,128)} dot(%x, %half), metadata={op_name="jit(call)/critic/jvp(Critic)/line/dot_general"}
  %g = f32[256,128]{1,0:T(8,128)S(1)} dot(%x, %y), metadata={op_name="jit(call)/critic/transpose(jvp(Critic))/line/dot_general"}
  %sum = f32[256,128]{1,0:T(8,128)S(1)} all-reduce(%g), replica_groups={}, metadata={op_name="jit(call)/critic/transpose(jvp(Critic))/line/dot_general"}
  %new = f32[256,128]{1,0:T(8,128)S(1)} add(%m, %sum), metadata={op_name="jit(call)/critic/add"}
  %back = (f32[256,128]{1,0:T(8,128)}, f32[256,128]{1,0:T(8,128)S(1)}, u32[]{:S(2)}) copy-start(%new)
  ROOT %out = f32[256,128]{1,0:T(8,128)} copy-done(%back)
}
"""  # noqa: E501
STEP = STEP.replace(
    "HloModule step\n",
    "HloModule step\n\n%c (a: u32[2]) -> u32[2] {\n  %a = u32[2]{0:T(128)} parameter(0)\n"
    "  ROOT %b = u32[2]{0:T(128)S(1)} not(%a)\n}\n",
)
W, X, Y = 256 * 128 * 4, 64 * 256 * 2, 64 * 128 * 2


def test_every_byte_is_counted_once_where_it_is_wanted():
    program = Program.parse(STEP)
    found = explain(program, ["critic", "generator"])
    assert [(each.phase, each.network, each.part, each.operation, each.bytes) for each in found] == [
        ("critic", "", "update", "add", 2 * W),  # the momentum is read; the result is written back
        ("critic", "Critic", "forward", "dot_general", W + X + Y),  # weights fetched for it
        ("critic", "Critic", "backward", "dot_general", X + Y),
        ("critic", "", "noise", "xor", 128 * 4),
    ]
    assert sum(each.bytes for each in found) == sum(times * size for _, times, size in moves(program))


def test_without_scopes_a_phase_has_no_name():
    assert {each.phase for each in explain(Program.parse(STEP), ["main"])} == {""}


def test_padding_and_types_are_shares_of_the_bytes():
    update, forward, *_, noise = explain(Program.parse(STEP), [])
    assert (update.padding, update.float32) == (0, 1)
    assert forward.float32 == pytest.approx(W / (W + X + Y))
    assert noise.padding == 1 - 2 / 128
    assert noise.float32 == 0


ROW = Moved("critic", "Critic", "forward", "dot_general", 1.0, padding=0.0, float32=0.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "more examples a chip"),
        ({"part": "backward"}, "--memory remat"),
        ({"float32": 0.9}, "bfloat16 halves it"),
        ({"operation": "copy", "float32": 0.9}, "a change of layout"),
        ({"part": "update", "float32": 1.0}, "a larger mesh.fsdp"),
        ({"part": "update", "padding": 0.5}, "50% fills tiles"),
        ({"part": "noise"}, "random numbers"),
        ({"operation": "all-gather-start", "part": "backward"}, "a smaller mesh.fsdp"),
    ],
)
def test_each_kind_has_its_remedy(change, says):
    assert says in dataclasses.replace(ROW, **change).remedy


def test_loops_count_in_full():
    program = Program.parse(
        jax.jit(lambda x: jax.lax.fori_loop(0, 7, lambda _, x: jnp.sin(x), x)).lower(jnp.ones(1000)).compile().as_text()
    )
    (largest, *_) = explain(program, [])
    assert largest.operation == "sin"
    assert largest.bytes == 7 * 2 * 4000
