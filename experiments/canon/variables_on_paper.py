"""Latent variables whose posterior, gradient or evidence is known by other means."""

from jaxgen.report.gallery import Claim, Illustration

FIGURES = (
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
)
