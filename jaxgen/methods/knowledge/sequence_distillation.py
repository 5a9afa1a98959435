"""Rule distillation on sequences: rules about neighbouring tags make the teacher a chain, whose marginals are imitated.

Hu et al. 2016, "Harnessing Deep Neural Networks with Logic Rules", section 4.2, named-entity recognition. Here the
teacher is made of the student's twin (`methods.knowledge.distillation`): without labels, the cheapest way to keep what
rules say of the tags inside entities is to find none, or all of one type.
"""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen.core import Array, Batch, Method, Net, View, Weight
from jaxgen.losses import chains, distillation
from jaxgen.methods.knowledge.distillation import Rules, imitating, predict_by, students


def sequence_distillation(
    student: Net,
    confidences: Net,
    transitions: Array,
    rules: Rules,
    figures: Callable[[Array, Batch], Mapping[str, Array]],
    *,
    inputs: str,
    strength: Weight,
    pi_0: float,
    alpha: float,
) -> Method:
    """A student that tags each position by itself, and a teacher that also knows which tags go together.

    The batch has `inputs`, int `[batch, length]`, 0 after a sequence's end, and `label`, int `[batch, length]`,
    negative where there is none. Networks: "twin", which sees the labels alone; "student", which imitates the marginals
    of q* (`losses.chains`) made of the twin, beside the labels; "confidences".

    Args:
      student: module of `inputs -> logits [batch, length, tags]`.
      confidences: module of `() -> lambda`, first those of the transitions, then those of the other rules; learned as
        in `methods.knowledge.distillation.rule_distillation`, from the teacher's marginals at the labels.
      transitions: truth of each rule for a tag and the next one, `[tags, tags, transitions]`.
      rules: those about single tags, `(predict, batch) -> (truth [batch, length, tags, rules], mask)`, as in
        `methods.knowledge.distillation.rule_distillation`.
      figures: `(tags [batch, length], batch) -> {figure: [batch]}`, asked of the likeliest tags of "twin" and
        "student", and of the likeliest sequence of "teacher", q* made of the trained student.
      inputs: the field the student sees.
      strength: C, nats, a number or a schedule of the step.
      pi_0: the most the teacher weighs, from 0 to 1.
      alpha: from 0 to 1; the nearer to 1, the later the teacher is heard.
    """

    def chain(view: View, batch: Batch, name: str, logits: Array) -> tuple[Array, Array, Array]:
        """q* made of a network: log-probabilities of single tags, costs of transitions, where the sequence is."""
        between, single = jnp.split(view("confidences"), [transitions.shape[-1]])
        truth, mask = rules(predict_by(view, name), batch)
        c = view.weight(strength)
        log_p = distillation.rule_posterior(logits, stop_gradient(truth), single, c, mask=mask)
        return log_p, chains.transition_costs(transitions, between, c), batch[inputs] > 0

    def teacher(view: View, batch: Batch, name: str, logits: Array) -> Array:
        log_p, costs, there = chain(view, batch, name, logits)
        q = chains.marginals(log_p, costs, there)
        # A tag may be so improbable that float32 has 0 for it, whose logarithm would have no gradient.
        return jnp.log(jnp.maximum(q, jnp.finfo(q.dtype).tiny))

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        logits = {name: view(name, batch[inputs]) for name in students(twin=True)}
        tags = {name: jnp.argmax(x, axis=-1) for name, x in logits.items()}
        tags["teacher"] = chains.viterbi(*chain(view, batch, "student", logits["student"]))
        return {f"{name}_{figure}": x for name, y in tags.items() for figure, x in figures(y, batch).items()}

    def there(batch: Batch) -> Array:
        return batch[inputs] > 0

    return imitating(student, confidences, teacher, evaluate, there, inputs=inputs, pi_0=pi_0, alpha=alpha, twin=True)
