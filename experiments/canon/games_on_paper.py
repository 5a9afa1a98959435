"""Games whose answer is known by other means."""

from jaxgen.report.gallery import Claim, Illustration

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
        "q). Trained discriminators find it where there are examples to learn from, and of those no "
        "smoothed one is sure any more.",
        alt="Three falling curves of D(x) for epsilon 0, 0.1 and 0.3, each lying on its dashed optimum.",
        experiment="label_smoothing",
        picture="drawings/optima.png",
        claims=(Claim("largest distance of a trained D from its optimum, x from -2 to 2", "optimum_error", most=0.05),),
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
        name="leaking_augmentation",
        family="games on paper",
        title="Augmentation that does not leak",
        text="All images are turned at random with probability p before the critic sees them. As long as p is below 1 "
        "the distribution of turned images tells that of the images, and a generator that began upside down learns "
        "which way is up; at 1 it stays as it began.",
        alt="Left, a line that falls from 1 at p = 0 to 0 at p = 1. Right, bars of orientations: three games below 1 "
        "have upright samples alone, two games at 1 have others, and not the same.",
        experiment="leaking_augmentation",
        picture="drawings/orientations.png",
        claims=(
            Claim("least share of upright samples, p at most 0.8", "upright_below_one", least=0.95),
            Claim("share by which two games at p = 1 differ", "apart_at_one", least=0.5),
            Claim("what is left of a difference at p = 0.8", "eigenvalue_at_0.8", 0.199, 0.201),
            Claim("at p = 1", "eigenvalue_at_1", most=1e-12),
        ),
        cost="quick",
    ),
    Illustration(
        name="path_lengths",
        family="games on paper",
        title="The length of paths",
        text="A random image pulled back through a linear generator is on average as long as the map is large: "
        "E |Aᵀy|² = |A|². Who is paid for lengths that are all the same makes all ways of w move images equally far.",
        alt="Three panels: points on a diagonal over four powers of ten; bars of singular values that fall tenfold, "
        "and level ones; a wide and a narrow histogram of lengths.",
        experiment="path_lengths",
        picture="drawings/paths.png",
        claims=(
            Claim("largest relative error of E |Aᵀy|² against |A|²", "frobenius_error", most=0.01),
            Claim("largest over least singular value before", "ratio_before", 9.99, 10.01),
            Claim("after", "ratio_after", most=1.7),
            Claim("relative spread of lengths before", "spread_before", least=0.42),
            Claim("after; of equal ways 0.2917", "spread_after", 0.28, 0.32),
        ),
        cost="quick",
    ),
    Illustration(
        name="late_collapse",
        family="games on paper",
        title="Late collapse, and a discriminator relaxed in time",
        text="On 100 digits samples of a discriminator of four updates a step get good and then worse, till their mean "
        "image alone would be nearer. Relaxed along the way it is less bad, the earlier the less; one that was weak "
        "from the start ends best of all. None is as near as copies of the 100 are.",
        alt="Left, four distances that fall at first and then rise, the strong discriminator's highest and the weak "
        "one's least, between two level lines. Right, how much higher each scores training digits than held-out ones: "
        "rising, but for the strong one's, which falls in the last third.",
        experiment="late_collapse",
        picture="drawings/course.png",
        claims=(
            Claim("least distance of samples, strong", "least_strong", 4, 10),
            Claim("last", "last_strong", least=25),
            Claim("last, relaxed along the whole training", "last_relaxed_late", most=30),
            Claim("last, relaxed in its first tenth", "last_relaxed_early", most=20),
            Claim("last, weak from the start", "last_weak", most=12),
            Claim("of the mean of the 100", "distance_of_mean", 18, 20),
            Claim("of copies of the 100", "distance_of_copies", most=2.5),
        ),
        remark="To start strong and relax is better than to stay strong, and here worse than to be weak throughout.",
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
)
