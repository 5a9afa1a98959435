"""Layers that keep their input alone for the gradient, and compute again what they made of it.

Autodiff keeps five arrays of a GELU and three of a layer norm, these in float32: most of a transformer's memory, and
all of it written and read once a step. What they are made of costs less to compute than to read.
"""

import jax
from flax import linen as nn

gelu = jax.checkpoint(jax.nn.gelu)

LayerNorm = nn.remat(nn.LayerNorm)
