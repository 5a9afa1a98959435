"""Mean-field inference of a nested Chinese restaurant process: a tree of Gaussian clusters, each update in closed form.

Goyal et al. 2017, "Nonparametric Variational Auto-encoders for Hierarchical Representation Learning", section 3, on the
process of Blei et al. 2010. Node p of the tree has alpha_p ~ N(alpha_parent, node_variance I), those of the first level
around 0. A sequence m of data breaks sticks v ~ Beta(1, concentration) at every node for its children; a datum goes
down the tree along them to a leaf c, and z ~ N(alpha_c, data_variance I). The approximation is

    q(alpha_p) = N(mean_p, variance_p I), q(v) = Beta(a, b), q(c) = shares over leaves, q(z) = N(mean, diag(variance)),

and each function `update_...` gives the best of one of these while the others stand still, so that `bound` never falls.
The tree is truncated, q of a leaf beyond being 0: what is bounded is still the evidence of the endless tree, and the
arrays keep their shapes. With one level and one sequence it is a Dirichlet process mixture of Gaussians.
"""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import betaln, digamma, xlogy

from jaxgen.errors import UserError
from jaxgen.losses.levels import Gaussian, merged


@dataclasses.dataclass(frozen=True)
class Process:
    """The prior.

    Attributes:
      branching: children of a node at each level, from the root: (4, 4) has 4 nodes and 16 leaves.
      node_variance: of a node's alpha about its parent's.
      data_variance: of z about its leaf's alpha.
      concentration: of the sticks; above 1 it prefers many children.
    """

    branching: tuple[int, ...]
    node_variance: float = 1.0
    data_variance: float = 1.0
    concentration: float = 1.0

    def __post_init__(self) -> None:
        if not self.branching or min(self.branching) < 1:
            raise UserError(
                f"branching is {self.branching}; name at least one level and one child a node, e.g. (4, 4)."
            )
        for name in ("node_variance", "data_variance", "concentration"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} is {getattr(self, name)}; it must be positive.")

    @property
    def nodes(self) -> list[int]:
        """How many there are at each level; the last are the leaves."""
        return [math.prod(self.branching[: level + 1]) for level in range(len(self.branching))]


class Data(NamedTuple):
    """q(z) of data, and where they belong.

    Attributes:
      mean: `[n, size]`.
      variance: broadcast to `[n, size]`; 0 where z is known.
      sequence: which of the sequences each is of, int `[n]`.
    """

    mean: jax.Array
    variance: jax.Array
    sequence: jax.Array


class Tree(NamedTuple):
    """q of the tree, a level an element, from the root; the children of node i are `branching * i` and those after it.

    Attributes:
      means: of alpha, `[nodes, size]`.
      variances: of every element of alpha, `[nodes]`.
      sticks: a and b of each node's stick, `[sequences, nodes, 2]`.
    """

    means: tuple[jax.Array, ...]
    variances: tuple[jax.Array, ...]
    sticks: tuple[jax.Array, ...]


def start(key: jax.Array, process: Process, *, sequences: int, size: int) -> Tree:
    """A tree that knows of no data, but that its means are drawn from the prior, to be told apart."""
    means, variances, sticks, above = [], [], [], jnp.zeros((1, size))
    for level, (nodes, branching) in enumerate(zip(process.nodes, process.branching, strict=True)):
        noise = jax.random.normal(jax.random.fold_in(key, level), (nodes, size))
        above = jnp.repeat(above, branching, 0) + math.sqrt(process.node_variance) * noise
        means.append(above)
        variances.append(jnp.full(nodes, process.node_variance))
        sticks.append(jnp.broadcast_to(jnp.array([1.0, process.concentration]), (sequences, nodes, 2)))
    return Tree(tuple(means), tuple(variances), tuple(sticks))


def log_weights(tree: Tree, process: Process) -> jax.Array:
    """`E_q[log p(c | v)]` of every leaf, `[sequences, leaves]`."""
    total = jnp.zeros((tree.sticks[0].shape[0], 1))
    for sticks, branching in zip(tree.sticks, process.branching, strict=True):
        siblings = sticks.reshape(*total.shape, branching, 2)
        log_v, log_rest = jnp.unstack(digamma(siblings) - digamma(jnp.sum(siblings, -1, keepdims=True)), axis=-1)
        before = jnp.cumsum(log_rest, -1) - log_rest
        total = (total[..., None] + log_v + before).reshape(total.shape[0], -1)
    return total


def expected_squares(data: Data, tree: Tree) -> jax.Array:
    """`E_q |z - alpha|^2` of every datum and leaf, `[n, leaves]`: both have variance, in every dimension."""
    size = data.mean.shape[1]
    variance = jnp.sum(jnp.broadcast_to(data.variance, data.mean.shape), 1)
    apart = jnp.sum(jnp.square(data.mean[:, None] - tree.means[-1]), -1)
    return apart + variance[:, None] + size * tree.variances[-1]


def log_joint(data: Data, tree: Tree, process: Process) -> jax.Array:
    """`E_q[log p(c | v) + log p(z | c, alpha)]`, `[n, leaves]`; its logsumexp is a datum's part of the best bound."""
    normalizer = data.mean.shape[1] / 2 * math.log(2 * math.pi * process.data_variance)
    squares = expected_squares(data, tree) / (2 * process.data_variance)
    return log_weights(tree, process)[data.sequence] - squares - normalizer


