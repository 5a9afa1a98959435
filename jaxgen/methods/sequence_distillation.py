"""Rule distillation on sequences: rules about neighbouring tags make the teacher a chain, whose marginals are imitated.

Hu et al. 2016, "Harnessing Deep Neural Networks with Logic Rules", section 4.2, named-entity recognition. There the
teacher is made of the student itself. That fails on sentences without labels: q* minus p is the gradient of log Z by
the logits, so such a student climbs log Z, the share of it that keeps the rules, and the cheapest way to keep what
they say of the tags inside entities is to find none, or all of one type. Here the teacher is made of a twin of the
student that learns from the labels alone and so stays where they put it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.losses import chains, distillation
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.distillation import Rules, imitating, mean_where, predict_by


def sequence_distillation(
    student: Net,
    confidences: Net,
    transitions: Array,
    rules: Rules,
    figures: Callable[[Array, Batch], Mapping[str, Array]],
    *,
    inputs: str,
    strength: float,
    pi_0: float,
    alpha: float,
) -> Method:
    """A student that tags each position by itself, and a teacher that also knows which tags go together.

    The batch has `inputs`, int `[batch, length]`, 0 after a sequence's end, and `label`, int `[batch, length]`,
    negative where there is none. Networks: "base", the student's twin, which sees the labels alone; "student", which
    imitates the marginals of q* (`losses.chains`) made of the base, beside the labels; "confidences".

    Args:
      student: module of `(inputs, *, train) -> logits [batch, length, tags]`; it may take a key "dropout".
      confidences: module of `() -> lambda`, first those of the transitions, then those of the other rules; learned as
        in `methods.distillation.rule_distillation`, from the teacher's marginals at the labels.
      transitions: truth of each rule for a tag and the next one, `[tags, tags, transitions]`.
      rules: those about single tags, `(predict, batch) -> (truth [batch, length, tags, rules], mask)`, as in
        `methods.distillation.rule_distillation`.
      figures: `(tags [batch, length], batch) -> {figure: [batch]}`, asked of the likeliest tags of "base" and
        "student", and of the likeliest sequence of "teacher", q* made of the trained student.
      inputs: the field the student sees.
      strength: C, nats.
      pi_0: the most the teacher weighs, from 0 to 1.
      alpha: from 0 to 1; the nearer to 1, the later the teacher is heard.
    """

    def chain(view: View, batch: Batch, name: str) -> tuple[Array, Array, Array]:
        """q* made of a network: log-probabilities of single tags, costs of transitions, where the sequence is."""
        between, single = jnp.split(view("confidences"), [transitions.shape[-1]])
        truth, mask = rules(predict_by(view, name), batch)
        logits = view(name, batch[inputs], train=False)
        log_p = distillation.rule_posterior(logits, stop_gradient(truth), single, strength, mask=mask)
        return log_p, chains.transition_costs(transitions, between, strength), batch[inputs] > 0

    def teacher(view: View, batch: Batch, logits: Array) -> tuple[Array, Array]:
        log_p, costs, there = chain(view, batch, "base")
        q = chains.marginals(log_p, costs, there)
        # A tag may be so improbable that float32 has 0 for it, whose logarithm would have no gradient.
        return jnp.log(jnp.maximum(q, jnp.finfo(q.dtype).tiny)), there

    def base_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        (logits,) = at_least_float32(view("base", batch[inputs], train=True, rngs={"dropout": key}))
        log_p = jax.nn.log_softmax(logits)
        nats = -jnp.take_along_axis(log_p, jnp.maximum(batch["label"], 0)[..., None], axis=-1)[..., 0]
        return mean_where(nats, batch["label"] >= 0), Aux()

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        tags = {name: jnp.argmax(view(name, batch[inputs], train=False), axis=-1) for name in ("base", "student")}
        tags["teacher"] = chains.viterbi(*chain(view, batch, "student"))
        return {f"{name}_{figure}": x for name, y in tags.items() for figure, x in figures(y, batch).items()}

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        variables = method.init(modules, key, batch)
        return {**variables, "base": variables["student"]}

    method = imitating(student, confidences, teacher, evaluate, inputs=inputs, pi_0=pi_0, alpha=alpha)
    return dataclasses.replace(
        method, nets={**method.nets, "base": student}, phases=(Phase(("base",), base_loss), *method.phases), init=init
    )
