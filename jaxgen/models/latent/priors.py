"""What structured priors learn: a mixture's components, or pseudo-inputs of which an encoder makes some.

Either is initialized with images of the data, on which only the pseudo-inputs look.
"""

import jax
from flax import linen as nn
from jax import numpy as jnp

from jaxgen.losses import tree as crp
from jaxgen.losses.mixture import GaussianMixture


class MixturePrior(nn.Module):
    """A mixture of diagonal Gaussians of its own: at first of equal weights and unit variances, the means drawn apart.

    Attributes:
      components: K.
      latent_size: dimensions of z.
    """

    components: int
    latent_size: int

    @nn.compact
    def __call__(self, images: jax.Array | None = None) -> GaussianMixture:
        """The mixture, `[K, latent]`; the images say nothing."""
        shape = (self.components, self.latent_size)
        return GaussianMixture(
            self.param("logits", nn.initializers.zeros, shape[:1]),
            self.param("means", nn.initializers.normal(1.0), shape),
            self.param("log_variances", nn.initializers.zeros, shape),
        )


class PseudoInputs(nn.Module):
    """VampPrior's inputs, which look like data but are learned: Tomczak and Welling 2018, section 3.

    They begin as images of the data, their extremes taken off, and are kept within the data's range by a sigmoid.

    Attributes:
      components: K.
      low: of the pixels' values.
      high: of the pixels' values.
    """

    components: int
    low: float = 0.0
    high: float = 1.0

    @nn.compact
    def __call__(self, images: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """The weights' logits `[K]` and the inputs `[K, height, width, channels]`; images `[batch, ...]` at first."""

        def first(key: jax.Array, images: jax.Array) -> jax.Array:
            chosen = images[jax.random.choice(key, len(images), (self.components,), len(images) < self.components)]
            share = jnp.clip((chosen - self.low) / (self.high - self.low), 0.1, 0.9)
            return jnp.log(share / (1 - share))

        logits = self.param("logits", nn.initializers.zeros, (self.components,))
        # Linen would ask the initializer for the shape each time, and there is no image any more.
        raw = self.get_variable("params", "inputs") if images is None else self.param("inputs", first, images)
        return logits, self.low + (self.high - self.low) * jax.nn.sigmoid(raw)


class TreePrior(nn.Module):
    """The leaves of a tree of clusters, which moves by its own updates in closed form: see `jaxgen.losses.tree`.

    It is the collection `tree`, which moves where it is mutable, with what leaves have had of the latents lately, as if
    all examples had been seen at once: stochastic variational inference (Hoffman et al. 2013) of a constant step.

    Attributes:
      process: the tree's prior.
      latent_size: dimensions of z.
      examples: how many there are, against which the process's own beliefs weigh.
      decay: of the averages; 0 takes each batch for all there is.
    """

    process: crp.Process
    latent_size: int
    examples: int
    decay: float = 0.99

    def setup(self) -> None:
        leaves, size = self.process.nodes[-1], self.latent_size
        first = lambda: crp.start(self.make_rng("params"), self.process, sequences=1, size=size)  # noqa: E731
        self.tree = self.variable("tree", "tree", first)
        self.counts = self.variable("tree", "counts", jnp.zeros, (leaves,))
        self.sums = self.variable("tree", "sums", jnp.zeros, (leaves, size))

    def __call__(self, images: jax.Array | None = None) -> GaussianMixture:
        """What the tree predicts, a component for each leaf; the images say nothing."""
        tree, logits = self.tree.value, jnp.zeros(1)
        for sticks, branching in zip(tree.sticks, self.process.branching, strict=True):
            v = (sticks[0, :, 0] / jnp.sum(sticks[0], -1)).reshape(-1, branching)
            rest = jnp.log1p(-v)
            logits = (logits[:, None] + jnp.log(v) + jnp.cumsum(rest, -1) - rest).ravel()
        variances = self.process.data_variance + tree.variances[-1]
        return GaussianMixture(
            logits, tree.means[-1], jnp.broadcast_to(jnp.log(variances)[:, None], tree.means[-1].shape)
        )

    def learn(self, z: jax.Array) -> None:
        """Moves the tree by latents `[batch, latent]`, if it may move."""
        if not self.is_mutable_collection("tree") or self.is_initializing():
            return
        z, process = jax.lax.stop_gradient(z), self.process
        seen = crp.Data(z, jnp.zeros(()), jnp.zeros(len(z), int))
        shares = crp.update_shares(seen, self.tree.value, process) * self.examples / len(z)
        self.counts.value = self.decay * self.counts.value + (1 - self.decay) * jnp.sum(shares, 0)
        self.sums.value = self.decay * self.sums.value + (1 - self.decay) * shares.T @ z
        # What a leaf has had acts as so many latents at their mean.
        counts = self.counts.value
        leaves = crp.Data(
            self.sums.value / jnp.maximum(counts, 1e-6)[:, None], jnp.zeros(()), jnp.zeros(len(counts), int)
        )
        weights = jnp.diag(counts)
        moved = crp.update_sticks(leaves, weights, self.tree.value, process)
        self.tree.value = crp.update_nodes(leaves, weights, moved, process)
