"""What games draw, and what their latents and codes do."""

from jaxgen.report.gallery import Claim, Illustration

_SAMPLES = "--features classifier --samples 1000"

FIGURES = (
    Illustration(
        name="mode_collapse",
        family="adversarial",
        title="Mode collapse, before and after remedies",
        text="On a ring of eight Gaussians the two plain games, their critic slowed to a tenth, keep "
        "one mode or none. A bounded critic, by R1, a gradient penalty or spectral normalization, "
        "keeps all eight.",
        alt="Nine panels of samples on a ring of eight circles: in the first few all points sit on "
        "one spot, in the last ones they fill all circles.",
        experiment="mode_collapse",
        picture="drawings/modes.png",
        claims=(
            Claim("modes of the minimax game, of 8", "modes_minimax", most=3),
            Claim("of the non-saturating game", "modes_non-saturating", most=3),
            Claim("of R1", "modes_r1", least=8),
            Claim("of a gradient penalty", "modes_wgan-gp", least=8),
            Claim("of spectral normalization", "modes_spectral_norm", least=8),
        ),
    ),
    Illustration(
        name="wgan_gp_ring",
        family="adversarial",
        title="A Wasserstein GAN on the ring",
        text="With a gradient penalty the generator finds all eight Gaussians in minutes on a "
        "processor. Most of what it draws is within three standard deviations of one.",
        alt="Points on a ring of eight circles, all of them filled.",
        experiment="wgan_gp",
        options="--data gaussian_ring",
        picture="drawings/modes.png",
        claims=(Claim("modes found, of 8", "modes_gan", least=8), Claim("share in one", "high_quality_gan", least=0.8)),
    ),
    Illustration(
        name="wasserstein_estimate",
        family="adversarial",
        title="The critic's estimate of the distance, over training",
        text="A Wasserstein critic's loss is minus an estimate of a distance between samples and data, "
        "and falls as samples become better. The loss of a discriminator says no such thing.",
        alt="Curves of the critic's and the generator's losses over training.",
        experiment="wgan_gp",
        curves=("critic/loss", "generator/loss"),
        evaluated=_SAMPLES,
        claims=(Claim("classes found by the samples", "classes", least=10),),
    ),
    Illustration(
        name="dcgan",
        family="adversarial",
        title="DCGAN's samples",
        text="Sixty-four digits from noise, by a generator and a discriminator of strided convolutions "
        "and batch normalization. All ten classes are there.",
        alt="A grid of 64 generated handwritten digits.",
        experiment="dcgan",
        picture="samples/step_*.png",
        evaluated=_SAMPLES,
        claims=(Claim("classes found", "classes", least=10),),
        cost="quick",
    ),
    Illustration(
        name="interpolation",
        family="adversarial",
        title="From one latent to another",
        text="Each row goes from one latent to another along the great circle, and the digits between "
        "are digits. A model that had only remembered its examples would jump.",
        alt="Rows of digits, each changing smoothly from one into another.",
        experiment="dcgan",
        sampled="--interpolate 8 --count 48",
        evaluated=_SAMPLES,
        claims=(
            Claim("probability of lying farther from training images than held-out ones do", "data_copying", 0.2, 0.8),
        ),
        cost="quick",
    ),
    Illustration(
        name="arithmetic",
        family="adversarial",
        title="Latent arithmetic",
        text="The mean latent of eights, less that of threes, plus that of fives: rows go in that "
        "direction. Means of many latents are used, for single ones do not add up.",
        alt="Rows of digits that change along the direction from three to five.",
        experiment="dcgan",
        sampled="--arithmetic 8-3+5 --count 40",
        evaluated=_SAMPLES,
        claims=(Claim("classes found", "classes", least=10),),
        cost="quick",
    ),
    Illustration(
        name="cgan",
        family="adversarial",
        title="A conditional GAN",
        text="Both networks see the label, and samples are of the class that is asked for. A "
        "classifier that never saw the generator agrees.",
        alt="Rows of digits from zero to nine, as they were asked for.",
        experiment="cgan",
        sampled="--classes 0,1,2,3,4,5,6,7,8,9 --count 60",
        evaluated=_SAMPLES,
        claims=(Claim("share of samples of the class asked for", "conditional_accuracy", least=0.95),),
        cost="quick",
    ),
    Illustration(
        name="infogan",
        family="adversarial",
        title="InfoGAN's codes",
        text="A category and two numbers that a network can read back from the image; nobody told it "
        "of digits. The bound on what is read of the category comes near log 10.",
        alt="A grid of generated digits.",
        experiment="infogan",
        picture="samples/step_*.png",
        claims=(Claim("nats read of the category, of 2.303", "information_category_nats", least=2.0),),
    ),
    Illustration(
        name="sagan",
        family="adversarial",
        title="A SAGAN's digits",
        text="Feature maps of 16x16 attend to themselves, in generator and discriminator, under the "
        "hinge loss and spectral normalization. Samples are of the class asked for.",
        alt="A grid of generated digits.",
        experiment="sagan",
        options="--data digits",
        picture="samples/step_*.png",
        evaluated=_SAMPLES,
        claims=(Claim("share of samples of the class asked for", "conditional_accuracy", least=0.8),),
    ),
    Illustration(
        name="truncation",
        family="adversarial",
        title="BigGAN's truncation: 2, 1, 0.5, 0.04",
        text="Cutting off the normal distribution of latents nearer to its mean trades variety for "
        "quality. At 0.04 all samples of a class are one.",
        alt="Rows of four digits, from varied to all alike.",
        experiment="biggan",
        sampled="--truncation 2,1,0.5,0.04 --count 40",
        evaluated=_SAMPLES,
        claims=(Claim("share of samples of the class asked for", "conditional_accuracy", least=0.8),),
        cost="accelerator",
    ),
    Illustration(
        name="style_truncation",
        family="adversarial",
        title="StyleGAN2, drawn towards the mean of w",
        text="Each row goes from a sample towards the average digit, by keeping a share psi of its "
        "latent's distance from the mean of w. Nothing of the kind is in z, whose mean has no "
        "meaning.",
        alt="Rows of digits that become more alike from left to right.",
        experiment="stylegan2",
        sampled="--truncation 1,0.7,0.5,0 --count 40",
        evaluated=_SAMPLES,
        claims=(Claim("classes found without truncation", "classes", least=10),),
    ),
    Illustration(
        name="cyclegan",
        family="adversarial",
        title="CycleGAN: translation without pairs",
        text="Digits and inverted digits, of other examples, and no pair to learn from. Since the "
        "change was planted, the distance to the truth can be measured.",
        alt="Pairs of a digit and its translation, black turned to white.",
        experiment="cyclegan",
        picture="samples/step_*.png",
        claims=(Claim("absolute error of the translation", "error_a", most=0.3),),
    ),
    Illustration(
        name="pix2pix",
        family="adversarial",
        title="pix2pix: outlines to images",
        text="A U-Net fills the outlines of digits. The critic of patches keeps the edges that an "
        "absolute error alone would blur.",
        alt="Pairs of an outline and a filled digit.",
        experiment="pix2pix",
        picture="samples/step_*.png",
        claims=(Claim("absolute error", "l1", most=0.4),),
    ),
    Illustration(
        name="domain_adaptation",
        family="adversarial",
        title="Domain adaptation",
        text="A recurrent network hears the frequency of oscillations labelled in one domain, and a "
        "domain critic makes its features those of another. Accuracy on the other domain is what "
        "is won.",
        alt="Training curves of the classifier and the domain critic.",
        experiment="vrada",
        curves=("adapt/label", "adapt/domain", "adapt/domain_accuracy"),
        claims=(Claim("accuracy in the domain without labels", "target_accuracy", least=0.8),),
    ),
    Illustration(
        name="gail",
        family="adversarial",
        title="Imitation of four episodes",
        text="GAIL pays a policy by a critic of what it does, without ever seeing the reward. Its "
        "return comes to that of the expert.",
        alt="Training curves of the imitator's return.",
        experiment="gail",
        curves=("evaluation/return", "rollout/reward"),
        claims=(Claim("mean return", "return", least=-300),),
    ),
    Illustration(
        name="seqgan",
        family="adversarial",
        title="SeqGAN: what symbols a game writes",
        text="Sequences of a random LSTM, learned by likelihood and then by a game. Colder samples are "
        "more likely to the oracle and fewer of them are distinct: either number alone says "
        "nothing.",
        alt="Training curves of both stages.",
        experiment="seqgan",
        curves=("likelihood/loss", "policy/reward"),
        claims=(
            Claim("nats a symbol by the oracle, of random symbols 7.0", "oracle_nats", most=5.0),
            Claim("distinct, as a share", "oracle_distinct", least=0.9),
        ),
    ),
)
