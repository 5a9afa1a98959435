"""The figures that the field is taught by, and the experiments here that draw them: `jaxgen figures`."""

from . import adversarial, autoregressive, bits, flow, games_on_paper, knowledge, latent, variables_on_paper

FIGURES = (
    *games_on_paper.FIGURES,
    *variables_on_paper.FIGURES,
    *adversarial.FIGURES,
    *latent.FIGURES,
    *flow.FIGURES,
    *autoregressive.FIGURES,
    *bits.FIGURES,
    *knowledge.FIGURES,
)
