"""The networks of the benchmark on jaxgen's engine: `python benchmarks/ours.py NAME` serves its step."""

import functools
import sys
from typing import get_args

import jax
import numpy as np
import optax
from alternate import serve
from flax import linen as nn

from jaxgen.bijectors.compose import Chain, Memory
from jaxgen.bijectors.conditioner import DenseConditioner
from jaxgen.bijectors.coupling import Coupling
from jaxgen.core import Batch, Method, Net
from jaxgen.data.pendulum import pendulum
from jaxgen.likelihoods import bernoulli
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.adversarial.gail import gail as imitation
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.seqgan import seqgan as sequence_game
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.methods.flow.flow import flow, image_flow
from jaxgen.methods.latent.vae import vae
from jaxgen.models import mlp as networks
from jaxgen.models.adversarial import resnet_gan
from jaxgen.models.adversarial.dcgan import Discriminator, Generator
from jaxgen.models.adversarial.sequence import SequenceCritic
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.models.autoregressive.lstm import LSTM
from jaxgen.models.autoregressive.transformer import Transformer
from jaxgen.models.autoregressive.wavenet import WaveNet
from jaxgen.models.flow.glow import glow
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training import process
from jaxgen.training.pace import due_phases
from jaxgen.training.sharding import batch_sharding, make_mesh, replicated, shardings_of
from jaxgen.training.step import build_step, compile_step, init_state

RNG = np.random.default_rng(0)


def dcgan() -> tuple[Method, Batch, int]:
    """DCGAN of width 64 on 32x32x1, batch 64."""
    optimizer = optax.adam(2e-4, b1=0.5)
    method = gan(
        Net(Generator((32, 32, 1), 64), optimizer),
        Net(Discriminator(64), optimizer),
        adversarial.non_saturating,
        prior=normal(100),
    )
    return method, {"image": RNG.uniform(-1, 1, (64, 32, 32, 1)).astype(np.float32)}, 1


def wgan_gp() -> tuple[Method, Batch, int]:
    """DCGAN of width 64 on 32x32x1, its critic without normalization and with a gradient penalty, batch 64."""
    optimizer = optax.adam(1e-4, b1=0.5)
    method = gan(
        Net(Generator((32, 32, 1), 64), optimizer),
        Net(Discriminator(64, normalization=None), optimizer),
        adversarial.wasserstein,
        prior=normal(100),
        critic_regularizers=[regularizers.gradient_penalty()],
    )
    return method, {"image": RNG.uniform(-1, 1, (64, 32, 32, 1)).astype(np.float32)}, 1


def sngan_resnet() -> tuple[Method, Batch, int]:
    """The residual SNGAN at its full width, 256 and 128, on 32x32x3, batch 16."""
    optimizer = optax.adam(2e-4, b1=0.0, b2=0.9)
    method = gan(
        Net(resnet_gan.Generator(), optimizer),
        Net(resnet_gan.Discriminator(), optimizer),
        adversarial.non_saturating,
        prior=normal(128),
    )
    return method, {"image": RNG.uniform(-1, 1, (16, 32, 32, 3)).astype(np.float32)}, 1


def mlp_vae() -> tuple[Method, Batch, int]:
    """Fully connected VAE 784-400-20 on binary pixels, batch 256."""
    optimizer = optax.adam(1e-3)
    encoder, decoder = Net(MLPEncoder(20), optimizer), Net(MLPDecoder((28, 28, 1)), optimizer)
    method = vae(encoder, decoder, bernoulli, latent_size=20)
    return method, {"image": RNG.integers(0, 2, (256, 28, 28, 1)).astype(np.float32)}, 1


def glow_32(steps: int = 8, levels: int = 3, memory: Memory = "plain") -> tuple[Method, Batch, int]:
    """Glow, 8 steps at each of 3 levels, width 128, on 32x32x3, batch 16."""
    net = Net(glow(steps, levels, width=128, memory=memory), optax.adam(1e-3))
    return image_flow(net, event_shape=(32, 32, 3)), {"image": RNG.integers(0, 256, (16, 32, 32, 3), np.uint8)}, 1


def flow_2d(width: int = 32, batch_size: int = 128) -> tuple[Method, Batch, int]:
    """Eight affine couplings of alternating halves in the plane, conditioners 1-width-width-2."""
    couplings = tuple(Coupling(DenseConditioner((width, width)), swap=layer % 2 == 1) for layer in range(8))
    net = Net(Chain(couplings), optax.flatten(optax.adam(1e-3)))  # 48 small arrays, one update
    return flow(net, event_shape=(2,)), {"x": RNG.normal(size=(batch_size, 2)).astype(np.float32)}, 100


def transformer() -> tuple[Method, Batch, int]:
    """nanoGPT's setting for a CPU: 4 layers of width 128, 4 heads, 12 texts of 64 bytes."""
    net = Net(Transformer(256, 128, 4, 4), optax.adam(1e-3))
    method = maximum_likelihood(net, event=(64,), levels=256, field="symbols")
    return method, {"symbols": RNG.integers(0, 256, (12, 64)).astype(np.int32)}, 1


