"""PyTorch's side of `accelerator.py`: `python benchmarks/on_device_theirs.py ROW eager|compile SETTINGS` serves a step.

bfloat16 is autocast's: parameters stay float32, as in jaxgen. Float32 products are TF32, as JAX's are by default.
Images and networks are channels-last, optimizers fused, convolutions autotuned.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import their_biggan
import their_iwae
import their_pixelcnn
import their_resnet
import their_transformer
import theirs
import torch  # pyright: ignore[reportMissingImports]
from on_device import serve
from rows import ROWS, Row
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.profiler import ProfilerActivity, profile  # pyright: ignore[reportMissingImports]
from torch.utils.flop_counter import FlopCounterMode  # pyright: ignore[reportMissingImports]

Compile = Callable[[Callable], Callable]
Network = tuple[nn.Module, Callable[[], None]]


def images(batch: int, size: int) -> torch.Tensor:
    return theirs.channels_last(torch.rand(batch, 3, size, size) * 2 - 1)


def dcgan(compile: Compile, batch: int, size: int, width: int) -> Network:
    pair = theirs.dcgan_networks(size=size, channels=3, width=width)
    step = theirs.gan_step(*pair, images(batch, size), compile, latent_size=100, learning_rate=2e-4)
    return nn.ModuleList(pair), step


def sngan_resnet(compile: Compile, batch: int, width: int, critic_steps: int) -> Network:
    generator = theirs.channels_last(their_resnet.generator(width))
    critic = theirs.channels_last(their_resnet.discriminator(width // 2))
    step = theirs.gan_step(generator, critic, images(batch, 32), compile, 128, 2e-4, critic_steps)
    return nn.ModuleList((generator, critic)), step


def biggan(compile: Compile, batch: int, size: int, width: int, classes: int) -> Network:
    generator = theirs.channels_last(their_biggan.Generator(size, classes, width))
    critic = theirs.channels_last(their_biggan.Discriminator(size, classes, width))
    optimizers = theirs.adam(generator, 5e-5, 0.0), theirs.adam(critic, 2e-4, 0.0)
    label = torch.randint(0, classes, (batch,))
    step = their_biggan.step_of(generator, critic, images(batch, size), label, compile, optimizers)
    return nn.ModuleList((generator, critic)), step


def glow(compile: Compile, batch: int, steps: int, levels: int, width: int) -> Network:
    return theirs.glow(compile, steps, levels, width, batch, learning_rate=1e-7)


def transformer(compile: Compile, batch: int, length: int, width: int, layers: int, heads: int) -> Network:
    net = their_transformer.Transformer(256, width, layers, heads)
    optimizer = theirs.adam(net, 3e-4)
    symbols = torch.randint(0, 256, (batch, length))
    loss = compile(lambda x: net(x))
    return net, lambda: theirs.descend(optimizer, loss, symbols)


def mlp_vae(compile: Compile, batch: int) -> Network:
    return theirs.mlp_vae(compile, batch)


def gated_pixelcnn(compile: Compile, batch: int, size: int, width: int, layers: int, kernel: int) -> Network:
    net = theirs.channels_last(their_pixelcnn.GatedPixelCNN(256, width, layers, kernel))
    optimizer = theirs.adam(net, 1e-4)
    symbols = torch.randint(0, 256, (batch, 3, size, size))
    loss = compile(lambda x: net(x))
    return net, lambda: theirs.descend(optimizer, loss, symbols)


def iwae(compile: Compile, batch: int, draws: int) -> Network:
    net = their_iwae.IWAE(draws)
    optimizer = theirs.adam(net, 1e-3)
    pixels = torch.randint(0, 2, (batch, 784)).float()
    loss = compile(lambda x: net(x))
    return net, lambda: theirs.descend(optimizer, loss, pixels)


class Theirs:
    """A row's step on the GPU, or the CPU where there is none."""

    def __init__(self, row: Row, settings: dict[str, Any], mode: str):
        self.row, self.settings, self.mode = row, settings, mode
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_default_device(self.device)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True

    def prepare(self) -> dict[str, Any]:
        def compile(function: Callable) -> Callable:
            if self.row.dtype == "bfloat16":
                function = torch.autocast(self.device, torch.bfloat16)(function)
            return torch.compile(function) if self.mode == "compile" else function

        net, self.step = globals()[self.row.network](compile, **self.settings)
        start = time.perf_counter()
        if self.mode == "eager":
            with FlopCounterMode(display=False) as counter:
                self.run(1)
            flops = counter.get_total_flops()
        else:
            self.run(1)
            flops = None
        seconds = time.perf_counter() - start
        self.run(2)
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        return {
            "compile_seconds": seconds,
            "steps": 1,
            "flops": flops,
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
        }

    def run(self, count: int) -> None:
        for _ in range(count):
            self.step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def memory(self) -> int | None:
        """What its tensors took at most, since it had warmed up."""
        return torch.cuda.max_memory_allocated() if self.device == "cuda" else None

    def kernels(self) -> list[tuple[str, float]]:
        if self.device == "cpu":
            return []
        with profile(activities=[ProfilerActivity.CUDA]) as recorded:
            self.run(3)
        spent = [(event.key, event.self_device_time_total / 3e3) for event in recorded.key_averages()]
        return [("total", sum(ms for _, ms in spent)), *sorted(spent, key=lambda pair: -pair[1])[:20]]


def main(name: str, mode: str, settings: str) -> None:
    row = next(row for row in ROWS if row.name == name)
    serve(Theirs(row, json.loads(settings), mode))


if __name__ == "__main__":
    main(*sys.argv[1:])
