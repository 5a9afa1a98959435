"""What README shows of own arrays: fifteen lines that train on one."""

import numpy as np


def test_fifteen_lines_train_on_an_array():
    pictures = np.random.default_rng(0).integers(0, 2, (512, 8, 8), np.uint8) * 255
    pictures[:, :, 4:] = 0  # what there is to be learned: the right half is empty
    # fmt: off
    import jax
    import optax

    import jaxgen
    from jaxgen.data.transforms import signed_unit
    from jaxgen.likelihoods import discretized_logistic
    from jaxgen.methods.latent.vae import vae
    from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder

    data = jaxgen.data.arrays(images=pictures).map(signed_unit())
    encoder = jaxgen.Net(MLPEncoder(8, (64,)), optax.adam(3e-3))
    decoder = jaxgen.Net(MLPDecoder((8, 8, 1), (64,), outputs=2), optax.adam(3e-3))
    method = vae(encoder, decoder, discretized_logistic(levels=256), latent_size=8)
    state, history = jaxgen.fit(method, data, steps=100, key=jax.random.key(0), batch_size=32)
    samples = method.sample(jaxgen.core.view_of(method, state), jax.random.key(1), 16)
    # fmt: on
    assert history["elbo/loss"][-10:].mean() < history["elbo/loss"][:10].mean()
    assert samples.shape == (16, 8, 8, 1)
    assert np.mean(samples[:, :, 4:]) < -0.8 < np.mean(samples[:, :, :4])
