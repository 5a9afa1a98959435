"""What the VAEs of `vae_sweep` differ in."""

from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find


def test_one_setting_differs_and_no_other():
    file = ExperimentFile.load(find("vae_sweep"))
    sizes = file.module.variants(file.config(vary="latent_size"))
    assert [(config.latent_size, beta) for config, beta in sizes.values()] == [(2, 1), (5, 1), (10, 1), (20, 1)]
    betas = file.module.variants(file.config(vary="beta"))
    assert [(config.latent_size, beta) for config, beta in betas.values()] == [(16, 0.02), (16, 1), (16, 20)]
