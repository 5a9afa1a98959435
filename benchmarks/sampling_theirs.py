"""Sampling by PyTorch: `python benchmarks/sampling_theirs.py NETWORK eager|compile` serves draws of a batch.

Symbol by symbol, keeping what jaxgen's cached step keeps: keys and values of a fixed length, rings, the rows above.
"""

import sys
from collections.abc import Callable
from typing import Any

import their_pixelcnn
import their_transformer
import their_wavenet
import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from alternate import cores, serve
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

Compile = Callable[[Callable], Callable]
Step = Callable[[int, Tensor], Tensor]  # position, the symbol before [batch] to logits [batch, levels]


class Transformer:
    def __init__(self, net: their_transformer.Transformer, batch: int, length: int, compile: Compile):
        self.net, self.batch, self.positions = net, batch, torch.arange(length)
        width, heads = net.embed.weight.shape[1], net.blocks[0].heads
        self.empty = torch.zeros(len(net.blocks), 2, batch, heads, length, width // heads)
        half = width // heads // 2
        angles = self.positions[:, None] * 10_000.0 ** (-torch.arange(half) / half)
        self.cos, self.sin = angles.cos(), angles.sin()
        self.logits = compile(self._logits)

    def start(self) -> Step:
        kept = self.empty.clone()
        return lambda position, previous: self.logits(kept, self.positions[position : position + 1], previous)

    def _rotate(self, x: Tensor, at: Tensor) -> Tensor:
        (a, b), cos, sin = x.chunk(2, -1), self.cos[at], self.sin[at]
        return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)

    def _logits(self, kept: Tensor, at: Tensor, previous: Tensor) -> Tensor:
        x = torch.where(at > 0, self.net.embed(previous), self.net.first)[:, None]
        seen = (self.positions <= at)[None, None, None]
        for block, (keys, values) in zip(self.net.blocks, kept, strict=True):
            qkv = block.qkv(block.norms[0](x)).view(self.batch, 1, 3, block.heads, -1).permute(2, 0, 3, 1, 4)
            keys.index_copy_(2, at, self._rotate(qkv[1], at))
            values.index_copy_(2, at, qkv[2])
            y = F.scaled_dot_product_attention(self._rotate(qkv[0], at), keys, values, attn_mask=seen)
            x = x + block.mix(y.transpose(1, 2).reshape(self.batch, 1, -1))
            x = x + block.back(F.gelu(block.up(block.norms[1](x)), approximate="tanh"))
        return F.linear(self.net.norm(x), self.net.embed.weight)[:, 0]


class WaveNet:
    def __init__(self, net: their_wavenet.WaveNet, batch: int, length: int, compile: Compile):
        self.net, self.batch, self.positions = net, batch, torch.arange(length)
        self.logits = compile(self._logits)

    def start(self) -> Step:
        width = self.net.first.shape[0]
        rings = [torch.zeros(self.batch, width, layer.dilation) for layer in self.net.layers]
        return lambda position, previous: self.logits(rings, self.positions[position : position + 1], previous)

    def _logits(self, rings: list[Tensor], position: Tensor, previous: Tensor) -> Tensor:
        h = torch.where(position > 0, self.net.embed(previous), self.net.first)
        skip = torch.zeros(())
        for layer, ring in zip(self.net.layers, rings, strict=True):
            at = position % layer.dilation
            seen = torch.stack((ring.index_select(2, at)[..., 0], h), -1).flatten(1)
            ring.index_copy_(2, at, h[..., None])
            a, b = F.linear(seen, layer.filter.weight.flatten(1), layer.filter.bias).chunk(2, 1)
            y = torch.tanh(a) * torch.sigmoid(b)
            h = h + F.linear(y, layer.residual.weight[..., 0], layer.residual.bias)
            skip = skip + F.linear(y, layer.skip.weight[..., 0], layer.skip.bias)
        y = F.relu(F.linear(F.relu(skip), self.net.hidden.weight[..., 0], self.net.hidden.bias))
        return F.linear(y, self.net.head.weight[..., 0], self.net.head.bias)


