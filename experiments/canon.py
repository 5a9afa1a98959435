"""The figures that the field is taught by, and the experiments here that draw them: `jaxgen figures`."""

from jaxgen.report.gallery import Claim, Illustration

_SAMPLES = "--features classifier --samples 1000"

FIGURES = (
    Illustration(
        name="xy_game",
        family="games on paper",
        title="min over x, max over y, of xy",
        text="Two players who descend at once spiral away from the saddle, in turn they circle it, and "
        "by looking ahead or back they come home. Gradient descent that is right for one loss is "
        "not right for a game.",
        alt="Left, the paths of four update rules from (1, 1): one spirals outwards, one circles, two "
        "spiral in. Right, their distances from (0, 0) over 100 moves.",
        experiment="xy_game",
        picture="drawings/paths.png",
        claims=(
            Claim(
                "distance after 100 simultaneous moves, 1.01 to the power of 50", "simultaneous.radius", 1.644, 1.645
            ),
            Claim("in turn", "alternating.radius", 0.95, 1.05),
            Claim("by extragradient", "extragradient.radius", 0.6, 0.62),
            Claim("with historical averaging", "historical averaging.radius", 0.3, 0.32),
        ),
        cost="quick",
    ),
    Illustration(
        name="saturation",
        family="games on paper",
        title="Minimax against non-saturating gradients",
        text="Where the discriminator is sure of a sample, the minimax loss pulls on it by D, which is "
        "nothing, and the non-saturating loss by 1 - D. A generator that starts ten standard "
        "deviations from its data stays there under the first and comes home under the second.",
        alt="Three panels: both losses against D(G(z)), their pulls against the logit, and the "
        "generator's mean over 300 steps, where one line stays at 10 and the other falls to 0.",
        experiment="saturation",
        picture="drawings/saturation.png",
        claims=(
            Claim("where minimax leaves the mean, from 10", "minimax.theta", 9.99, 10.01),
            Claim("where the non-saturating loss leaves it", "non_saturating.theta", -0.1, 0.1),
        ),
        cost="quick",
    ),
    Illustration(
        name="parallel_lines",
        family="games on paper",
        title="Parallel lines: Jensen-Shannon is flat, Wasserstein linear",
        text="Between two parallel segments at distance theta the Jensen-Shannon divergence is the "
        "same at every theta but 0, and tells a generator nothing about where to go. The "
        "Wasserstein distance is |theta|.",
        alt="Two panels over theta from -1 to 1: the Jensen-Shannon divergence jumps from 0 to 0.69 "
        "beside 0; the Wasserstein distance is a V. Crosses of trained critics lie on both.",
        experiment="parallel_lines",
        picture="drawings/divergences.png",
        claims=(
            Claim("largest error of a trained discriminator's divergence, nats", "jensen_shannon_error", most=0.03),
            Claim("of a trained critic's distance", "wasserstein_error", most=0.05),
        ),
        remark="Of distributions without common support the divergence is ln 2 = 0.693 nats; it is 1 only in bits.",
        cost="quick",
    ),
    Illustration(
        name="two_gaussians",
        family="games on paper",
        title="A discriminator saturates, a critic stays linear",
        text="Told to separate two Gaussians far apart, a discriminator is sure everywhere and flat "
        "where the samples are. A critic with a gradient penalty has the same slope all the way, "
        "and so a direction for every sample.",
        alt="Left, a discriminator's sigmoid and a critic's straight line over two Gaussians. Right, "
        "their pulls on a sample: one is zero where samples are, the other constant.",
        experiment="two_gaussians",
        picture="drawings/slopes.png",
        claims=(
            Claim("the critic's least pull between samples and data", "critic_pull_least", 0.8, 1.2),
            Claim("its largest", "critic_pull_most", 0.8, 1.2),
            Claim("the discriminator's largest pull on a sample", "discriminator_pull", most=1e-3),
        ),
        remark="What the first Wasserstein GAN did to keep critics smooth was to clip their weights; "
        "that is no clipping of gradients.",
        cost="quick",
    ),
    Illustration(
        name="label_smoothing",
        family="games on paper",
        title="One-sided label smoothing's optimum",
        text="Smoothing the real labels alone scales the best discriminator to (1 - epsilon) p / (p + "
        "q). Trained discriminators find it, and none of them is sure of anything any more.",
        alt="Three falling curves of D(x) for epsilon 0, 0.1 and 0.3, each lying on its dashed optimum.",
        experiment="label_smoothing",
        picture="drawings/optima.png",
        claims=(Claim("largest distance of a trained D from its optimum", "optimum_error", most=0.05),),
        cost="quick",
    ),
    Illustration(
        name="hinge_margin",
        family="games on paper",
        title="The hinge loss as the widest margin",
        text="A linear critic that is trained by the hinge loss ends as the support vector machine of "
        "real and generated points. Three of eighty points hold the margin, and the others could "
        "be anywhere beyond it.",
        alt="Two clouds of points, a line between them and two dashed lines beside it, on which three "
        "circled points lie.",
        experiment="hinge_margin",
        picture="drawings/margin.png",
        claims=(
            Claim("width of the margin; of a support vector machine 1.3825", "margin", 1.36, 1.40),
            Claim("points that hold it", "support", 3, 3),
        ),
        cost="quick",
    ),
    Illustration(
        name="game_value",
        family="games on paper",
        title="The best discriminator, and what the game is then worth",
        text="Of data and a mixture of data with something else, the best discriminator is p / (p + "
        "q), and the value of the game is 2 JSD - log 4. Trained discriminators come near both "
        "for every share of the mixture, and none gets beyond.",
        alt="Left, three trained discriminators lying on their dashed optima over the data's "
        "Gaussian. Right, circles of trained values on a dotted curve that rises from -1.386 nats "
        "with the share of something else.",
        experiment="game_value",
        picture="drawings/value.png",
        claims=(
            Claim("nats by which a trained value is short of the best at most", "value_short", most=0.02),
            Claim("by which one is beyond it at most", "value_beyond", most=1e-4),
            Claim("what the game is worth where both are alike, -log 4 = -1.386", "value_of_equals", -1.4, -1.38),
        ),
        remark="Where generated and real examples are alike the discriminator says one half, and the "
        "value is -log 4, not 0.",
        cost="quick",
    ),
    Illustration(
        name="gan_1d",
        family="games on paper",
        title="A game on the line",
        text="The generator's density moves onto the data's, and the discriminator, which first told "
        "them apart, settles at one half. It is the first figure of the first paper, as it "
        "happened.",
        alt="Six panels of a training: the samples' histogram moves from the left onto the dotted "
        "Gaussian, and the discriminator's curve flattens to one half.",
        experiment="gan_1d",
        picture="drawings/course.png",
        claims=(
            Claim("mean of the samples at the end, of the data 2", "mean", 1.8, 2.2),
            Claim("standard deviation, of the data 0.5", "std", 0.3, 0.7),
            Claim("least of D where the data is", "judgement_least", 0.4, 0.6),
            Claim("largest", "judgement_most", 0.4, 0.6),
        ),
        cost="quick",
    ),
    Illustration(
        name="information_bound",
        family="games on paper",
        title="What is read of a flipped bit",
        text="InfoGAN's bound is how much a reader can tell of a code from what came through the "
        "channel. Trained, it meets log 2 - H of the flips from below, and never passes it.",
        alt="A dotted curve falling from 0.6 nats to 0 as flips go from 2 to 50 per cent, with "
        "circles of the trained bound on it.",
        experiment="information_bound",
        picture="drawings/bound.png",
        claims=(
            Claim("nats by which a bound falls short at most", "bound_gap", most=5e-3),
            Claim("by which one exceeds the truth at most", "bound_excess", most=1e-5),
        ),
        cost="quick",
    ),
    Illustration(
        name="spectral_sigma",
        family="games on paper",
        title="Spectral normalization's sigma, by one iteration a step",
        text="A power iteration leaves of its error the fourth power of the ratio of the two largest singular "
        "values. Since weights move little in a step, one iteration from where the last step ended is "
        "as good as a decomposition, and one from noise is not.",
        alt="Left, three falling errors on a logarithmic axis, each along its dotted line. Right, a "
        "critic's sigma over 300 steps: a line that comes to lie on the dots of the decomposition, and "
        "a jagged one far below.",
        experiment="spectral_sigma",
        picture="drawings/sigma.png",
        claims=(
            Claim("relative error of the kept sigma in the second half of training", "kept_error", most=0.005),
            Claim("of one iteration from noise, on average", "forgetful_error", least=0.2),
            Claim("left of an error by an iteration at ratio 0.8; in truth 0.4096", "left_of_error", 0.4, 0.42),
        ),
        cost="quick",
    ),
    Illustration(
        name="occupancy",
        family="games on paper",
        title="Occupancy measures: why GAIL needs few episodes",
        text="One episode of an expert says nothing of most cells, and who copies its moves is lost "
        "wherever a slip leads. Who matches how often it was where, which is GAIL's game against its "
        "best critic, learns to come back.",
        alt="Five maps of a grid of cells between S on the left and G on the right: the path of an "
        "episode, and where four policies are; the copied moves' map is smeared, the matched one's "
        "keeps to the path.",
        experiment="occupancy",
        picture="drawings/visits.png",
        claims=(
            Claim("share of its discounted time that who matches is at the goal", "return_matched", least=0.45),
            Claim("who copies", "return_cloned", most=0.42),
            Claim("who moves at random", "return_uniform", most=0.02),
            Claim("the expert", "return_expert", 0.6, 0.61),
            Claim("nats between episode and who matches", "apart_matched", most=0.08),
            Claim("and who copies", "apart_cloned", least=0.14),
        ),
        cost="quick",
    ),
    Illustration(
        name="acgan_bias",
        family="games on paper",
        title="AC-GAN draws classes apart",
        text="Of three Gaussians that overlap, an auxiliary classifier makes narrower ones, for it "
        "likes samples whose class is clear. A twin classifier on the samples gives back what the "
        "first takes.",
        alt="Two panels of three overlapping Gaussians: AC-GAN's histograms are narrower than the "
        "dotted densities, TAC-GAN's fit them.",
        experiment="acgan_bias",
        picture="drawings/classes.png",
        claims=(
            Claim("standard deviation of AC-GAN's classes, of the data 1", "spread_acgan", most=0.9),
            Claim("of TAC-GAN's", "spread_tacgan", 0.85, 1.15),
        ),
    ),
    Illustration(
        name="gradient_variance",
        family="latent variables on paper",
        title="Reparametrization against the score function",
        text="Both estimate the same gradient of E x², and one draw of the score function's has a "
        "hundred times the variance at theta = 4. A baseline, what x² is on average, takes away "
        "most of that and not all.",
        alt="Left, variances of three estimators against theta on a logarithmic axis, circles on "
        "dotted truths: flat at 4, and two that rise. Right, three descents, one smooth and two "
        "noisy.",
        experiment="gradient_variance",
        picture="drawings/variance.png",
        claims=(
            Claim(
                "score function's variance over reparametrization's at theta = 4; in truth 123.75",
                "variance_ratio",
                115,
                132,
            ),
            Claim("with a baseline; in truth 34.5", "variance_ratio_baseline", 32, 37),
            Claim("largest relative error of a variance", "variance_error", most=0.06),
        ),
        cost="quick",
    ),
    Illustration(
        name="importance_sampling",
        family="latent variables on paper",
        title="Prior sampling fails with the dimension",
        text="A thousand draws of the prior tell log p(x) well in one dimension and miss it by tens of "
        "nats in thirty-two, for none of them is where x came from. Draws of a learned q are "
        "there, and nearly all of them count.",
        alt="Left, nats short of log p(x) against the dimension: the prior's line climbs to thirty, "
        "the proposal's stays at zero. Right, the effective share of draws, which falls to a "
        "thousandth for the prior.",
        experiment="importance_sampling",
        picture="drawings/estimates.png",
        claims=(
            Claim("nats short with draws of the prior in 1 dimension", "short_prior_1_dimension", -0.05, 0.05),
            Claim("in 32 dimensions", "short_prior", least=10),
            Claim("with draws of the learned q in 32 dimensions", "short_proposal", most=0.05),
            Claim("effective share of the learned q's draws", "share_proposal", least=0.95),
            Claim("learned slope, of the posterior 0.8", "slope", 0.79, 0.81),
        ),
        remark="What the bound is a bound of is log p(x). An unbiased estimate of p(x) is, in its "
        "logarithm, too small on average.",
        cost="quick",
    ),
    Illustration(
        name="amortization_gap",
        family="latent variables on paper",
        title="The two parts of a bound's gap",
        text="Where the posterior has two peaks the best Gaussian for an x is below log p(x): that is the "
        "approximation's gap. An encoder that answers for all x at once may add to it, a gap of "
        "amortization, and a large enough one adds nothing.",
        alt="Left, nats below log p(x) against x: a large encoder's line lies on the dots of the best "
        "Gaussians, a small one's above them. Right, two bars of the same grey part, the small "
        "encoder's with a green one beyond.",
        experiment="amortization_gap",
        picture="drawings/gaps.png",
        claims=(
            Claim("nats that the best Gaussian for each x is short, on average", "approximation_gap", 0.078, 0.082),
            Claim("that an encoder of three units adds", "amortization_gap_narrow", least=0.01),
            Claim("that one of two layers of 64 adds", "amortization_gap_wide", most=0.002),
            Claim("by which a bound is beyond log p(x)", "bound_beyond", most=0.0),
        ),
        cost="quick",
    ),
    Illustration(
        name="wake_and_sleep",
        family="latent variables on paper",
        title="What waking teaches, and what sleep",
        text="Awake, the model learns to make the data from what recognition says of them; asleep, the "
        "recognition learns what made the dreams. Without sleep the model learns from answers that "
        "know nothing, and without waking its dreams stay noise, however well it reads them.",
        alt="Three panels over 3,000 steps: -log p(x) falls far with both phases, little with the first "
        "alone and not with the second alone; two divergences are least with the second alone.",
        experiment="wake_and_sleep",
        picture="drawings/phases.png",
        claims=(
            Claim("-log p(x) with both phases; entropy of the data 3.53 nats", "evidence_nats_both", most=5.1),
            Claim("awake alone", "evidence_nats_wake", least=5.8),
            Claim("asleep alone", "evidence_nats_sleep", least=6.4),
            Claim("nats from recognition of dreams to what made them, asleep alone", "kl_asleep_sleep", most=0.02),
            Claim("awake alone", "kl_asleep_wake", least=0.05),
        ),
        remark="Sleep lowers KL(p(z|x) || q), over dreams, and not the KL(q || p(z|x)) of the bound.",
        cost="quick",
    ),
    Illustration(
        name="three_gaussians",
        family="latent variables on paper",
        title="A mixture of three Gaussians, by EM and by gradients",
        text="From one start, expectation-maximization and gradient ascent come to the same mixture. "
        "EM never loses likelihood in a move, and has no step size to choose.",
        alt="Two scatter plots with the same three ellipses, and a plot of log-likelihood over moves "
        "in which EM's line is up at once and the gradient's later.",
        experiment="three_gaussians",
        picture="drawings/mixtures.png",
        claims=(
            Claim("nats a point at the end of EM", "em_nats_per_point", -3.34, -3.31),
            Claim("nats by which the gradient's end differs", "ways_apart", most=1e-3),
            Claim("least rise in a move of EM", "least_rise", least=-1e-5),
            Claim("moves of EM until within 0.001 nats", "em_moves", most=30),
            Claim("of the gradient", "gradient_moves", least=50),
        ),
        cost="quick",
    ),
    Illustration(
        name="relaxation",
        family="latent variables on paper",
        title="Gumbel-softmax temperatures",
        text="A bit relaxed at a low temperature is nearly 0 or 1, and at a high one anything between; "
        "rounded, it is a one as often at any of them. What is learned of relaxed draws is off by "
        "more the hotter they are, while an estimator without bias is right.",
        alt="Left, histograms of relaxed bits: two peaks at low temperature, a hump at high. Right, "
        "learned probabilities over training: one reaches the dotted truth, the others stay "
        "above, in the order of temperature.",
        experiment="relaxation",
        picture="drawings/relaxed.png",
        claims=(
            Claim("error of the unbiased estimator's probability", "unbiased_error", most=0.01),
            Claim("at temperature 0.05", "error_at_0.05", most=0.06),
            Claim("at temperature 0.1", "error_at_0.1", 0.04, 0.09),
            Claim("at temperature 1", "error_at_1.0", 0.1, 0.16),
            Claim("share of ones at probability 0.3, rounded, at any temperature", "rounded_ones_most", 0.28, 0.32),
        ),
        cost="quick",
    ),
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
    Illustration(
        name="vae_manifold",
        family="latent",
        title="The manifold of a VAE",
        text="A plane of latents decoded, at the middles of cells of equal prior mass. Digits pass "
        "into one another without holes.",
        alt="A 20 by 20 grid of digits that change smoothly in both directions.",
        experiment="vae",
        options="--latent-size 2",
        picture="drawings/manifold.png",
        claims=(
            Claim("held-out bits a dimension", "bits_per_dim", most=2.6),
            Claim("latent dimensions in use", "dimensions_in_use", 2, 2),
        ),
        remark="In the identity log p(x) = ELBO + KL(q || p(z|x)) it is the logarithm of p(x) that stands on the left.",
        cost="quick",
    ),
    Illustration(
        name="vae_samples",
        family="latent",
        title="A VAE's digits",
        text="Samples of a fully connected VAE with sixteen latents. Blurred edges are the means of a "
        "likelihood whose pixels know nothing of one another.",
        alt="A grid of 64 slightly soft digits.",
        experiment="vae",
        picture="samples/step_*.png",
        claims=(Claim("held-out bits a dimension", "bits_per_dim", most=2.05),),
        cost="quick",
    ),
    Illustration(
        name="elbo_terms",
        family="latent",
        title="The two terms of the bound, over training",
        text="Reconstruction improves as long as training goes on, and the divergence grows with it: "
        "information is bought. Their sum is what falls.",
        alt="Curves of reconstruction, divergence and loss over 3,000 steps.",
        experiment="vae",
        curves=("elbo/loss", "elbo/log_likelihood", "elbo/kl"),
        claims=(Claim("nats of divergence at the end", "kl_nats", least=5.0),),
        cost="quick",
    ),
    Illustration(
        name="latent_classes",
        family="latent",
        title="Where classes lie in z",
        text="Nobody told the encoder of classes, and yet a linear probe reads them from its latents. "
        "The plane shows the two largest principal axes of sixteen.",
        alt="A scatter plot of latents in ten colours, most classes in patches of their own.",
        experiment="vae",
        picture="drawings/classes.png",
        claims=(Claim("accuracy of a linear probe", "probe_accuracy", least=0.8),),
        cost="quick",
    ),
    Illustration(
        name="dimensions_in_use",
        family="latent",
        title="How many latents are used",
        text="Each latent pays for the nats it carries, and those that carry nothing fall back to the "
        "prior. Which are in use a bar chart of divergences shows.",
        alt="Bars of KL by latent dimension, falling from left to right.",
        experiment="vae",
        picture="drawings/divergences.png",
        claims=(Claim("dimensions above 0.01 nats, of 16", "dimensions_in_use", 4, 16),),
        cost="quick",
    ),
    Illustration(
        name="beta_sweep",
        family="latent",
        title="Too little of one term, too much of the other",
        text="Where the divergence weighs 0.02, reconstructions are sharp, codes keep to no prior, and its samples are "
        "often no digits. Where it weighs 20, the code carries nothing and every image is the mean of all.",
        alt="Rows of digits: held-out ones, what three autoencoders make of them, and their samples; some of "
        "the first one's samples are tangles, the last one's are all the same blur.",
        experiment="vae_sweep",
        options="--vary beta",
        picture="drawings/rows.png",
        claims=(
            Claim("nats of code where it weighs 0.02", "beta 0.02.kl_nats", least=25),
            Claim("where it weighs 1", "beta 1.kl_nats", 8, 20),
            Claim("where it weighs 20", "beta 20.kl_nats", most=0.1),
            Claim("reconstruction, nats lost, at 0.02", "beta 0.02.reconstruction_nats", most=90),
            Claim("at 20", "beta 20.reconstruction_nats", least=100),
            Claim("held-out bits a dimension at 0.02", "beta 0.02.bits_per_dim", least=2.3),
            Claim("at 1", "beta 1.bits_per_dim", most=2.05),
            Claim("at 20", "beta 20.bits_per_dim", least=2.3),
        ),
        cost="quick",
    ),
    Illustration(
        name="latent_sizes",
        family="latent",
        title="Latents of 2, 5, 10 and 20 dimensions",
        text="More dimensions give sharper reconstructions, up to what the data pay for: beyond ten nothing is won. "
        "Two are enough for a plane to look at, and for little else.",
        alt="Rows of digits: held-out ones, what autoencoders of four sizes make of them, and their samples.",
        experiment="vae_sweep",
        options="--vary latent_size",
        picture="drawings/rows.png",
        claims=(
            Claim("held-out bits a dimension with 2", "2 latents.bits_per_dim", 2.1, 2.2),
            Claim("with 5", "5 latents.bits_per_dim", 2.0, 2.05),
            Claim("with 10", "10 latents.bits_per_dim", 1.95, 2.01),
            Claim("with 20", "20 latents.bits_per_dim", 1.95, 2.01),
            Claim("with 20, untrained", "20 latents.bits_per_dim", least=3, of="untrained"),
            Claim("reconstruction, nats lost, with 2", "2 latents.reconstruction_nats", least=88),
            Claim("with 10", "10 latents.reconstruction_nats", most=76),
        ),
        cost="quick",
    ),
    Illustration(
        name="denoising",
        family="latent",
        title="A denoising autoencoder",
        text="Digits seen through noise, and given back without. What is left of the noise is a "
        "fraction of what was added.",
        alt="Three rows of digits: clean, covered by noise, and clean again.",
        experiment="autoencoder",
        picture="drawings/denoised.png",
        claims=(Claim("squared error of what is given back, where noise added 16", "denoising_error", most=8.0),),
        cost="quick",
    ),
    Illustration(
        name="holes",
        family="latent",
        title="The holes of an autoencoder's plane",
        text="Nothing tells an autoencoder where codes should lie, and between them are places that "
        "decode to no digit. A prior is what a variational one has against that.",
        alt="Codes of digits in ten colours in streaks across a plane, a map of the distance to the "
        "nearest digit with bright patches, and what places decode to.",
        experiment="autoencoder",
        options="--latent-size 2 --noise 0",
        picture="drawings/holes.png",
        claims=(
            Claim(
                "share of the plane farther from every digit than 95 % of reconstructions", "share_of_holes", least=0.05
            ),
        ),
        cost="quick",
    ),
    Illustration(
        name="wake_sleep",
        family="latent",
        title="Dreams of a sigmoid belief network",
        text="Wake-sleep learns the model from latents that recognition infers, and recognition from "
        "the model's dreams, in turn. Here are dreams.",
        alt="A grid of binary digits.",
        experiment="sbn",
        options="--data digits",
        picture="samples/step_*.png",
        claims=(Claim("held-out negative bound, nats", "negative_elbo_nats", most=30.0),),
        remark="Sleep dreams from the model's prior, never from data: that is what makes its gradient of "
        "another divergence.",
    ),
    Illustration(
        name="iwae",
        family="latent",
        title="Bounds of one draw and of fifty",
        text="Weighing fifty draws together gives a tighter bound than one. Both are of the same model.",
        alt="A grid of binary digits.",
        experiment="iwae",
        options="--data digits",
        picture="samples/step_*.png",
        claims=(Claim("held-out negative bound of 50 draws, nats", "iw_nats", most=28.0),),
    ),
    Illustration(
        name="tree_prior",
        family="latent",
        title="A tree of clusters as the prior of z",
        text="A nested Chinese restaurant process of fixed width organizes the latents, by leaves and their "
        "ancestors. Samples are drawn from the leaves.",
        alt="A grid of digits.",
        experiment="tree_vae",
        picture="samples/step_*.png",
        claims=(
            Claim("held-out bits a dimension", "bits_per_dim", most=2.1),
            Claim("purity of the leaves by the digits' classes", "clusters_purity", least=0.75),
        ),
    ),
    Illustration(
        name="tree",
        family="latent",
        title="The tree, drawn with its digits",
        text="What each node's mean is decoded to, and which share of the examples its leaf has. The leaves are "
        "digits, a class or a hand's way of writing it each; their branches are no families, for leaves of one "
        "parent are as far apart as those of others.",
        alt="A blurred digit at the top, four blurred ones below, and under each of them four clear digits of "
        "unlike classes.",
        experiment="tree_vae",
        picture="drawings/tree.png",
        claims=(
            Claim("purity of the leaves by the digits' classes", "clusters_purity", least=0.85),
            Claim("of as many clusters by k-means", "clusters_purity", least=0.85, of="k_means"),
            Claim("of the untrained tree", "clusters_purity", most=0.3, of="untrained"),
            Claim("squared distance between siblings over that of other leaves", "siblings_apart", 0.9, 1.2),
            Claim("the least of 1,000 shuffled trees", "siblings_apart_shuffled", 0.7, 0.9),
        ),
    ),
    Illustration(
        name="vq_vae",
        family="latent",
        title="Samples from a codebook and its prior",
        text="Digits as twelve words of four, and an autoregressive prior over the words. Rate and "
        "distortion are counted together.",
        alt="A grid of digits.",
        experiment="vq_vae",
        picture="samples/step_*.png",
        claims=(Claim("rate and distortion, bits a dimension", "bits_per_dim", most=2.5),),
    ),
    Illustration(
        name="flow_jacobians",
        family="flow",
        title="Jacobians that are cheap",
        text="A coupling leaves half of x alone and moves the other elements one by one, MADE's masks "
        "let each element see those before it, and a planar layer bends along one direction. That "
        "is why their determinants cost next to nothing.",
        alt="Three matrices of coloured squares: an identity with a block below it, a lower triangle, and a dense one.",
        experiment="flow_jacobians",
        picture="drawings/jacobians.png",
        claims=(
            Claim("elements that a coupling leaves alone, of 8", "coupling_left_alone", 4, 4),
            Claim("largest entry beside the diagonal among the others", "coupling_off_diagonal", 0, 0),
            Claim("largest entry above the autoregressive diagonal", "autoregressive_above_diagonal", 0, 0),
            Claim("below it", "autoregressive_below_diagonal", least=0.1),
            Claim("first singular value of the planar layer's Jacobian less the identity", "planar_bend", least=0.1),
            Claim(
                "second singular value of the planar layer's Jacobian less the identity",
                "planar_second_bend",
                most=1e-4,
            ),
            Claim("largest error of a layer's own log-determinant", "log_det_error", most=1e-4),
        ),
        cost="quick",
    ),
    Illustration(
        name="made_masks",
        family="flow",
        title="MADE's masks",
        text="Every unit has a degree, and a weight is there where the degree does not fall. The product of "
        "the masks counts the paths that are left: from each element to those after it, and to none "
        "before.",
        alt="Three staircases of grey squares, and their product, a triangle of path counts below an empty diagonal.",
        experiment="made_masks",
        picture="drawings/masks.png",
        claims=(
            Claim("least number of paths from an earlier element", "paths_from_earlier", least=1),
            Claim("largest from itself or a later one", "paths_from_others", 0, 0),
            Claim("what a trained output hears of a later element", "heard_from_later", 0, 0),
            Claim("of an earlier one at most", "heard_from_earlier", least=0.1),
            Claim("what the same weights hear of a later one without masks", "unmasked_heard_from_later", least=0.1),
        ),
        cost="quick",
    ),
    Illustration(
        name="planar_1",
        family="flow",
        title="One planar step",
        text="One bend of the plane can cut a Gaussian, and no more. The two moons stay one cloud.",
        alt="Densities side by side: two moons, and a single bent cloud.",
        experiment="planar",
        options="--depth 1",
        picture="drawings/density.png",
        claims=(Claim("total variation between model and data", "total_variation", 0.2, 0.8),),
        cost="quick",
    ),
    Illustration(
        name="planar_2",
        family="flow",
        title="Two planar steps",
        text="The second bend cuts the cloud in two, one blot for each moon. Neither is curved yet: a bend each does "
        "not make an arc.",
        alt="Densities side by side: two moons, and two round blots that touch.",
        experiment="planar",
        options="--depth 2",
        picture="drawings/density.png",
        claims=(
            Claim("held-out nats, at best -1.007", "log_likelihood_nats", -1.8, -1.7),
            Claim("of a Gaussian", "log_likelihood_nats", most=-1.9, of="Gaussian"),
            Claim("total variation between model and data", "total_variation", 0.45, 0.6),
        ),
        cost="quick",
    ),
    Illustration(
        name="planar_10",
        family="flow",
        title="Ten planar steps",
        text="Ten bends begin to part the moons. What joins them is a filament that an invertible map cannot cut.",
        alt="Densities side by side: two moons, and two joined arcs.",
        experiment="planar",
        options="--depth 10",
        picture="drawings/density.png",
        claims=(Claim("total variation between model and data", "total_variation", most=0.35),),
        cost="quick",
    ),
    Illustration(
        name="radial_1",
        family="flow",
        title="One radial step",
        text="Space contracts to a point or expands from one. A single such step draws a Gaussian towards one place, "
        "and the moons stay a cloud, no likelier than a Gaussian's.",
        alt="Densities side by side: two moons, and a round cloud with a tip.",
        experiment="radial",
        options="--depth 1",
        picture="drawings/density.png",
        claims=(
            Claim("held-out nats, at best -1.007", "log_likelihood_nats", -2.0, -1.85),
            Claim("of a Gaussian", "log_likelihood_nats", -1.92, -1.9, of="Gaussian"),
            Claim("total variation between model and data", "total_variation", 0.5, 0.6),
        ),
        cost="quick",
    ),
    Illustration(
        name="radial_2",
        family="flow",
        title="Two radial steps",
        text="A second step may expand where the first contracts. Here it hollows the cloud out, into a ring.",
        alt="Densities side by side: two moons, and a ring with a bright spot.",
        experiment="radial",
        options="--depth 2",
        picture="drawings/density.png",
        claims=(
            Claim("held-out nats, at best -1.007", "log_likelihood_nats", -1.85, -1.7),
            Claim("of a Gaussian", "log_likelihood_nats", most=-1.9, of="Gaussian"),
            Claim("total variation between model and data", "total_variation", 0.45, 0.55),
        ),
        cost="quick",
    ),
    Illustration(
        name="radial_10",
        family="flow",
        title="Ten radial steps",
        text="Ten points pull and push, and the moons' outlines appear between two holes. Ten planar steps come "
        "nearer, for an arc is more like a bent line than like a ball.",
        alt="Densities side by side: two moons, and a bright outline around two dark holes.",
        experiment="radial",
        options="--depth 10",
        picture="drawings/density.png",
        claims=(
            Claim("held-out nats, at best -1.007", "log_likelihood_nats", -1.5, -1.3),
            Claim("of a Gaussian", "log_likelihood_nats", most=-1.9, of="Gaussian"),
            Claim("total variation between model and data", "total_variation", 0.25, 0.4),
        ),
        cost="quick",
    ),
    Illustration(
        name="nice_points",
        family="flow",
        title="NICE on two moons",
        text="Additive couplings shear the plane and keep its volume, so that one scale serves everywhere. Eight of "
        "them wind a Gaussian into two moons, and a thread that joins them.",
        alt="Densities side by side: two moons, and two moons joined by a thread.",
        experiment="nice",
        picture="drawings/density.png",
        claims=(
            Claim("held-out nats, at best -1.007", "log_likelihood_nats", -1.15, -1.03),
            Claim("of a Gaussian", "log_likelihood_nats", most=-1.9, of="Gaussian"),
        ),
        cost="quick",
    ),
    Illustration(
        name="realnvp_points",
        family="flow",
        title="RealNVP on two moons",
        text="Affine couplings take turns in leaving one coordinate as it is. The density they learn "
        "lies nearly on the data's.",
        alt="Densities side by side: two moons, and nearly the same two moons.",
        experiment="realnvp",
        options="--data two_moons",
        picture="drawings/density.png",
        claims=(
            Claim("held-out nats, at best -1.007", "log_likelihood_nats", -1.25, -0.95),
            Claim("total variation between model and data", "total_variation", most=0.25),
        ),
        cost="quick",
    ),
    Illustration(
        name="spline_points",
        family="flow",
        title="Rational-quadratic splines on two moons",
        text="Monotone splines in the place of affine maps come nearer to the data's own likelihood. "
        "They are as cheap to invert.",
        alt="Densities side by side: two moons, and the same two moons.",
        experiment="spline",
        picture="drawings/density.png",
        claims=(Claim("held-out nats, at best -1.007", "log_likelihood_nats", -1.1, -0.95),),
        cost="quick",
    ),
    Illustration(
        name="glow",
        family="flow",
        title="Glow's digits",
        text="Actnorm, an invertible 1x1 convolution and an affine coupling, eight times at each of "
        "two scales. Samples come with an exact likelihood.",
        alt="A grid of generated digits.",
        experiment="glow",
        options="--data digits",
        picture="samples/step_*.png",
        claims=(Claim("held-out bits a dimension", "bits_per_dim", most=2.05),),
    ),
    Illustration(
        name="temperature",
        family="flow",
        title="Glow's temperatures",
        text="Latents scaled down before they are inverted give cleaner and more ordinary digits. At "
        "0.5 little variety is left.",
        alt="Rows of digits at temperatures 0.5, 0.7 and 1.",
        experiment="glow",
        options="--data digits",
        sampled="--temperature 0.5,0.7,1 --count 36",
        claims=(Claim("held-out bits a dimension", "bits_per_dim", most=2.05),),
    ),
    Illustration(
        name="realnvp",
        family="flow",
        title="RealNVP's digits",
        text="Checkerboard and channel masks at two scales. As many couplings as Glow, and nearly its likelihood.",
        alt="A grid of generated digits.",
        experiment="realnvp",
        picture="samples/step_*.png",
        claims=(Claim("held-out bits a dimension", "bits_per_dim", most=2.1),),
    ),
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
    Illustration(
        name="parity_rule",
        family="knowledge",
        title="A rule teaches, a student learns",
        text="A hundred digits have labels; of all others someone noted whether they are even. The "
        "teacher is the student's own distribution, bent as little as possible to keep the rule.",
        alt="Training curves of the student.",
        experiment="parity_rule",
        options="--data digits",
        curves=("student/loss",),
        claims=(Claim("accuracy of the student", "student_accuracy", least=0.85),),
        cost="quick",
    ),
    Illustration(
        name="learned_confidences",
        family="knowledge",
        title="Confidences that are learned",
        text="Four rules say which of two classes an example has, and are right as often as the legend tells. "
        "The labels teach how much to trust each, which ends at the log-odds of its being right, and at "
        "nothing for a rule that guesses.",
        alt="Four lines over 3,000 steps, which come from 1 to dotted levels between 0.98 and 0.",
        experiment="learned_confidences",
        picture="drawings/confidences.png",
        claims=(
            Claim("confidence of the best rule; in truth 0.981", "best_rule", 0.93, 1.03),
            Claim("of the rule that guesses", "blind_rule", most=0.04),
            Claim("largest distance from the truth", "error", most=0.05),
        ),
        cost="quick",
    ),
    Illustration(
        name="knowledge_tradeoff",
        family="knowledge",
        title="What a rule costs",
        text="Posterior regularization moves p to q*, and no distribution is as obedient and nearer. "
        "Freely learned ones end on the same curve, weighted samples of p lie near it, and p as it is, "
        "shifted until it obeys, costs more than four times as much.",
        alt="Left, probability of x > 1 against nats from p: circles on a dotted curve that rises fast, and a "
        "grey line far below. Right, densities of two humps, of which the right one grows.",
        experiment="knowledge_tradeoff",
        picture="drawings/price.png",
        claims=(
            Claim("largest distance of a learned point from the curve", "learned_error", most=1e-3),
            Claim("of a weighted one", "weighed_error", most=0.05),
            Claim("how often p obeys", "obeyed_before", 0.27, 0.28),
            Claim("q* at alpha = 2", "obeyed", 0.73, 0.75),
            Claim("nats that costs", "nats", 0.45, 0.47),
            Claim("nats by shifting p", "nats_shifted", least=1.8),
        ),
        cost="quick",
    ),
    Illustration(
        name="even_digits",
        family="knowledge",
        title="Posterior regularization: digits that should be even",
        text="A VAE is steered to what a rule likes, and pays for it in bits. Both numbers stand here.",
        alt="A grid of mostly even digits.",
        experiment="pr_vae",
        picture="samples/step_*.png",
        claims=(Claim("held-out bits a dimension", "bits_per_dim", most=2.1),),
        cost="quick",
    ),
    Illustration(
        name="learned_constraint",
        family="knowledge",
        title="A constraint that is learned",
        text='"Heavy" is written down, "even" is learned from a hundred examples by inverse '
        "reinforcement learning, while the VAE learns from it. Neither term alone does both.",
        alt="A grid of heavy, mostly even digits.",
        experiment="pr_learned",
        picture="samples/step_*.png",
        claims=(Claim("held-out bits a dimension", "bits_per_dim", most=2.2),),
        cost="quick",
    ),
    Illustration(
        name="people",
        family="knowledge",
        title="People in another pose",
        text="A picture of somebody and the joints of another pose, to that picture; the people are "
        "drawn inside the compiled step, so there is no end of them. It is what a learned "
        "constraint of body parts is then added to.",
        alt="Triples of a person, joints and the person in that pose.",
        experiment="people",
        picture="samples/step_*.png",
        claims=(Claim("absolute error", "l1", most=0.3),),
    ),
)
