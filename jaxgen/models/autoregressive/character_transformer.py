"""The deep transformer of Al-Rfou et al., 2018, of whose layers each says what it would predict."""

from typing import Any, ClassVar

import jax

from jaxgen.layers.transformer import Block
from jaxgen.losses.autoregressive import categorical_log_prob
from jaxgen.models.autoregressive.transformer import Transformer


class _Tapped(Block):
    """A block that also gives its output where it keeps nothing."""

    def __call__(self, x: jax.Array, cache: Any = None, position: Any = None) -> tuple[jax.Array, Any]:
        x, kept = super().__call__(x, cache, position)
        return x, x if cache is None else kept


class CharacterTransformer(Transformer):
    """The same model as `Transformer`, with the same parameters; all layers predict by the last one's way out."""

    kind: ClassVar[type[Block]] = _Tapped

    def layer_log_probs(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        """log p(x | c) by what each layer's symbols would be, `[layers, batch]`, nats; the last is `log_prob`."""
        _, taps = self.blocks(self.known(x, condition), None, None)
        log_prob = lambda y: categorical_log_prob(x, self.predicted(y, x.shape))  # noqa: E731
        return jax.lax.map(log_prob, taps)  # of one layer's logits at a time
