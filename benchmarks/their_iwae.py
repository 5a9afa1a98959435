"""An importance-weighted autoencoder in PyTorch: that of `jaxgen.methods.latent.iwae`, of fully connected networks."""

import itertools
import math

import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]


def mlp(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class IWAE(nn.Module):
    def __init__(self, draws: int, hidden: int = 200, latent_size: int = 50):
        super().__init__()
        self.draws = draws
        self.encoder = mlp(784, hidden, hidden, 2 * latent_size)
        self.decoder = mlp(latent_size, hidden, hidden, 784)

    def log_weights(self, images: Tensor, noise: Tensor) -> Tensor:
        """`log p(x, z) - log q(z|x)` of images `[batch, 784]` and noise `[batch, draws, latent]`: `[batch, draws]`."""
        mean, log_variance = self.encoder(images)[:, None].float().chunk(2, 2)
        z = mean + torch.exp(log_variance / 2) * noise
        logits = self.decoder(z)
        pixels = images[:, None].expand(logits.shape)
        log_likelihood = -F.binary_cross_entropy_with_logits(logits.float(), pixels, reduction="none").sum(2)
        # Of both normal densities the constants cancel; z is as far from its mean as the noise says.
        return log_likelihood + 0.5 * (noise.square() + log_variance - z.square()).sum(2)

    def forward(self, images: Tensor) -> Tensor:
        """The negative bound, nats an image."""
        noise = torch.randn(len(images), self.draws, self.decoder[0].in_features, device=images.device)
        bound = torch.logsumexp(self.log_weights(images, noise), 1) - math.log(self.draws)
        return -bound.mean()
