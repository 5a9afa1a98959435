"""Memory traffic of programs small enough to count by hand."""

import jax
import jax.numpy as jnp
import pytest

from jaxgen.aot.hlo import Program
from jaxgen.aot.traffic import moves


def memory_traffic(program):
    return sum(times * size for _, times, size in moves(program))


def test_a_product_reads_its_factors_and_writes_itself_as_xla_counts_too():
    compiled = jax.jit(jnp.matmul).lower(jnp.ones((32, 64), jnp.float32), jnp.ones((64, 16), jnp.float32)).compile()
    moved = memory_traffic(Program.parse(compiled.as_text()))
    assert moved == 4 * (32 * 64 + 64 * 16 + 32 * 16)
    assert moved == compiled.cost_analysis()["bytes accessed"]


FUSED = """HloModule fused

%layer (p0: f32[6,8,128], p1: s32[], p2: f32[8,128]) -> f32[8,128] {
  %p0 = f32[6,8,128]{2,1,0:T(8,128)} parameter(0)
  %p1 = s32[]{:T(128)S(6)} parameter(1)
  %zero = s32[]{:T(128)} constant(0)
  %part = f32[1,8,128]{2,1,0:T(8,128)} dynamic-slice(%p0, %p1, %zero, %zero), dynamic_slice_sizes={1,8,128}
  %w = f32[8,128]{1,0:T(8,128)} bitcast(%part)
  %p2 = f32[8,128]{1,0:T(8,128)X} parameter(2)
  ROOT %sum = f32[8,128]{1,0:T(8,128)X} add(%w, %p2)
}

%store (q0: f32[6,8,128], q1: f32[8,128], q2: s32[]) -> f32[6,8,128] {
  %q0 = f32[6,8,128]{2,1,0:T(8,128)} parameter(0)
  %q1 = f32[8,128]{1,0:T(8,128)X} parameter(1)
  %update = f32[1,8,128]{2,1,0:T(8,128)} bitcast(%q1)
  %q2 = s32[]{:T(128)S(6)} parameter(2)
  %none = s32[]{:T(128)} constant(0)
  ROOT %stored = f32[6,8,128]{2,1,0:T(8,128)} dynamic-update-slice(%q0, %update, %q2, %none, %none)
}

%body (t: (s32[], f32[8,128], f32[6,8,128], f32[6,8,128])) -> (s32[], f32[8,128], f32[6,8,128], f32[6,8,128]) {
  %t = (s32[]{S(6)}, f32[8,128]{1,0:T(8,128)X}, f32[6,8,128]{2,1,0}, f32[6,8,128]{2,1,0}) parameter(0)
  %i = s32[]{:T(128)S(6)} get-tuple-element(%t), index=0
  %x = f32[8,128]{1,0:T(8,128)X} get-tuple-element(%t), index=1
  %ws = f32[6,8,128]{2,1,0:T(8,128)} get-tuple-element(%t), index=2
  %ys = f32[6,8,128]{2,1,0:T(8,128)} get-tuple-element(%t), index=3
  %one = s32[]{:T(128)S(6)} constant(1)
  %next = s32[]{:T(128)S(6)} add(%i, %one)
  %y = f32[8,128]{1,0:T(8,128)X} fusion(%ws, %i, %x), kind=kLoop, calls=%layer
  %kept = f32[6,8,128]{2,1,0:T(8,128)} fusion(%ys, %y, %i), kind=kLoop, calls=%store
  ROOT %r = (s32[]{S(6)}, f32[8,128]{1,0:T(8,128)X}, f32[6,8,128]{2,1,0}, f32[6,8,128]{2,1,0}) tuple(%next, %y, %ws, %kept)
}

%condition (c: (s32[], f32[8,128], f32[6,8,128], f32[6,8,128])) -> pred[] {
  %c = (s32[]{S(6)}, f32[8,128]{1,0:T(8,128)X}, f32[6,8,128]{2,1,0}, f32[6,8,128]{2,1,0}) parameter(0)
  %j = s32[]{:T(128)S(6)} get-tuple-element(%c), index=0
  %six = s32[]{:T(128)S(6)} constant(6)
  ROOT %lt = pred[]{:T(512)S(6)} compare(%j, %six), direction=LT
}

ENTRY %main (a: f32[8,128], b: f32[6,8,128]) -> f32[6,8,128] {
  %a = f32[8,128]{1,0:T(8,128)X} parameter(0)
  %b = f32[6,8,128]{2,1,0:T(8,128)} parameter(1)
  %empty = f32[6,8,128]{2,1,0:T(8,128)} custom-call(), custom_call_target="AllocateBuffer"
  %start = s32[]{:T(128)S(6)} constant(0)
  %init = (s32[]{S(6)}, f32[8,128]{1,0:T(8,128)X}, f32[6,8,128]{2,1,0}, f32[6,8,128]{2,1,0}) tuple(%start, %a, %b, %empty)
  %w = (s32[]{S(6)}, f32[8,128]{1,0:T(8,128)X}, f32[6,8,128]{2,1,0}, f32[6,8,128]{2,1,0}) while(%init), condition=%condition, body=%body
  ROOT %out = f32[6,8,128]{2,1,0:T(8,128)} get-tuple-element(%w), index=3
}
"""  # noqa: E501


@pytest.mark.parametrize(("space", "passes"), [("", 5), ("S(1)", 2)], ids=["in main memory", "carried on the chip"])
def test_a_loop_moves_its_slices_at_every_turn_and_nothing_that_stays_on_the_chip(space, passes):
    """A turn reads a slice of weights and writes one of results; off the chip it reads x and y, and writes y, too."""
    assert memory_traffic(Program.parse(FUSED.replace("X}", f"{space}}}"))) == 6 * passes * 8 * 128 * 4
