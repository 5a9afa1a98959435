"""How many of a bottleneck's codes held-out images use: a figure of the whole set."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgen.core import Array, Evaluation, View


def uses(model: Any, data: Any) -> Mapping[str, float]:
    """How many codes the held-out examples use, all together, and their perplexity: of one batch both would be less."""
    images = data.test[np.arange(len(data.test))]["image"]
    parts = np.array_split(images, max(1, len(images) // 500))
    codes = np.concatenate([np.ravel(model.apply(_codes, part)) for part in parts])
    share = np.unique(codes, return_counts=True)[1] / codes.size
    return {"codes_used": float(len(share)), "codes_perplexity": float(np.exp(-np.sum(share * np.log(share))))}


def _codes(view: View, images: Array) -> Array:
    return view("quantizer", view("encoder", images)).codes


USES = Evaluation("codes", uses)
"""`uses`, of the networks "encoder" and "quantizer"."""
