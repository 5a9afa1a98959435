"""The Gated PixelCNN in PyTorch: layer for layer `jaxgen.models.autoregressive.gated_pixelcnn`."""

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]


def up_to(inputs: int, outputs: int, colors: int, strict: bool = False) -> Tensor:
    """`[outputs, inputs]`: an output sees the inputs of its own color and those before, or of those before alone."""
    seen = torch.arange(inputs) * colors // inputs
    seer = (torch.arange(outputs) * colors // outputs)[:, None]
    return seen < seer if strict else seen <= seer


class MaskedConv(nn.Conv2d):
    """The last column of the kernel, the pixel itself, is masked."""

    mask: Tensor

    def __init__(self, mask: Tensor, columns: int = 1):
        super().__init__(mask.shape[1], mask.shape[0], (1, columns))
        whole = torch.ones(*mask.shape, 1, columns)
        whole[..., 0, -1] = mask
        self.register_buffer("mask", whole)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (self.kernel_size[1] - 1, 0, 0, 0))
        return F.conv2d(x, self.weight * self.mask, self.bias)


def gate(y: Tensor) -> Tensor:
    a, b = y.chunk(2, 1)
    return torch.tanh(a) * torch.sigmoid(b)


class Layer(nn.Module):
    def __init__(self, channels: int, width: int, kernel: int, colors: int, first: bool):
        super().__init__()
        self.first, self.reach = first, kernel // 2
        rows = self.reach if first else self.reach + 1
        self.vertical = nn.Conv2d(channels, 2 * width, (rows, kernel))
        self.down = nn.Conv2d(2 * width, 2 * width, 1)
        self.horizontal = MaskedConv(up_to(channels, width, colors, strict=first).repeat(2, 1), self.reach + 1)
        self.out = MaskedConv(up_to(width, width, colors))

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        above = v[:, :, :-1] if self.first else v  # the rows above alone, or this one, too
        u = self.vertical(F.pad(above, (self.reach, self.reach, self.reach, 0)))
        moved = self.out(gate(self.horizontal(h) + self.down(u)))
        return gate(u), moved if self.first else h + moved


class GatedPixelCNN(nn.Module):
    def __init__(self, levels: int, width: int, layers: int, kernel: int, colors: int = 3):
        super().__init__()
        self.levels, self.colors = levels, colors  # which see one another in order
        channels = [2 * colors] + [width] * (layers - 1)
        self.layers = nn.ModuleList(Layer(n, width, kernel, colors, i == 0) for i, n in enumerate(channels))
        self.head = nn.ModuleList(MaskedConv(up_to(width, n, colors)) for n in (width, colors * levels))

    def logits(self, x: Tensor) -> Tensor:
        """Of images `[batch, colors, height, width]` of whole numbers, `[batch, colors, levels, height, width]`."""
        values = x.float() * (2 / (self.levels - 1)) - 1
        v = h = torch.stack((values, torch.ones_like(values)), 2).flatten(1, 2).to(memory_format=torch.channels_last)
        for layer in self.layers:
            v, h = layer(v, h)
        for conv in self.head:
            h = conv(F.relu(h))
        return h.unflatten(1, (self.colors, self.levels)).float()

    def forward(self, x: Tensor) -> Tensor:
        """The mean negative log-likelihood of an image, nats."""
        return F.cross_entropy(self.logits(x).transpose(1, 2), x, reduction="sum") / len(x)
