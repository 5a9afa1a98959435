"""The residual SNGAN in PyTorch: layer for layer `jaxgen.models.adversarial.resnet_gan`."""

import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]
from torch.nn.utils.parametrizations import spectral_norm  # pyright: ignore[reportMissingImports]


class UpBlock(nn.Module):
    def __init__(self, channels: int, features: int):
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Upsample(scale_factor=2))
        self.then = nn.Sequential(
            nn.Conv2d(channels, features, 3, padding=1, bias=False),
            nn.BatchNorm2d(features),
            nn.ReLU(),
            nn.Conv2d(features, features, 3, padding=1),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(channels, features, 1), nn.Upsample(scale_factor=2))

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self.first(x)) + self.shortcut(x)


class DownBlock(nn.Module):
    def __init__(self, channels: int, features: int, pool: bool, first: bool = False):
        super().__init__()
        self.first = nn.Identity() if first else nn.ReLU()
        self.then = nn.Sequential(
            spectral_norm(nn.Conv2d(channels, features, 3, padding=1)),
            nn.ReLU(),
            spectral_norm(nn.Conv2d(features, features, 3, padding=1)),
            nn.AvgPool2d(2) if pool else nn.Identity(),
        )
        shortcut = nn.Sequential(nn.AvgPool2d(2), spectral_norm(nn.Conv2d(channels, features, 1)))
        self.shortcut = shortcut if pool else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self.first(x)) + self.shortcut(x)


class SumPool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).sum((2, 3))


def generator(width: int = 256) -> nn.Module:
    """Table 4 of Miyato et al., 2018."""
    return nn.Sequential(
        nn.Linear(128, 16 * width),
        nn.Unflatten(1, (width, 4, 4)),
        *[UpBlock(width, width) for _ in range(3)],
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 3, 3, padding=1),
        nn.Tanh(),
    )


def discriminator(width: int = 128) -> nn.Module:
    """The same table's other half."""
    return nn.Sequential(
        DownBlock(3, width, pool=True, first=True),
        DownBlock(width, width, pool=True),
        DownBlock(width, width, pool=False),
        DownBlock(width, width, pool=False),
        SumPool(),
        spectral_norm(nn.Linear(width, 1)),
    )
