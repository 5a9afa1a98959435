"""Pixels, text and sound, each from what came before."""

from jaxgen.report.gallery import Claim, Illustration

_NOTES = (
    Claim("held-out bits a sample, of which noise makes 2.19", "bits_per_dim", 4.3, 4.95),
    Claim("of 5-grams", "bits_per_dim", 6.0, 6.5, of="5-grams"),
)

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
        title="What a transformer writes",
        text="A byte at a time, after Python's own standard library: it has learned to indent, to open and to close, "
        "and what it says means nothing. Given Shakespeare by --data, it writes verse in the same way.",
        alt="Two passages of generated Python source.",
        experiment="transformer",
        options="--batch-size 12 --length 64",
        sampled="--count 2",
        form="txt",
        claims=(
            Claim("held-out bits a byte", "bits_per_dim", most=2.6),
            Claim("of 5-grams", "bits_per_dim", least=2.0, of="5-grams"),
        ),
    ),
    Illustration(
        name="notes",
        family="autoregressive",
        title="WaveNet's notes, to be heard",
        text="Eight notes of an eighth of a second, each sample drawn after the thousand before it. They begin, ring "
        "and die away; nobody told the network of pitch.",
        alt="Eight short generated notes.",
        experiment="wavenet",
        sampled="--count 8",
        form="wav",
        claims=_NOTES,
    ),
    Illustration(
        name="spectrograms",
        family="autoregressive",
        title="The same notes, to be seen",
        text="Below each wave is how loud its frequencies are over time: the low ones, a pitch and its multiples, are "
        "bright and fade. In the data they are straight lines; here the pitch wavers, and twice as many bits are "
        "paid as the data's noise makes.",
        alt="Four waves that die away, and their spectrograms, bright below and dark above.",
        experiment="wavenet",
        picture="drawings/spectrograms.png",
        claims=_NOTES,
    ),
)
