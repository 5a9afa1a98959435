"""Single operations for `accelerator.py`, on the first device: `python benchmarks/on_device_kernels.py [toy]`.

Prints a line of JSON for each as it is done: `{"name": ..., "seconds": {contender: s}, "error": {...}, ...}`.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import lax
from on_device import MARK

from jaxgen.core import Net
from jaxgen.layers.conv import conv, conv_transpose
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.gan import gan
from jaxgen.training.pace import due_phases
from jaxgen.training.sharding import batch_sharding, make_mesh, replicated, shardings_of
from jaxgen.training.step import build_step, compile_step, init_state

Record = dict[str, Any]
ROUNDS = 7
ROUND_SECONDS = 0.1


def race(contenders: Mapping[str, Callable], *args: Any) -> dict[str, float]:
    """Median seconds of a call of each compiled function, in turns."""
    counts = {}
    for name, function in contenders.items():
        jax.block_until_ready(function(*args))
        counts[name] = max(1, round(ROUND_SECONDS / timed(function, 2, *args)))
    seconds = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, function in contenders.items():
            seconds[name].append(timed(function, counts[name], *args))
    return {name: statistics.median(values) for name, values in seconds.items()}


def timed(function: Callable, count: int, *args: Any) -> float:
    start = time.perf_counter()
    for _ in range(count):
        result = function(*args)
    jax.block_until_ready(result)
    return (time.perf_counter() - start) / count


@jax.jit
def distance(a: Any, b: Any) -> jax.Array:
    """|a - b| / |b| over all leaves."""
    wide = [jax.tree.map(lambda x: x.astype(jnp.float32), tree) for tree in (a, b)]
    return optax.tree.norm(jax.tree.map(jnp.subtract, *wide)) / optax.tree.norm(wide[1])


def normal(seed: int, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), shape, jnp.float32).astype(dtype)


def products(toy: bool) -> Record:
    """Matrix products by type: what all else is measured against."""
    n = 256 if toy else 8192
    a, b = normal(0, (n, n)), normal(1, (n, n))
    seconds = {}
    for name, dtype, precision in (
        ("bfloat16", jnp.bfloat16, None),
        ("float32, JAX's default", jnp.float32, None),
        ("float32, highest", jnp.float32, lax.Precision.HIGHEST),
    ):
        product = jax.jit(lambda a, b, precision=precision: jnp.matmul(a, b, precision=precision))
        seconds |= race({name: product}, a.astype(dtype), b.astype(dtype))
    exact = np.asarray(a[:64], np.float64) @ np.asarray(b, np.float64)
    errors = {}
    for precision in (None, lax.Precision.HIGHEST):
        few = np.asarray(jax.jit(lambda a, b, p=precision: jnp.matmul(a, b, precision=p))(a[:64], b), np.float64)
        errors[f"float32, {precision or 'default'}"] = float(np.linalg.norm(few - exact) / np.linalg.norm(exact))
    teraflops = {name: 2 * n**3 / s / 1e12 for name, s in seconds.items()}
    return {"name": f"product {n}^3", "seconds": seconds, "teraflops": teraflops, "error": errors}


def attention(queries: int, keys: int, heads: int, depth: int, batch: int, causal: bool, scale: float | None) -> Record:
    """Values and gradients of both implementations, in bfloat16; errors against float32."""
    shapes = ((batch, queries, heads, depth), (batch, keys, heads, depth), (batch, keys, heads, depth))
    q, k, v = (normal(i, shape) for i, shape in enumerate(shapes))
    weight = normal(3, shapes[0])

    def training(implementation: str) -> Callable:
        def loss(qkv: Any) -> jax.Array:
            y = jax.nn.dot_product_attention(*qkv, is_causal=causal, scale=scale, implementation=implementation)  # pyright: ignore
            return jnp.sum(y.astype(jnp.float32) * weight)

        return jax.jit(jax.value_and_grad(loss))

    with jax.default_matmul_precision("highest"):
        _, truth = training("xla")((q, k, v))
    narrow = jax.tree.map(lambda x: x.astype(jnp.bfloat16), (q, k, v))
    functions, failed = {}, {}
    for implementation in ("xla", "cudnn"):
        function = training(implementation)
        try:
            failed[implementation] = float(distance(function(narrow)[1], truth))
            functions[implementation] = function
        except Exception as error:  # which shapes cuDNN takes is what is asked
            failed[implementation] = f"{type(error).__name__}: {error}"[:200]
    name = f"attention {batch}x{heads} heads of {depth}, {queries} to {keys}{', causal' if causal else ''}"
    return {"name": name, "seconds": race(functions, narrow), "error": failed}


def transposed(side: int, channels: int, features: int, batch: int, dtype: Any) -> Record:
    """Value and both gradients of a 4x4 transposed convolution of stride 2; a strided one of as many FLOPs beside."""
    x, kernel = normal(0, (batch, side, side, channels), dtype), normal(1, (4, 4, features, channels), dtype)
    y = normal(2, (batch, 2 * side, 2 * side, features), dtype)
    adjoint = normal(3, (batch, side, side, channels), dtype)

    def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_transpose(x, kernel, (2, 2), "SAME", transpose_kernel=True)

    def training(function: Callable, cotangent: jax.Array) -> Callable:
        def both(x: jax.Array, kernel: jax.Array) -> Any:
            value, pull = jax.vjp(function, x, kernel)
            return value, pull(cotangent)

        return jax.jit(both)

    rule = training(lambda x, k: conv_transpose(x, k, (2, 2)), y)
    autodiff = training(plain, y)
    seconds = race({"jaxgen's rule": rule, "autodiff": autodiff}, x, kernel)
    strided = training(
        lambda x, k: lax.conv_general_dilated(x, k, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), adjoint
    )
    seconds |= race({"a strided convolution": strided}, y, kernel)
    strided = training(lambda x, k: conv(x, k, (2, 2)), adjoint)
    seconds |= race({"a strided convolution by jaxgen's rule": strided}, y, kernel)
    flops = 3 * 2 * x.size * 16 * features
    return {
        "name": f"transposed convolution {batch}x{side}x{side}x{channels} to {features}, {jnp.dtype(dtype).name}",
        "seconds": seconds,
        "teraflops": {name: flops / s / 1e12 for name, s in seconds.items()},
        "error": {"rule against autodiff": float(distance(rule(x, kernel), autodiff(x, kernel)))},
    }


def of_images(side: int, features: int, batch: int, window: int, stride: int) -> Record:
    """A convolution of images of three channels and its gradient in them, bfloat16: the rule, and cuDNN's kernels."""
    x, kernel = normal(0, (batch, side, side, 3), jnp.bfloat16), normal(1, (window, window, 3, features), jnp.bfloat16)
    numbers = ("NHWC", "HWIO", "NHWC")

    def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=numbers)

    def rule(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return conv(x, kernel, (stride, stride))

    y = normal(2, jax.eval_shape(plain, x, kernel).shape, jnp.bfloat16)
    seconds, errors = {}, {}
    for name, arguments, pick in (
        ("value", (x, kernel), 0),
        ("gradient", (x, kernel, y), 1),
        ("kernel's", (x, kernel, y), 2),
    ):
        both = {}
        for how, function in (("rule", rule), ("cuDNN", plain)):
            if name == "value":
                both[f"{name}, {how}"] = jax.jit(function)
            else:
                both[f"{name}, {how}"] = jax.jit(lambda x, k, y, f=function, i=pick: jax.vjp(f, x, k)[1](y)[i - 1])
        seconds |= race(both, *arguments)
        errors[name] = float(distance(*(f(*arguments) for f in both.values())))
    return {
        "name": f"convolution {window}x{window}/{stride} of {batch}x{side}x{side}x3 to {features}",
        "seconds": seconds,
        "error": errors,
    }


class MLP(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for _ in range(2):
            x = nn.relu(nn.Dense(32)(x))
        x = nn.Dense(self.features)(x)
        return x[:, 0] if self.features == 1 else x


def calls(toy: bool) -> Record:
    """A GAN of points in the plane, by steps in a call."""
    optimizer = optax.flatten(optax.adam(1e-3, b1=0.5))
    method = gan(Net(MLP(2), optimizer), Net(MLP(1), optimizer), adversarial.non_saturating, prior=priors.normal(2))
    batch = {"image": np.random.default_rng(0).normal(size=(128, 2)).astype(np.float32)}
    mesh = make_mesh(devices=jax.devices()[:1])
    key = jax.device_put(jax.random.key(1), replicated(mesh))
    create = jax.jit(lambda key: init_state(method, key, batch), out_shardings=replicated(mesh))
    seconds = {}
    for count in (1, 10, 100):
        state = create(jax.random.key(0))
        stacked = jax.tree.map(lambda x, n=count: np.broadcast_to(x, (n, 1, *x.shape)), batch)
        batches = jax.device_put(stacked, batch_sharding(mesh, leading_axes=2))
        due = [due_phases(method, 0)] * count
        call = compile_step(build_step(method), mesh, shardings_of(state), due).lower(state, batches, key).compile()
        rates = []
        for round in range(ROUNDS + 1):
            start = time.perf_counter()
            for _ in range(calls_timed := max(1, (10 if toy else 500) // count)):
                state, _ = call(state, batches, key)
            jax.block_until_ready(state)
            rates += [(time.perf_counter() - start) / (calls_timed * count)] if round else []
        seconds[f"{count} a call"] = statistics.median(rates)
    return {"name": "step of a 2-D GAN", "seconds": seconds}


def records(toy: bool) -> Iterator[Callable[[], Record]]:
    """All of them, the most important first."""
    yield lambda: products(toy)
    for shape in ((4, 8, 8, 2, "float32"),) if toy else (
        (32, 256, 128, 512, "bfloat16"),
        (8, 1024, 512, 512, "bfloat16"),
        (32, 256, 128, 512, "float32"),
    ):  # fmt: skip
        yield lambda shape=shape: transposed(*shape)
    for shape in ((16, 8, 2, 8, 2, True, None),) if toy else (
        (4096, 1024, 1, 96, 64, False, 1.0),
        (1024, 1024, 12, 64, 16, True, None),
    ):  # fmt: skip
        yield lambda shape=shape: attention(*shape)
    for shape in ((8, 8, 2, 4, 2),) if toy else ((64, 128, 512, 4, 2), (32, 128, 256, 3, 1)):
        yield lambda shape=shape: of_images(*shape)
    yield lambda: calls(toy)


if __name__ == "__main__":
    for record in records(toy="toy" in sys.argv[1:]):
        try:
            answer = record()
        except Exception as error:  # one that fails shall not cost the others
            answer = {"name": "failed", "seconds": {}, "failed": f"{type(error).__name__}: {error}"[:300]}
        print(MARK + json.dumps(answer), flush=True)
