"""What every autoregressive model promises: causal, normalized, and one sample however it is drawn. A row each."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen import sampling
from jaxgen.errors import UserError
from jaxgen.layers.attention_patterns import Fixed, Local, Strided
from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.autoregressive.lstm import LSTM
from jaxgen.models.autoregressive.ordered import Ordered
from jaxgen.models.autoregressive.parallel_multiscale import ParallelMultiscale
from jaxgen.models.autoregressive.pixelcnn import PixelCNN
from jaxgen.models.autoregressive.pixelcnn_pp import PixelCNNPP
from jaxgen.models.autoregressive.pixelsnail import PixelSNAIL
from jaxgen.models.autoregressive.subscale import SubscalePixelNetwork
from jaxgen.models.autoregressive.transformer import Transformer
from jaxgen.models.autoregressive.transformer_xl import TransformerXL
from jaxgen.models.autoregressive.wavenet import WaveNet


class Row(NamedTuple):
    model: AutoregressiveModel
    event: tuple[int, ...]  # large enough to show what sees what
    tiny: tuple[int, ...]  # small enough to enumerate
    classes: int = 0


TABLE = {
    "pixelcnn": Row(PixelCNN(3, width=12, layers=2, size=3), (3, 3, 1), (2, 2, 1)),
    "pixelcnn colour": Row(PixelCNN(3, width=24, layers=2, size=3), (2, 2, 3), (1, 2, 2)),
    "gated pixelcnn": Row(GatedPixelCNN(3, width=6, layers=3, size=3), (4, 4, 1), (2, 2, 1)),
    "gated pixelcnn colour": Row(GatedPixelCNN(3, width=6, layers=3, size=3, classes=2), (2, 3, 3), (1, 2, 2), 2),
    "pixelcnn++": Row(PixelCNNPP(3, components=2, width=4, blocks=1, scales=2, classes=2), (4, 4, 1), (2, 2, 1), 2),
    "pixelcnn++ colour": Row(PixelCNNPP(3, components=2, width=4, blocks=1), (2, 3, 3), (1, 2, 2)),
    "pixelsnail": Row(PixelSNAIL(3, components=2, width=4, blocks=1, residuals=1, classes=2), (3, 3, 2), (1, 2, 2), 2),
    "transformer": Row(Transformer(3, width=8, layers=2, heads=2, classes=2, remat=True), (6,), (4,), 2),
    "sparse transformer strided": Row(Transformer(3, width=8, layers=2, heads=2, attend=Strided(3)), (9,), (3,)),
    "sparse transformer fixed": Row(Transformer(3, width=8, layers=2, heads=2, attend=Fixed(2)), (6,), (4,)),
    "image transformer": Row(Transformer(3, width=8, layers=2, heads=2, attend=Local(2, 2)), (3, 2, 1), (2, 2, 1)),
    "transformer-xl": Row(TransformerXL(3, width=8, layers=2, heads=2, segment=2, memory=2), (6,), (4,)),
    "subscale": Row(SubscalePixelNetwork(3, width=8, layers=1, heads=2, classes=2), (4, 4, 1), (2, 2, 1), 2),
    "parallel multiscale": Row(ParallelMultiscale(3, width=8, blocks=1, classes=2), (2, 2, 2), (2, 2, 1), 2),
    "wavenet": Row(WaveNet(3, width=4, skip=4, dilations=(1, 2, 1, 2), classes=2), (7,), (4,), 2),
    "lstm": Row(LSTM(3, width=6, layers=2), (6,), (4,)),
    "lstm in another order": Row(Ordered(3, LSTM(3, width=6), (2, 0, 3, 1)), (2, 2, 1), (2, 2, 1)),
    "transformer by columns": Row(
        Ordered(3, Transformer(3, width=8, layers=1, heads=2, classes=2), (0, 2, 1, 3)), (2, 2, 1), (2, 2, 1), 2
    ),
}
BLIND = {"pixelcnn", "parallel multiscale"}  # see less than all that is earlier


QUICK = ("pixelcnn", "gated pixelcnn", "transformer-xl", "subscale", "wavenet", "* order")


@pytest.fixture(autouse=True)
def _float64(x64):
    """Where nothing moves, nothing rounds."""


def condition(row: Row, batch: int) -> np.ndarray | None:
    return np.arange(batch) % row.classes if row.classes else None


def variables(name: str, tiny: bool = False):
    """Parameters none of which is zero."""
    return jax.tree.map(jnp.asarray, numbers(name, tiny))


@functools.cache
def numbers(name: str, tiny: bool):
    row = TABLE[name]
    x = np.zeros((1, *(row.tiny if tiny else row.event)), np.int32)
    shapes = jax.eval_shape(lambda: row.model.init(jax.random.key(0), x, condition(row, 1)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda p: rng.normal(0, 0.1 if p.ndim < 2 else p.shape[-2] ** -0.5, p.shape), shapes)


def flat_logits(name: str, x: np.ndarray, tiny: bool = False, classes: np.ndarray | None = None):
    """Of symbols `[batch, size]`, `[batch, size, levels]`."""
    row = TABLE[name]
    event = row.tiny if tiny else row.event
    classes = condition(row, len(x)) if classes is None else classes
    logits = row.model.apply(variables(name, tiny), x.reshape(-1, *event), classes)
    return logits.reshape(*x.shape, row.model.levels)


def influence(logits, size: int, levels: int, draws: int = 8) -> np.ndarray:
    """How far any of output i's logits moves when input j is changed, `[i, j]`, the most over a few random x."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, levels, (draws, 1, size)).repeat(size + 1, axis=1)
    j = np.arange(size)
    x[:, j, j] = (x[:, j, j] + rng.integers(1, levels, (draws, size))) % levels
    out = np.asarray(logits(x.reshape(-1, size).astype(np.int32))).reshape(draws, size + 1, size, levels)
    return np.abs(out[:, :-1] - out[:, -1:]).max((0, 3)).T


