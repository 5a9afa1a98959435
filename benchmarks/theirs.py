"""The networks of the benchmark in PyTorch: `python benchmarks/theirs.py NAME eager|compile` serves its step.

Layer for layer those of `ours.py`, with as many parameters, in the forms that measured fastest on CPU. Weights are
PyTorch's own random ones: values do not change the time.
"""

import functools
import itertools
import math
import os
import sys
from collections.abc import Callable
from typing import Any

import their_gail
import their_pixelcnn
import their_resnet
import their_seqgan
import their_transformer
import their_wavenet
import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from alternate import cores, serve
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

Step = Callable[[], None]
Compile = Callable[[Callable], Callable]
LOG_2PI = math.log(2 * math.pi)


def adam(module: nn.Module, learning_rate: float, beta1: float = 0.9) -> torch.optim.Adam:
    return torch.optim.Adam(module.parameters(), learning_rate, (beta1, 0.999), fused=True)


def channels_last(x: Any) -> Any:
    """A network or images in the layout that measured faster, or as fast, for convolutions."""
    return x.to(memory_format=torch.channels_last)


def descend(optimizer: torch.optim.Optimizer, loss_of: Callable, *args: Tensor) -> None:
    """One step of an optimizer on a loss."""
    optimizer.zero_grad(set_to_none=True)
    loss_of(*args).backward()
    optimizer.step()


def dcgan_networks(
    normalization: bool = True, size: int = 32, channels: int = 1, width: int = 64
) -> tuple[nn.Module, nn.Module]:
    """Generator and critic for square images; `normalization` is the critic's."""

    def down(channels: int, features: int) -> list[nn.Module]:
        norm = [nn.BatchNorm2d(features)] if normalization else []
        return [nn.Conv2d(channels, features, 4, 2, 1, bias=not normalization), *norm, nn.LeakyReLU(0.2)]

    def up(channels: int, features: int) -> list[nn.Module]:
        conv = nn.ConvTranspose2d(channels, features, 4, 2, 1, bias=False)
        return [conv, nn.BatchNorm2d(features), nn.ReLU()]

    stages = size.bit_length() - 3
    widths = [width << stage for stage in range(stages)]
    deepest = widths[-1]
    generator = nn.Sequential(
        nn.Linear(100, 16 * deepest, bias=False),
        nn.Unflatten(1, (deepest, 4, 4)),
        nn.BatchNorm2d(deepest),
        nn.ReLU(),
        *itertools.chain(*(up(2 * features, features) for features in reversed(widths[:-1]))),
        nn.ConvTranspose2d(width, channels, 4, 2, 1),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        nn.Conv2d(channels, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        *itertools.chain(*(down(features, 2 * features) for features in widths[:-1])),
        nn.Flatten(),
        nn.Linear(16 * deepest, 1),
    )
    return channels_last(generator), channels_last(critic)


def dcgan(compile: Compile) -> tuple[nn.Module, Step]:
    """DCGAN of width 64 on 32x32x1, batch 64."""
    generator, critic = dcgan_networks()
    images = channels_last(torch.rand(64, 1, 32, 32) * 2 - 1)
    step = gan_step(generator, critic, images, compile, latent_size=100, learning_rate=2e-4)
    return nn.ModuleList([generator, critic]), step


def wgan_gp(compile: Compile) -> tuple[nn.Module, Step]:
    """DCGAN of width 64 on 32x32x1, its critic without normalization and with a gradient penalty, batch 64."""
    generator, critic = dcgan_networks(normalization=False)
    real = channels_last(torch.rand(64, 1, 32, 32) * 2 - 1)
    optimizers = {net: adam(net, 1e-4, beta1=0.5) for net in (critic, generator)}

    def critic_loss(real: Tensor) -> Tensor:  # which torch.compile refuses: it differentiates no gradient
        with torch.no_grad():
            fake = generator(torch.randn(len(real), 100))
        between = torch.lerp(real, fake, torch.rand(len(real), 1, 1, 1)).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return critic(fake).mean() - critic(real).mean() + 10 * penalty

    @compile
    def generator_loss() -> Tensor:
        return -critic(generator(torch.randn(len(real), 100))).mean()

    def step() -> None:
        descend(optimizers[critic], critic_loss, real)
        critic.requires_grad_(False)
        descend(optimizers[generator], generator_loss)
        critic.requires_grad_(True)

    return nn.ModuleList([generator, critic]), step


def sngan_resnet(compile: Compile) -> tuple[nn.Module, Step]:
    """The residual SNGAN at its full width, 256 and 128, on 32x32x3, batch 16."""
    generator, critic = channels_last(their_resnet.generator()), channels_last(their_resnet.discriminator())
    images = channels_last(torch.rand(16, 3, 32, 32) * 2 - 1)
    step = gan_step(generator, critic, images, compile, latent_size=128, learning_rate=2e-4)
    return nn.ModuleList([generator, critic]), step


def toy_gan(compile: Compile) -> tuple[nn.Module, Step]:
    """A GAN of points in the plane, both networks with two hidden layers of 32 units, batch 128."""

    def mlp(features: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, features))

    generator, critic = mlp(2), mlp(1)
    step = gan_step(generator, critic, torch.randn(128, 2), compile, latent_size=2, learning_rate=1e-3)
    return nn.ModuleList([generator, critic]), step


