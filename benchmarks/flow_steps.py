"""What planar and radial steps do to densities: a Gaussian and a uniform one after 1, 2 and 10 steps, exactly.

`python benchmarks/flow_steps.py` draws `experiments/gallery/flow_steps.png`: Rezende & Mohamed 2015, figure 1, with
random parameters. Each point is taken back to the base, planar steps by their solver.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Repeat
from jaxgen.bijectors.planar import Planar
from jaxgen.bijectors.radial import Radial
from jaxgen.report.density import density_figure, square_grid
from jaxgen.report.figure import save_figure

OUT = Path(__file__).parent.parent / "experiments" / "gallery" / "flow_steps.png"
LIMIT, STEPS = 4.0, (1, 2, 10)


def bases(z: jax.Array) -> dict[str, jax.Array]:
    """Densities `[batch]` of points `[batch, 2]`: the standard normal, and the uniform one from -2 to 2."""
    inside = (jnp.abs(z) < 2).all(-1)
    return {"Gaussian": jnp.exp(-(z**2).sum(-1) / 2) / (2 * jnp.pi), "uniform": inside / 16}


def pushed(step: Bijector, x: jax.Array, key: jax.Array, scale: float) -> dict[int, dict[str, jax.Array]]:
    """Each base's density at x after 1, 2 and 10 of the same ten random steps."""
    ten = Repeat(step, max(STEPS))
    variables = ten.init(key, x)
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(key, len(leaves))
    noisy = [leaf + scale * jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    variables, found = jax.tree.unflatten(tree, noisy), {}
    for count in STEPS:
        last = jax.tree.map(lambda leaf, count=count: leaf[-count:], variables)  # the base's side goes first
        z, log_det = jax.jit(Repeat(step, count).apply)(last, x)
        found[count] = {name: density * jnp.exp(log_det) for name, density in bases(z).items()}
    return found


def main() -> None:
    """Draws the figure, and prints how much of each density is in it."""
    grid, area = square_grid(LIMIT)
    x = jnp.asarray(grid)
    # Of a dozen seeds, two that bend much and stay in the picture.
    planar = pushed(Planar(), x, jax.random.key(6), 0.5)
    radial = pushed(Radial(), x, jax.random.key(0), 1.0)
    panels = {}
    for name, density in bases(x).items():
        panels[name] = density
        for kind, steps in (("planar", planar), ("radial", radial)):
            panels |= {f"{name}, {count} {kind}": densities[name] for count, densities in steps.items()}
    for title, density in panels.items():
        print(f"{title}: {float(density.sum()) * area:.4f}")
    save_figure(OUT, density_figure({k: np.asarray(v) for k, v in panels.items()}, limit=LIMIT, columns=7))


if __name__ == "__main__":
    main()