def update_shares(data: Data, tree: Tree, process: Process) -> jax.Array:
    """q(c), `[n, leaves]`."""
    return jax.nn.softmax(log_joint(data, tree, process), -1)


def update_sticks(data: Data, shares: jax.Array, tree: Tree, process: Process) -> Tree:
    """q(v) of all sequences: a stick's a counts who took it, its b who went past it to a later sibling."""
    sequences = tree.sticks[0].shape[0]
    counts, sticks = jax.ops.segment_sum(shares, data.sequence, sequences), []
    for branching in reversed(process.branching):
        siblings = counts.reshape(sequences, -1, branching)
        later = jnp.sum(siblings, -1, keepdims=True) - jnp.cumsum(siblings, -1)
        sticks.append(jnp.stack([1 + siblings, process.concentration + later], -1).reshape(*counts.shape, 2))
        counts = jnp.sum(siblings, -1)
    return tree._replace(sticks=tuple(reversed(sticks)))


def update_nodes(data: Data, shares: jax.Array, tree: Tree, process: Process) -> Tree:
    """q(alpha), a level after the other from the leaves up: precisions of parent and children, or data, add up."""
    means, variances = list(tree.means), list(tree.variances)
    below = jnp.sum(shares, 0) / process.data_variance  # precisions, and precisions times means
    pull = shares.T @ data.mean / process.data_variance
    for level in reversed(range(len(means))):
        above = jnp.repeat(means[level - 1], process.branching[level], 0) if level else jnp.zeros_like(means[0])
        variances[level] = 1 / (1 / process.node_variance + below)
        means[level] = (above / process.node_variance + pull) * variances[level][:, None]
        children = means[level].reshape(-1, process.branching[level], means[level].shape[1])
        below = jnp.full(children.shape[0], process.branching[level] / process.node_variance)
        pull = jnp.sum(children, 1) / process.node_variance
    return tree._replace(means=tuple(means), variances=tuple(variances))


def update_z(evidence: Gaussian, shares: jax.Array, tree: Tree, process: Process) -> Gaussian:
    """q(z) where x says of z what `evidence` does, `[n, size]`: the mean of both, weighed by their precisions."""
    from_tree = Gaussian(shares @ tree.means[-1], jnp.full_like(evidence.mean, math.log(process.data_variance)))
    return merged(from_tree, evidence)


def bound(data: Data, shares: jax.Array, tree: Tree, process: Process) -> jax.Array:
    """The evidence lower bound of all data together, `[]` in nats, without the entropy of q(z) and without p(x|z)."""
    size = data.mean.shape[1]
    total = jnp.sum(shares * log_joint(data, tree, process)) - jnp.sum(xlogy(shares, shares))
    above, above_variance = jnp.zeros_like(tree.means[0][:1]), jnp.zeros(1)
    for means, variances, branching in zip(tree.means, tree.variances, process.branching, strict=True):
        above, above_variance = jnp.repeat(above, branching, 0), jnp.repeat(above_variance, branching)
        squares = jnp.sum(jnp.square(means - above), 1) + size * (variances + above_variance)
        entropy = size / 2 * (1 + jnp.log(variances / process.node_variance))
        total += jnp.sum(entropy - squares / (2 * process.node_variance))
        above, above_variance = means, variances
    return total - sum(jnp.sum(_beta_kl(sticks, process.concentration)) for sticks in tree.sticks)


def sweep(data: Data, tree: Tree, process: Process) -> tuple[Tree, jax.Array]:
    """Every update once; returns the shares too. The bound does not fall."""
    shares = update_shares(data, tree, process)
    tree = update_nodes(data, shares, update_sticks(data, shares, tree, process), process)
    return tree, update_shares(data, tree, process)


def regrow(key: jax.Array, data: Data, tree: Tree, process: Process, *, sweeps: int = 5) -> Tree:
    """The tree after some sweeps, or after as many with its least used leaf moved to a datum: whichever bounds higher.

    A split, a merge and a pruning in one, and only where the bound says so.
    """
    leaf = jnp.argmin(jnp.sum(update_shares(data, tree, process), 0))
    datum = data.mean[jax.random.randint(key, (), 0, len(data.mean))]
    # As sure of it as one datum makes: about a leaf that no one uses nothing is known, and no one would come.
    means = (*tree.means[:-1], tree.means[-1].at[leaf].set(datum))
    variances = (*tree.variances[:-1], tree.variances[-1].at[leaf].set(process.data_variance))
    moved = tree._replace(means=means, variances=variances)

    def settled(tree: Tree) -> tuple[Tree, jax.Array]:
        tree = jax.lax.fori_loop(0, sweeps, lambda _, tree: sweep(data, tree, process)[0], tree)
        return tree, bound(data, update_shares(data, tree, process), tree, process)

    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), tree, moved)
    trees, values = jax.vmap(settled)(both)
    return jax.tree.map(lambda x: x[jnp.argmax(values)], trees)


def _beta_kl(sticks: jax.Array, concentration: float) -> jax.Array:
    """`KL(Beta(a, b) || Beta(1, concentration))`, element by element."""
    a, b = jnp.unstack(sticks, axis=-1)
    expected = (a - 1) * digamma(a) + (b - concentration) * digamma(b)
    return betaln(1.0, concentration) - betaln(a, b) + expected + (1 + concentration - a - b) * digamma(a + b)
