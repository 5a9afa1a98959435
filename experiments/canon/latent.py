"""Autoencoders, their codes and their priors."""

from jaxgen.report.gallery import Claim, Illustration

FIGURES = (
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
            Claim("held-out bits a dimension", "bits_per_dim", most=2.25),
            Claim("of independent pixels", "bits_per_dim", least=2.4, of="independent pixels"),
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
        "The plane shows the two largest principal axes of sixteen, in which classes still overlap.",
        alt="A scatter plot of latents in ten colours, classes in patches that overlap.",
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
        claims=(Claim("dimensions above 0.1 nats, of 16", "dimensions_in_use", 9, 13),),
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
        claims=(Claim("rate and distortion, bits a dimension", "bits_per_dim", most=2.1),),
    ),
)
