"""Models that obey what somebody knows."""

from jaxgen.report.gallery import Claim, Illustration

_POSED = (
    Claim("overlap of garments and where they should be", "people_miou", least=0.6),
    Claim("of a copy of the source", "people_miou", 0.45, 0.55, of="copied"),
    Claim("of the mean of all", "people_miou", most=0.3, of="mean"),
    Claim("pixels from a garment to where it should be", "people_place_error", most=1.2),
    Claim("of a copy of the source", "people_place_error", least=1.6, of="copied"),
)

FIGURES = (
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
    ),
    Illustration(
        name="people",
        family="knowledge",
        title="People in another pose, by pairs alone",
        text="A picture of somebody and the joints of another pose, to that picture; the people are "
        "drawn inside the compiled step, so there is no end of them. Nothing is known here of bodies.",
        alt="Triples of a person, joints and the person in that pose.",
        experiment="people",
        options="--steps 3200",
        picture="samples/step_*.png",
        claims=_POSED,
    ),
    Illustration(
        name="people_fixed",
        family="knowledge",
        title="People in another pose, by a parser that is fixed",
        text="A parser of body parts learns from two hundred labelled pictures and then stands still. What is drawn is "
        "to be parsed like the truth.",
        alt="Triples of a person, joints and the person in that pose.",
        experiment="people",
        options="--constraint fixed",
        picture="samples/step_*.png",
        claims=_POSED,
    ),
    Illustration(
        name="people_learned",
        family="knowledge",
        title="People in another pose, by a constraint that is learned",
        text="The parser learns on, by telling what is drawn from the truth. That is a critic of parts, which began "
        "from what two hundred labels say.",
        alt="Triples of a person, joints and the person in that pose.",
        experiment="people",
        options="--constraint learned",
        picture="samples/step_*.png",
        claims=_POSED,
    ),
)
