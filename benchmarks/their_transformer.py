"""The decoder-only transformer in PyTorch: layer for layer `jaxgen.models.autoregressive.transformer`."""

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]


def rotate(x: Tensor) -> Tensor:
    """`[batch, heads, length, size]` turned by position, the halves being real and imaginary parts."""
    half = x.shape[-1] // 2
    frequencies = 10_000.0 ** (-torch.arange(half, device=x.device) / half)
    angles = torch.arange(x.shape[2], device=x.device)[:, None] * frequencies
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


class Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.back = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.norms[0](x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(rotate(qkv[0]), rotate(qkv[1]), qkv[2], is_causal=True)
        x = x + self.mix(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.back(F.gelu(self.up(self.norms[1](x)), approximate="tanh"))


class Transformer(nn.Module):
    def __init__(self, levels: int, width: int, layers: int, heads: int):
        super().__init__()
        self.embed = nn.Embedding(levels, width)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.first = nn.Parameter(torch.zeros(1, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)

    def logits(self, x: Tensor) -> Tensor:
        """Of symbols `[batch, length]`, `[batch, length, levels]`."""
        y = self.embed(x[:, :-1])
        y = torch.cat((self.first.expand(len(x), 1, -1), y), 1)
        if torch.is_autocast_enabled(x.device.type):
            y = y.to(torch.get_autocast_dtype(x.device.type))
        for block in self.blocks:
            y = block(y)
        return F.linear(self.norm(y), self.embed.weight).float()

    def forward(self, x: Tensor) -> Tensor:
        """The mean negative log-likelihood of `[batch, length]`, nats a symbol."""
        return F.cross_entropy(self.logits(x).flatten(0, 1), x.flatten())
