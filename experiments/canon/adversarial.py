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
        title="The critic's estimate, and the truth, over training",
        text="Once a Wasserstein critic has caught up, its estimate is the distance of the samples from the data, as "
        "an exact assignment of points tells it, and falls with it. A discriminator is as sure of near samples as of "
        "far ones, and its value says nothing of how far they are.",
        alt="Two panels over training. Left, a dotted distance that falls and the critic's estimate, which lies on it "
        "in the second half. Right, a dotted distance, and a discriminator's divergence that is flat.",
        experiment="estimate_course",
        picture="drawings/course.png",
        claims=(
            Claim("relative error of the estimate in the second half", "estimate_error", most=0.15),
            Claim("its rank correlation with the distance there", "agreement", least=0.7),
            Claim("distance at first", "distance_first", least=1.5),
            Claim("at last", "distance_last", most=0.8),
            Claim("least that the discriminator says of its game, nats of 0.69", "divergence_least", least=0.35),
        ),
        cost="quick",
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
            Claim("probability of lying farther from training images than held-out ones do", "data_copying", 0.2, 0.9),
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
        name="turn",
        family="adversarial",
        title="A latent turned",
        text="The mean latent of digits that lean right, less that of those that lean left, makes others lean when "
        "it is added. As long a step anywhere else does not.",
        alt="Left, rows of digits that lean more and more to the right. Right, two lines of the mean slant: one rises "
        "with the strength of the turn, the other is flat.",
        experiment="dcgan",
        picture="drawings/turned.png",
        claims=(
            Claim("slant won from one end to the other, columns a row", "turned", least=0.25),
            Claim("by as long a step in a random direction", "turned_at_random", most=0.1),
        ),
        cost="quick",
    ),
    Illustration(
        name="cgan",
        family="adversarial",
        title="A conditional GAN",
        text="Both networks see the label, and samples are of the class that is asked for, as a classifier that never "
        "saw the generator agrees. Within a class they differ nearly as much as data do: one digit for each label "
        "would be as accurate, with neither diversity nor recall.",
        alt="Rows of digits from zero to nine, as they were asked for.",
        experiment="cgan",
        sampled="--classes 0,1,2,3,4,5,6,7,8,9 --count 60",
        evaluated=_SAMPLES,
        claims=(
            Claim("share of samples of the class asked for", "conditional_accuracy", least=0.95),
            Claim("distance between two samples of a class, in a classifier's features", "intra_class_diversity", 2.0),
            Claim("between two training images of a class", "intra_class_diversity", 2.5, 2.8, of="training images"),
            Claim("share of held-out images in reach of a sample", "recall", least=0.7),
        ),
        cost="quick",
    ),
    Illustration(
        name="infogan",
        family="adversarial",
        title="InfoGAN's codes",
        text="Each row is a category and along it goes a number, all of which a network reads back from the image; "
        "nobody told it of digits. The bound on what is read of the category comes near log 10, and yet categories "
        "are not the classes: along a row one digit may turn into another.",
        alt="Two panels of ten rows of digits, which change along each row.",
        experiment="infogan",
        picture="drawings/codes.png",
        claims=(
            Claim("nats read of the category, of 2.303", "information_category_nats", least=2.2),
            Claim("how often the category is read from the images drawn", "read_category", least=0.97),
            Claim("correlation of the first number with what is read of it", "read_first", least=0.9),
            Claim("of the second", "read_second", least=0.9),
            Claim("share of held-out digits whose category is their class's, matched", "matched_accuracy", 0.4, 0.75),
            Claim("of as many clusters by k-means", "matched_accuracy", least=0.75, of="k_means"),
        ),
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
        name="attention",
        family="adversarial",
        title="Where a SAGAN's pixels look",
        text="Three pixels of each sample are marked, and beside it is where each of them looks, among a quarter as "
        "many places. They look past their neighbours, at few places, and not where an untrained network does: "
        "everywhere.",
        alt="Rows of a generated digit with three coloured marks and three heat maps.",
        experiment="sagan",
        options="--data digits",
        picture="drawings/attention.png",
        claims=(
            Claim("share of the places that a pixel looks at, everywhere being 1", "attention_places", most=0.9),
            Claim("what the attention weighs beside its input, 0 at first", "attention_gamma", least=0.02),
        ),
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
        name="style_mixing",
        family="adversarial",
        title="Style mixing",
        text="The coarse layers take the style of one latent and the fine ones that of another. The shape comes from "
        "the first, and from the second what is left: the width and weight of the stroke.",
        alt="A table of digits: each row has the shape of its first digit, each column the stroke of its top one.",
        experiment="stylegan2",
        picture="drawings/mixing.png",
        claims=(
            Claim("correlation of pixels with the coarse styles' image", "mixed_like_coarse", least=0.5),
            Claim("with the fine styles'", "mixed_like_fine", most=0.5),
            Claim("with another pair's", "mixed_like_others", most=0.4),
        ),
    ),
    Illustration(
        name="growth",
        family="adversarial",
        title="Progressive growing",
        text="While alpha goes from 0 to 1, a generator of 8x8 pixels becomes one of 16x16: at 0 each pixel stands "
        "four times, and in between both images are mixed. The critic grows alike, and at 0 hears of no detail.",
        alt="Rows of digits that turn from blocks of four pixels into finer ones.",
        experiment="progan",
        options="--steps 900 --width 16 --batch-size 32",
        picture="drawings/growth.png",
        claims=(
            Claim("largest difference among four pixels at alpha 0", "within_four_pixels_before", 0, 0),
            Claim("at alpha 1", "within_four_pixels_after", least=0.1),
            Claim("largest distance in between from the straight line", "off_the_line", most=1e-5),
            Claim("what the critic hears of detail at alpha 0", "critic_hears_detail_before", most=1e-4),
            Claim("at alpha 1", "critic_hears_detail_after", least=1e-3),
        ),
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
        title="Domain adaptation, and its features",
        text="Two moons have labels, and the same moons turned by 35 degrees have none. A critic of domains, whose "
        "gradient is reversed, makes features that fit both, and the boundary turns with the moons.",
        alt="Above, two moons and turned moons with a boundary that cuts the turned ones, and one that does not. "
        "Below, features in which domains lie apart, and others in which they coincide.",
        experiment="turned_moons",
        picture="drawings/features.png",
        claims=(
            Claim("share of the turned moons that are right, adapted", "target_accuracy_adapted", least=0.85),
            Claim("by the source alone", "target_accuracy_source", most=0.8),
            Claim("how often a linear reader tells the domains, adapted", "domains_told_adapted", most=0.58),
            Claim("by the source alone, of half by chance", "domains_told_source", least=0.6),
        ),
        cost="quick",
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
        title="SeqGAN's frontier of temperatures",
        text="How likely samples are to the oracle says nothing alone: the model of maximum likelihood wins it by "
        "being colder, with its variety as the price. SeqGAN is one more point beside that line, and so is a reward "
        "that is the same for everything.",
        alt="Three lines of points, one a temperature, that fall from upper left to lower right, and a star below "
        "them.",
        experiment="sequence_frontier",
        picture="drawings/frontier.png",
        claims=(
            Claim("nats a symbol by the oracle, SeqGAN", "nats_seqgan", 3.9, 4.6),
            Claim("a reward that is the same for everything", "nats_constant", 3.9, 4.6),
            Claim("likelihood as cold as 0.2", "nats_cold", most=2.6),
            Claim("what that misses of the oracle's, nats a symbol", "missed_cold", least=7),
            Claim("nats of variety that SeqGAN is behind the line", "behind_likelihood", -0.05, 0.1),
            Claim("entropy of the oracle", "oracle_entropy", 2.7, 2.8),
        ),
    ),
    Illustration(
        name="video",
        family="adversarial",
        title="DVD-GAN's clips",
        text="A ball that bounces, by a generator that was told nothing of motion; one critic looks at frames and "
        "another at the clip. Its moves break the law of motion less than clips whose frames are shuffled.",
        alt="A grid of clips of a bouncing ball that play.",
        experiment="dvdgan",
        picture="samples/step_*.png",
        claims=(
            Claim("error of the velocity, pixels a frame", "motion_velocity_error", most=1.5),
            Claim("of shuffled clips", "motion_velocity_error", least=2.0, of="shuffled"),
            Claim("of real ones", "motion_velocity_error", most=0.1, of="real"),
        ),
    ),
)