def gan_step(
    generator: nn.Module,
    critic: nn.Module,
    real: Tensor,
    compile: Compile,
    latent_size: int,
    learning_rate: float,
    critic_steps: int = 1,
) -> Step:
    """Updates of the critic, then one of the generator, on the non-saturating loss."""
    optimizers = {net: adam(net, learning_rate, beta1=0.5) for net in (critic, generator)}

    @compile
    def critic_loss(real: Tensor) -> Tensor:
        with torch.no_grad():
            fake = generator(torch.randn(len(real), latent_size, device=real.device))
        return F.softplus(-critic(real)).mean() + F.softplus(critic(fake)).mean()

    @compile
    def generator_loss() -> Tensor:
        return F.softplus(-critic(generator(torch.randn(len(real), latent_size, device=real.device)))).mean()

    def step() -> None:
        for _ in range(critic_steps):
            descend(optimizers[critic], critic_loss, real)
        critic.requires_grad_(False)  # as the engine's phases, differentiate by what moves alone
        descend(optimizers[generator], generator_loss)
        critic.requires_grad_(True)

    return step


def mlp_vae(compile: Compile, batch_size: int = 256) -> tuple[nn.Module, Step]:
    """Fully connected VAE 784-400-20 on binary pixels."""
    encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 40))
    decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))
    both = nn.ModuleList([encoder, decoder])
    optimizer = adam(both, 1e-3)
    images = torch.randint(0, 2, (batch_size, 784)).float()

    @compile
    def loss(images: Tensor) -> Tensor:
        mean, log_variance = encoder(images).chunk(2, 1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        kl = 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum()
        return (F.binary_cross_entropy_with_logits(decoder(z), images, reduction="sum") + kl) / len(images)

    return both, lambda: descend(optimizer, loss, images)


class ActNorm(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return (x - self.shift) * torch.exp(-self.log_scale), -self.log_scale.sum() * math.prod(x.shape[2:])


class InvertibleConv(nn.Module):
    order: Tensor
    sign: Tensor
    eye: Tensor

    def __init__(self, channels: int):
        super().__init__()
        permutation, lower, upper = torch.linalg.lu(torch.linalg.qr(torch.randn(channels, channels))[0])
        scale = torch.diagonal(upper).clone()
        self.register_buffer("order", permutation.argmax(1))
        self.register_buffer("sign", torch.sign(scale))
        self.register_buffer("eye", torch.eye(channels))
        self.lower = nn.Parameter(torch.tril(lower, -1))
        self.upper = nn.Parameter(torch.triu(upper, 1))
        self.log_scale = nn.Parameter(torch.log(torch.abs(scale)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        lower = torch.tril(self.lower, -1) + self.eye
        upper = torch.triu(self.upper, 1) + torch.diag(self.sign * torch.exp(self.log_scale))
        with torch.autocast(x.device.type, enabled=False):  # the flow's own path is float32
            weight = (lower @ upper)[self.order]
            z = F.conv2d(x, weight[:, :, None, None])
        return z, self.log_scale.sum() * math.prod(x.shape[2:])


class NormalizedConv(nn.Module):
    def __init__(self, channels: int, features: int, size: int):
        super().__init__()
        self.kernel = nn.Parameter(0.05 * torch.randn(features, channels, size, size))
        self.shift = nn.Parameter(torch.zeros(features))
        self.log_scale = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.exp(-self.log_scale)
        return F.conv2d(x, self.kernel * scale[:, None, None, None], -self.shift * scale, padding="same")


class Coupling(nn.Module):
    """Affine coupling: half of the channels moves by what `conditioner` computes from the other."""

    def __init__(self, conditioner: nn.Module, swap: bool = False):
        super().__init__()
        self.conditioner = conditioner
        self.swap = swap

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        stays, moves = reversed(x.chunk(2, 1)) if self.swap else x.chunk(2, 1)
        raw, shift = self.conditioner(stays).chunk(2, 1)
        log_scale = 3 * torch.tanh(raw / 3)
        moves = (moves - shift) * torch.exp(-log_scale)
        return torch.cat((moves, stays) if self.swap else (stays, moves), 1), -log_scale.flatten(1).sum(1)


def zeroed(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class Glow(nn.Module):
    def __init__(self, steps: int, levels: int, width: int, channels: int):
        super().__init__()
        half = 2 * channels  # of the channels after squeezing
        self.steps = nn.ModuleList()
        for _ in range(steps):
            first, second = NormalizedConv(half, width, 3), NormalizedConv(width, width, 1)
            last = zeroed(nn.Conv2d(width, 2 * half, 3, padding=1))
            conditioner = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
            self.steps.extend((ActNorm(2 * half), InvertibleConv(2 * half), Coupling(conditioner)))
        if levels > 1:
            self.steps.append(Coupling(zeroed(nn.Conv2d(half, 2 * half, 3, padding=1))))
        self.deeper = Glow(steps, levels - 1, width, half) if levels > 1 else None

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """The base variables, a tensor a level, and the log-det `[batch]`."""
        x, log_det = F.pixel_unshuffle(x, 2), x.new_zeros(len(x))
        for step in self.steps:
            x, part = step(x)
            log_det = log_det + part
        if self.deeper is None:
            return [x], log_det
        x, z = x.chunk(2, 1)
        zs, part = self.deeper(x)
        return [z, *zs], log_det + part


def standard_normal(z: Tensor) -> Tensor:
    """Log-density in nats, `[batch]`."""
    return -0.5 * (z.square() + LOG_2PI).flatten(1).sum(1)


def glow(
    compile: Compile,
    steps: int = 8,
    levels: int = 3,
    width: int = 128,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> tuple[nn.Module, Step]:
    """Glow, so many steps at each level, on 32x32x3."""
    net = channels_last(Glow(steps, levels, width, channels=3))
    optimizer = adam(net, learning_rate)
    images = channels_last(torch.randint(0, 256, (batch_size, 3, 32, 32), dtype=torch.uint8))

    @compile
    def bits_per_dim(images: Tensor) -> Tensor:
        zs, log_det = net((images + torch.rand_like(images, dtype=torch.float32)) / 256)
        log_likelihood = sum(map(standard_normal, zs)) + log_det
        return (-log_likelihood / (images[0].numel() * math.log(2)) + 8).mean()

    return net, lambda: descend(optimizer, bits_per_dim, images)


def flow_2d(compile: Compile, width: int = 32, batch_size: int = 128) -> tuple[nn.Module, Step]:
    """Eight affine couplings of alternating halves in the plane, conditioners 1-width-width-2."""
    couplings = nn.ModuleList()
    for layer in range(8):
        hidden = (nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        couplings.append(Coupling(nn.Sequential(*hidden, zeroed(nn.Linear(width, 2))), swap=layer % 2 == 1))
    optimizer = adam(couplings, 1e-3)
    x = torch.randn(batch_size, 2)

    @compile
    def loss(x: Tensor) -> Tensor:
        log_det = torch.zeros(len(x))
        for coupling in couplings:
            x, part = coupling(x)
            log_det = log_det + part
        return -(standard_normal(x) + log_det).mean()

    return couplings, lambda: descend(optimizer, loss, x)


def transformer(compile: Compile) -> tuple[nn.Module, Step]:
    """nanoGPT's setting for a CPU: 4 layers of width 128, 4 heads, 12 texts of 64 bytes."""
    net = their_transformer.Transformer(256, 128, 4, 4)
    optimizer, symbols = adam(net, 1e-3), torch.randint(0, 256, (12, 64))
    loss = compile(lambda x: net(x))
    return net, lambda: descend(optimizer, loss, symbols)


def gated_pixelcnn(compile: Compile) -> tuple[nn.Module, Step]:
    """Width 32, 4 layers of 3x3 kernels, on 8x8x1 of 17 levels, batch 64."""
    net = channels_last(their_pixelcnn.GatedPixelCNN(17, 32, 4, 3, colors=1))
    optimizer, symbols = adam(net, 1e-3), torch.randint(0, 17, (64, 1, 8, 8))
    loss = compile(lambda x: net(x))
    return net, lambda: descend(optimizer, loss, symbols)


def wavenet(compile: Compile) -> tuple[nn.Module, Step]:
    """Ten layers of 24 channels, dilations 1 to 512, 4 sounds of 1,024 samples of 256 levels."""
    net = their_wavenet.WaveNet(256, 24, 128, tuple(2**layer for layer in range(10)))
    optimizer, symbols = adam(net, 1e-3), torch.randint(0, 256, (4, 1024))
    loss = compile(lambda x: net(x))
    return net, lambda: descend(optimizer, loss, symbols)


def seqgan(compile: Compile, worth: Callable = their_seqgan.one_by_one) -> tuple[nn.Module, Step]:
    """SeqGAN: an LSTM of width 32, 100 symbols, 20 places, 4 rollouts, 64 sequences."""
    policy, critic = their_seqgan.Policy(100, 32), their_seqgan.Critic(100)
    tokens = torch.randint(0, 100, (64, 20))
    step = their_seqgan.step_of(policy, critic, tokens, compile, worth=worth, rollouts=4, critic_steps=3)
    return nn.ModuleList([policy, critic]), step


def gail(compile: Compile) -> tuple[nn.Module, Step]:
    """GAIL on the pendulum: 32 worlds of 200 steps a rollout, networks of 64 and 64 units."""
    actor, value, critic = their_gail.mlp(3, 9), their_gail.mlp(3, 1), their_gail.mlp(12, 1)
    expert = torch.randn(256, 3), torch.randint(0, 9, (256,))
    step = their_gail.step_of(actor, value, critic, expert, compile, environments=32, horizon=200, critic_steps=2)
    return nn.ModuleList([actor, value, critic]), step


CONTENDERS = {
    "dcgan": dcgan,
    "mlp_vae": mlp_vae,
    "glow": glow,
    "wgan_gp": wgan_gp,
    "sngan_resnet": sngan_resnet,
    "flow_2d": flow_2d,
    "flow_2d_wide": functools.partial(flow_2d, width=64, batch_size=256),
    "toy_gan": toy_gan,
    "transformer": transformer,
    "gated_pixelcnn": gated_pixelcnn,
    "wavenet": wavenet,
    "seqgan": seqgan,
    "seqgan_at_once": functools.partial(seqgan, worth=their_seqgan.at_once),
    "gail": gail,
} | {f"glow_{steps}": functools.partial(glow, steps=steps, levels=2) for steps in (8, 16, 32, 64)}


def main(name: str, mode: str) -> None:
    torch.set_num_threads(min(2, cores()))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    net, step = CONTENDERS[name](torch.compile if mode == "compile" else lambda function: function)

    def steps(count: int) -> None:
        for _ in range(count):
            step()

    serve(steps, sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad))


if __name__ == "__main__":
    main(*sys.argv[1:])