@pytest.mark.quick(*QUICK, "pixelcnn++", "pixelsnail")
@pytest.mark.parametrize("name", TABLE)
def test_a_symbol_s_logits_see_every_earlier_symbol_and_no_other(name):
    row = TABLE[name]
    size = int(np.prod(row.event))
    order = row.model.order(row.event)
    same_class = np.zeros(8 * (size + 1), np.int32) if row.classes else None
    moved = influence(jax.jit(lambda x: flat_logits(name, x, classes=same_class)), size, row.model.levels)
    moved = moved[np.ix_(order, order)]
    assert moved[np.triu_indices(size)].max() < 1e-12
    if name not in BLIND:
        assert moved[np.tril_indices(size, -1)].min() > 1e-9


@functools.cache
def enumerated(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Every event of the tiny shape `[count, size]`, and its log-probability in the first class."""
    row = TABLE[name]
    size = int(np.prod(row.tiny))
    x = np.array(list(itertools.product(range(row.model.levels), repeat=size)), np.int32)
    classes = np.zeros(len(x), np.int32) if row.classes else None
    events = x.reshape(-1, *row.tiny)
    return x, np.asarray(
        jax.jit(functools.partial(row.model.apply, method="log_prob"))(variables(name, True), events, classes)
    )


@pytest.mark.quick(*QUICK, "pixelcnn++", "pixelsnail")
@pytest.mark.parametrize("name", TABLE)
def test_the_probabilities_of_all_events_sum_to_one(name):
    _, log_prob = enumerated(name)
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-12)
    assert log_prob.std() > 0.05


def keeps(row: Row) -> bool:
    """Whether the model has a cache of its own."""
    return type(row.model).step is not AutoregressiveModel.step


def draw(name: str, noise: np.ndarray) -> dict[str, np.ndarray]:
    """One sample of the tiny shape in each way."""
    row = TABLE[name]
    count, order = len(noise), row.model.order(row.tiny)
    classes = np.zeros(count, np.int32) if row.classes else None
    weights = variables(name, True)
    logits = functools.partial(flat_logits, name, tiny=True, classes=classes)
    step = functools.partial(row.model.apply, weights, method="step")
    start = row.model.apply(weights, row.tiny, count, classes, method="start")

    def each(noise):
        naive, (jacobi, _) = sampling.naive(logits, noise, order), sampling.jacobi(logits, noise)
        cached = sampling.cached(step, start, noise, order) if keeps(row) else naive
        return {"naive": naive, "cached": cached, "jacobi": jacobi}

    return jax.jit(each)(noise)


@pytest.mark.quick(*QUICK)
@pytest.mark.parametrize("name", TABLE)
def test_the_same_noise_makes_the_same_sample_in_every_way_and_of_the_model_s_frequencies(name):
    row = TABLE[name]
    x, log_prob = enumerated(name)
    noise = np.random.default_rng(2).gumbel(size=(4000, x.shape[1], row.model.levels))
    samples = draw(name, noise)
    np.testing.assert_array_equal(samples["cached"], samples["naive"])
    np.testing.assert_array_equal(samples["jacobi"], samples["naive"])
    index = np.asarray(samples["naive"]) @ row.model.levels ** np.arange(x.shape[1])[::-1]
    likeliest = np.argsort(-log_prob)[:20]  # χ² wants no small expectations: all others together are one bin
    counts = np.bincount(index, minlength=len(x))[likeliest]
    expected = len(noise) * np.exp(log_prob)[likeliest]
    counts, expected = (np.append(n, len(noise) - n.sum()) for n in (counts, expected))
    assert stats.chisquare(counts, expected).pvalue > 1e-3


@pytest.mark.quick(*QUICK)
@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if keeps(row)])
def test_cached_steps_compute_the_same_logits(name):
    row = TABLE[name]
    size, order = int(np.prod(row.event)), row.model.order(row.event)
    x = np.random.default_rng(3).integers(0, row.model.levels, (2, size)).astype(np.int32)
    weights = variables(name)
    step = functools.partial(row.model.apply, weights, method="step")

    def steps():
        cache = row.model.apply(weights, row.event, 2, condition(row, 2), method="start")
        before = jnp.concatenate([jnp.zeros((1, 2), jnp.int32), x[:, order[:-1]].T])
        return jax.lax.scan(lambda c, s: step(c, *s), cache, (jnp.arange(size), before))[1]

    expected = np.asarray(jax.jit(functools.partial(flat_logits, name))(x))[:, order]
    actual = np.asarray(jax.jit(steps)()).swapaxes(0, 1)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.quick("subscale", "wavenet")
@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.classes])
def test_the_condition_moves_every_symbol_and_must_be_given(name):
    row = TABLE[name]
    x = np.zeros((row.classes, int(np.prod(row.event))), np.int32)
    logits = np.asarray(jax.jit(functools.partial(flat_logits, name))(x))
    assert np.abs(np.diff(logits, axis=0)).max((0, 2)).min() > 1e-6
    with pytest.raises(UserError, match=f"{row.classes} classes"):
        row.model.apply(variables(name), x.reshape(-1, *row.event))


def test_an_order_is_a_permutation_of_the_symbols():
    for order in ((0, 1), (0, 1, 1, 2), (1, 2, 3, 4)):
        model = Ordered(3, LSTM(3, width=6), order)
        with pytest.raises(UserError, match=f"permutation has {len(order)} numbers; give the 4 from 0 to 3"):
            model.init(jax.random.key(0), np.zeros((1, 2, 2, 1), np.int32))
