"""Whole numbers under normals of any width, on a stack: their leading digits by the normal's mass, the others as they
are, and what is far out spelled."""

import numpy as np

from jaxgen.codec.entropy import Stack
from jaxgen.errors import UserError

# A standard deviation is 8 to 16 steps of the leading digits: within one the density is as good as constant.
_DIGITS = 4
# Steps on either side; what is farther is spelled. None has less than 2^-24, and of more steps such would be drawn.
_FAR = 128
_SPELLED = 40  # bits of a step's number


def push(stack: Stack, x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
    """int64 `[count]` under normals, `[count]` each, cut at the halves between whole numbers.

    Raises:
      UserError: a mean or a standard deviation is none, or a number is too far from the mean to be spelled.
    """
    shift, center, near = _steps(mean, std)
    step = (x >> shift) - center
    shown = np.clip(step, -_FAR, _FAR)
    far = np.abs(shown) == _FAR
    if np.abs(step).max(initial=0) >= 1 << (_SPELLED - 1):
        raise UserError("the flow puts an example so far out that no number of its can be written.")
    _push_bits(stack, x & ((1 << shift) - 1), shift)
    _push_bits(stack, step[far] + (1 << (_SPELLED - 1)), np.full(np.sum(far), _SPELLED))
    stack.push_normal(shown, *near, _FAR)


def pop(stack: Stack, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """int64 `[count]`; arguments and errors as of `push`."""
    shift, center, near = _steps(mean, std)
    step = stack.pop_normal(*near, _FAR).astype(np.int64)
    far = np.abs(step) == _FAR
    step[far] = _pop_bits(stack, np.full(np.sum(far), _SPELLED)) - (1 << (_SPELLED - 1))
    return ((step + center) << shift) + _pop_bits(stack, shift)


def _steps(mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Digits that are not leading, the step at which counting begins, and the normal in steps from there."""
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all() and np.abs(mean).max() < 1 << 60):
        raise UserError("the flow gave numbers that are not finite: nothing can be coded.")
    shift = np.maximum(np.frexp(std)[1].astype(np.int64) - _DIGITS, 0)
    size = np.ldexp(1.0, shift)
    middle = (mean + 0.5) / size - 0.5
    center = np.floor(middle)
    return shift, center.astype(np.int64), (middle - center, std / size)


def _push_bits(stack: Stack, x: np.ndarray, bits: np.ndarray) -> None:
    for low in range(0, int(bits.max(initial=0)), 16):
        there = bits > low
        sizes = 1 << np.minimum(bits[there] - low, 16)
        stack.push_below((x[there] >> low) & (sizes - 1), sizes)


def _pop_bits(stack: Stack, bits: np.ndarray) -> np.ndarray:
    x = np.zeros(len(bits), np.int64)
    for low in reversed(range(0, int(bits.max(initial=0)), 16)):
        there = bits > low
        x[there] += stack.pop_below(1 << np.minimum(bits[there] - low, 16)).astype(np.int64) << low
    return x
