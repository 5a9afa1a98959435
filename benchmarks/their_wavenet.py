"""The WaveNet in PyTorch: layer for layer `jaxgen.models.autoregressive.wavenet`."""

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]


class Layer(nn.Module):
    def __init__(self, width: int, skip: int, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.filter = nn.Conv1d(width, 2 * width, 2, dilation=dilation)
        self.residual, self.skip = nn.Conv1d(width, width, 1), nn.Conv1d(width, skip, 1)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.filter(F.pad(h, (self.dilation, 0))).chunk(2, 1)
        y = torch.tanh(a) * torch.sigmoid(b)
        return h + self.residual(y), self.skip(y)


class WaveNet(nn.Module):
    def __init__(self, levels: int, width: int, skip: int, dilations: tuple[int, ...]):
        super().__init__()
        self.embed = nn.Embedding(levels, width)
        self.first = nn.Parameter(torch.zeros(width))
        self.layers = nn.ModuleList(Layer(width, skip, dilation) for dilation in dilations)
        self.hidden, self.head = nn.Conv1d(skip, skip, 1), nn.Conv1d(skip, levels, 1)

    def logits(self, x: Tensor) -> Tensor:
        """Of symbols `[batch, length]`, `[batch, levels, length]`."""
        y = torch.cat((self.first.expand(len(x), 1, -1), self.embed(x[:, :-1])), 1)
        h, skip = y.transpose(1, 2), torch.zeros(())
        for layer in self.layers:
            h, more = layer(h)
            skip = skip + more
        return self.head(F.relu(self.hidden(F.relu(skip))))

    def forward(self, x: Tensor) -> Tensor:
        """The mean negative log-likelihood of `[batch, length]`, nats a symbol."""
        return F.cross_entropy(self.logits(x), x)
