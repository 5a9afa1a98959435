"""BigGAN in PyTorch: layer for layer `jaxgen.models.adversarial.biggan`."""

import itertools
from collections.abc import Callable, Sequence

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]
from torch.nn.utils.parametrizations import spectral_norm  # pyright: ignore[reportMissingImports]

CHUNK, EMBEDDING = 20, 128
BLOCKS = {  # size -> multiples of the width in the generator and the discriminator, halvings, side that attends
    32: ((4, 4, 4, 4), (4, 4, 4, 4), 2, None),
    64: ((16, 16, 8, 4, 2), (1, 2, 4, 8, 16), 4, 32),
    128: ((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5, 64),
}


def conv(channels: int, features: int, size: int, bias: bool = True) -> nn.Module:
    return spectral_norm(nn.Conv2d(channels, features, size, padding=size // 2, bias=bias))


class SelfAttention(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.query, self.key = conv(channels, channels // 8, 1, False), conv(channels, channels // 8, 1, False)
        self.value, self.output = conv(channels, channels // 2, 1, False), conv(channels // 2, channels, 1, False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        def pixels(x: Tensor) -> Tensor:
            return x.flatten(2).transpose(1, 2)

        query, key = pixels(self.query(x)), pixels(F.max_pool2d(self.key(x), 2))
        value = pixels(F.max_pool2d(self.value(x), 2))
        mixed = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], scale=1.0)[:, 0]
        return x + self.gamma * self.output(mixed.transpose(1, 2).reshape(len(x), -1, *x.shape[2:]))


class ConditionalBatchNorm(nn.Module):
    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = spectral_norm(nn.Linear(condition, channels, bias=False))
        self.shift = spectral_norm(nn.Linear(condition, channels, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.norm(x) * (1 + self.scale(condition)[..., None, None]) + self.shift(condition)[..., None, None]


class UpBlock(nn.Module):
    def __init__(self, channels: int, features: int, condition: int):
        super().__init__()
        self.norms = nn.ModuleList(ConditionalBatchNorm(n, condition) for n in (channels, features))
        self.convs = nn.ModuleList((conv(channels, features, 3, bias=False), conv(features, features, 3)))
        self.shortcut = conv(channels, features, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        y = F.interpolate(F.relu(self.norms[0](x, condition)), scale_factor=2)
        y = self.convs[1](F.relu(self.norms[1](self.convs[0](y), condition)))
        return y + F.interpolate(self.shortcut(x), scale_factor=2)


class Generator(nn.Module):
    def __init__(self, size: int, classes: int, width: int):
        super().__init__()
        widths, _, _, self.attention = BLOCKS[size]
        widths = [width * n for n in widths]
        self.embed = nn.Embedding(classes, EMBEDDING)
        self.project = spectral_norm(nn.Linear(CHUNK, 16 * widths[0]))
        pairs = itertools.pairwise(widths)
        self.ups = nn.ModuleList(UpBlock(a, b, EMBEDDING + CHUNK) for a, b in pairs)
        self.attend = nn.ModuleList()
        for stage, features in enumerate(widths[1:]):
            self.attend.append(SelfAttention(features) if 8 << stage == self.attention else nn.Identity())
        self.out = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), conv(widths[-1], 3, 3), nn.Tanh())

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        first, *others = z.split(CHUNK, 1)
        shared = self.embed(label)
        x = self.project(first).reshape(len(z), -1, 4, 4).to(memory_format=torch.channels_last)
        for up, attend, chunk in zip(self.ups, self.attend, others, strict=True):
            x = attend(up(x, torch.cat((shared, chunk), 1)))
        return self.out(x)


class DownBlock(nn.Module):
    def __init__(self, channels: int, features: int, first: bool, pool: bool):
        super().__init__()
        self.first, self.pool = first, pool
        self.convs = nn.ModuleList((conv(channels, features, 3), conv(features, features, 3)))
        self.shortcut = conv(channels, features, 1) if pool or channels != features else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs[1](F.relu(self.convs[0](x if self.first else F.relu(x))))
        if self.pool:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        return self.shortcut(x) + y


class Discriminator(nn.Module):
    def __init__(self, size: int, classes: int, width: int):
        super().__init__()
        _, widths, halvings, attention = BLOCKS[size]
        layers, channels = [], 3
        for stage, features in enumerate(width * n for n in widths):
            layers.append(DownBlock(channels, features, stage == 0, stage < halvings))
            if stage < halvings and size >> stage + 1 == attention:
                layers.append(SelfAttention(features))
            channels = features
        self.blocks = nn.Sequential(*layers)
        self.logit = spectral_norm(nn.Linear(channels, 1))
        self.embed = spectral_norm(nn.Embedding(classes, channels))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        x = F.relu(self.blocks(x)).sum((2, 3))
        return self.logit(x)[:, 0] + (self.embed(label) * x).sum(1)


def orthogonality(weights: Sequence[Tensor]) -> Tensor:
    """`|WWᵀ - I|^2` without its diagonal, summed over weights, filters being rows."""

    def off_diagonal(weight: Tensor) -> Tensor:
        gram = weight.flatten(1) @ weight.flatten(1).T
        return (gram * (1 - torch.eye(len(gram), dtype=gram.dtype, device=gram.device))).square().sum()

    return torch.stack([off_diagonal(weight) for weight in weights]).sum()


def step_of(
    generator: nn.Module, critic: nn.Module, real: Tensor, label: Tensor, compile: Callable, optimizers: Sequence
) -> Callable[[], None]:
    """Two updates of the critic on the hinge loss, one of the generator with orthogonal weights, and its average."""
    latent_size = CHUNK * (len(generator.ups) + 1)
    weights = [p for name, p in generator.named_parameters() if p.ndim > 1 and not name.startswith("embed")]
    average = [p.detach().clone() for p in generator.parameters()]

    @compile
    def critic_loss(real: Tensor, label: Tensor) -> Tensor:
        with torch.no_grad():
            fake = generator(torch.randn(len(real), latent_size, device=real.device), label)
        return F.relu(1 - critic(real, label)).mean() + F.relu(1 + critic(fake, label)).mean()

    @compile
    def generator_loss(label: Tensor) -> Tensor:
        fake = generator(torch.randn(len(label), latent_size, device=label.device), label)
        return -critic(fake, label).mean() + 1e-4 * orthogonality(weights)

    def step() -> None:
        for _ in range(2):
            optimizers[1].zero_grad(set_to_none=True)
            critic_loss(real, label).backward()
            optimizers[1].step()
        critic.requires_grad_(False)
        optimizers[0].zero_grad(set_to_none=True)
        generator_loss(label).backward()
        optimizers[0].step()
        critic.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(average, list(generator.parameters()), 1e-4)

    return step
