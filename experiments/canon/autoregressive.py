"""Pixels, text and sound, each from what came before."""

from jaxgen.report.gallery import Claim, Illustration

FIGURES = (
    Illustration(
        name="pixelcnn",
        family="autoregressive",
        title="A Gated PixelCNN's digits",
        text="Each pixel's level is drawn after all that come before it. Two stacks of masked "
        "convolutions leave no blind spot.",
        alt="A grid of generated digits.",
        experiment="gated_pixelcnn",
        picture="samples/step_*.png",
        claims=(Claim("held-out bits a dimension", "bits_per_dim", most=2.0),),
    ),
    Illustration(
        name="language",
        family="autoregressive",
        title="A transformer over bytes",
        text="It reads Python's own standard library a byte at a time, and its loss is the number of "
        "bits a byte would take in a compressed file. Give it a file of Shakespeare by --data.",
        alt="The training loss in nats a byte.",
        experiment="transformer",
        curves=("likelihood/loss",),
        claims=(Claim("held-out bits a byte", "bits_per_dim", most=3.0),),
    ),
)