class GatedPixelCNN:
    """Of images of one channel."""

    def __init__(self, net: their_pixelcnn.GatedPixelCNN, batch: int, side: int, compile: Compile):
        self.net, self.batch, self.side, self.reach = net, batch, side, net.layers[0].reach
        self.width = net.head[0].weight.shape[1]
        self.row, self.pixel = compile(self._row), compile(self._pixel)

    def start(self) -> Step:
        reach, side = self.reach, self.side
        pixels = torch.zeros(self.batch, 2, reach + side, reach + side)
        above = [torch.zeros(self.batch, self.width, reach, side) for _ in self.net.layers[1:]]
        given: list[Tensor] = []
        windows: list[Tensor] = []

        def step(position: int, previous: Tensor) -> Tensor:
            nonlocal above, given, windows
            if position:
                row, column = divmod(position - 1, side)
                pixels[:, 0, reach + row, reach + column] = previous * (2 / (self.net.levels - 1)) - 1
                pixels[:, 1, reach + row, reach + column] = 1
            row, column = divmod(position, side)
            if column == 0:
                above, given = self.row(pixels[:, :, row : row + reach, reach:].contiguous(), above)
                windows = [torch.zeros(self.batch, self.width, 1, reach + 1) for _ in above]
            seen = pixels[:, :, reach + row : reach + row + 1, column : column + reach + 1].contiguous()
            windows, logits = self.pixel(seen, [u[..., column : column + 1].contiguous() for u in given], windows)
            return logits

        return step

    def _row(self, v: Tensor, above: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """What the rows above add to each layer of this one, and the rows to keep."""
        kept, given = [], []
        for index, layer in enumerate(self.net.layers):
            if index:
                v = torch.cat((above[index - 1], v), 2)
                kept.append(v[:, :, 1:])
            u = layer.vertical(F.pad(v, (self.reach, self.reach, 0, 0)))
            given.append(layer.down(u))
            v = their_pixelcnn.gate(u)
        return kept, given

    def _pixel(self, seen: Tensor, given: list[Tensor], windows: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """The last few h of each layer, this pixel's among them, and its logits."""
        moved, h = [], torch.zeros(())
        for index, (layer, u) in enumerate(zip(self.net.layers, given, strict=True)):
            if index:
                seen = torch.cat((windows[index - 1][..., 1:], h), 3)
                moved.append(seen)
            conv = layer.horizontal
            y = layer.out(their_pixelcnn.gate(F.conv2d(seen, conv.weight * conv.mask, conv.bias) + u))
            h = h + y if index else y
        for conv in self.net.head:
            h = conv(F.relu(h))
        return moved, h[..., 0, 0]


def networks(name: str, compile: Compile) -> tuple[nn.Module, Any, Callable[[Tensor], Tensor], tuple[int, ...]]:
    """The network, its sampler, all logits `[batch, length, levels]` at once, and `(batch, length, levels)`."""
    if name == "transformer":
        net = their_transformer.Transformer(256, 128, 4, 4)
        return net, Transformer(net, 32, 64, compile), net.logits, (32, 64, 256)
    if name == "wavenet":
        net = their_wavenet.WaveNet(256, 24, 128, tuple(2**layer for layer in range(10)))
        return net, WaveNet(net, 4, 512, compile), lambda x: net.logits(x).transpose(1, 2), (4, 512, 256)
    net = their_pixelcnn.GatedPixelCNN(17, 32, 4, 3, colors=1)
    sampler = GatedPixelCNN(net, 16, 8, compile)
    return net, sampler, lambda x: net.logits(x.view(-1, 1, 8, 8))[:, 0].flatten(2).transpose(1, 2), (16, 64, 17)


@torch.inference_mode()
def main(name: str, mode: str) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(min(2, cores()))
    net, sampler, whole, shape = networks(name, torch.compile if mode == "compile" else lambda function: function)
    noise = -torch.empty(shape).exponential_().log()

    def draw() -> Tensor:
        step, symbols = sampler.start(), torch.zeros(shape[:2], dtype=torch.long)
        previous = symbols[:, 0]
        for position in range(shape[1]):
            previous = (step(position, previous) + noise[:, position]).argmax(-1)
            symbols[:, position] = previous
        return symbols

    def draws(times: int) -> None:
        for _ in range(times):
            draw()

    symbols = draw()
    same = (whole(symbols) + noise).argmax(-1) == symbols  # but where rounding decides between two
    assert same.float().mean() > 0.999, "what is kept gives other logits"
    serve(draws, sum(parameter.numel() for parameter in net.parameters()))


if __name__ == "__main__":
    main(*sys.argv[1:])