def gated_pixelcnn() -> tuple[Method, Batch, int]:
    """Width 32, 4 layers of 3x3 kernels, on 8x8x1 of 17 levels, batch 64."""
    net = Net(GatedPixelCNN(17, 32, 4, 3), optax.adam(1e-3))
    method = maximum_likelihood(net, event=(8, 8, 1), levels=17)
    return method, {"image": RNG.integers(0, 17, (64, 8, 8, 1)).astype(np.int32)}, 1


def wavenet() -> tuple[Method, Batch, int]:
    """Ten layers of 24 channels, dilations 1 to 512, 4 sounds of 1,024 samples of 256 levels."""
    net = Net(WaveNet(256, 24, 128), optax.adam(1e-3))
    method = maximum_likelihood(net, event=(1024,), levels=256, field="symbols")
    return method, {"symbols": RNG.integers(0, 256, (4, 1024)).astype(np.int32)}, 1


def seqgan() -> tuple[Method, Batch, int]:
    """SeqGAN as the experiment has it: an LSTM of width 32, 100 symbols, 20 places, 4 rollouts, 64 sequences."""
    adam = optax.adam(1e-3)
    critic = Net(SequenceCritic(), adam)
    policy = Net(LSTM(100, width=32), adam, ema_decay=0.8)
    method = sequence_game(policy, critic, length=20, rollouts=4, critic_steps=3)
    return method, {"tokens": RNG.integers(0, 100, (64, 20)).astype(np.int32)}, 1


def gail() -> tuple[Method, Batch, int]:
    """GAIL on the pendulum as the experiment has it: 32 worlds of 200 steps a rollout, networks of 64 and 64 units."""
    adam, hidden = optax.adam(1e-3), (64, 64)
    actor, value, critic = Net(networks.MLP(9, hidden), adam), *(Net(networks.MLPCritic(hidden=hidden), adam),) * 2
    method = imitation(actor, value, critic, pendulum(), environments=32, horizon=200, limit=200, critic_steps=2)
    seen = RNG.normal(size=(256, 3)).astype(np.float32)
    return method, {"observation": seen, "label": RNG.integers(0, 9, 256).astype(np.int32)}, 1


class MLP(nn.Module):
    """`features` outputs of a fully connected network with two hidden layers of 32 units."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        for _ in range(2):
            x = nn.relu(nn.Dense(32)(x))
        return nn.Dense(self.features)(x)


class Critic(MLP):
    """`[batch]` logits of an `MLP`."""

    features: int = 1

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        return super().__call__(x, train=train)[:, 0]


def toy_gan() -> tuple[Method, Batch, int]:
    """A GAN of points in the plane, both networks with two hidden layers of 32 units, batch 128."""
    optimizer = optax.flatten(optax.adam(1e-3, b1=0.5))  # 6 small arrays, one update
    method = gan(Net(MLP(2), optimizer), Net(Critic(), optimizer), adversarial.non_saturating, prior=normal(2))
    return method, {"image": RNG.normal(size=(128, 2)).astype(np.float32)}, 100


CONTENDERS = {
    "dcgan": dcgan,
    "mlp_vae": mlp_vae,
    "glow": glow_32,
    "wgan_gp": wgan_gp,
    "sngan_resnet": sngan_resnet,
    "flow_2d": flow_2d,
    "flow_2d_wide": functools.partial(flow_2d, width=64, batch_size=256),
    "toy_gan": toy_gan,
    "transformer": transformer,
    "gated_pixelcnn": gated_pixelcnn,
    "wavenet": wavenet,
    "seqgan": seqgan,
    "seqgan_at_once": seqgan,
    "gail": gail,
} | {
    f"glow_{steps}_{memory}": functools.partial(glow_32, steps, levels=2, memory=memory)
    for steps in (8, 16, 32, 64)
    for memory in get_args(Memory)
}


def main(name: str) -> None:
    process.configure()
    method, batch, steps_per_call = CONTENDERS[name]()
    mesh = make_mesh(devices=jax.devices()[:1])
    state = jax.jit(lambda key: init_state(method, key, batch), out_shardings=replicated(mesh))(jax.random.key(0))
    key = jax.device_put(jax.random.key(1), replicated(mesh))
    stacked = jax.tree.map(lambda x: np.broadcast_to(x, (steps_per_call, method.batches_per_step, *x.shape)), batch)
    batches = jax.device_put(stacked, batch_sharding(mesh, leading_axes=2))
    step = build_step(
        method, reports=lambda state: (state.step + 1) % 100 == 0
    )  # as in a run that logs every hundred steps
    call = compile_step(step, mesh, shardings_of(state), [due_phases(method, 0)] * steps_per_call)

    def run(count: int) -> None:
        nonlocal state
        for _ in range(-(-count // steps_per_call)):
            state, _ = call(state, batches, key)
        jax.block_until_ready(state)

    serve(run, sum(leaf.size for net in state.nets.values() for leaf in jax.tree.leaves(net.params)))


if __name__ == "__main__":
    main(sys.argv[1])
