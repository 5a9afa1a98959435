"""Rule distillation: a teacher that keeps the rules is built from a network in closed form, and imitated.

Hu et al. 2016, "Harnessing Deep Neural Networks with Logic Rules", algorithm 1; confidences that are learned are those
of Hu et al. 2016b, "Deep Neural Networks with Massive Learned Knowledge".

There the teacher is made of the student itself. On examples without labels that can fail: q* minus p is the gradient of
log Z by the logits, so such a student climbs log Z, the share of it that keeps the rules, and wrong answers may keep
them too. The teacher may then be made of a twin of the student, which learns from the labels alone and stays there.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import Field
from jaxgen.losses import distillation
from jaxgen.losses.arrays import at_least_float32

Predict = Callable[[Array], Array]  # inputs [batch, ...] -> the student's probabilities [batch, ..., classes]
Rules = Callable[[Predict, Batch], tuple[Array, Array]]  # -> truth [batch, classes, rules], where they apply
# (view, batch, name of a network, its logits [batch, ..., classes]) -> log q* of that shape made of it
Teacher = Callable[[View, Batch, str, Array], Array]
Evaluate = Callable[[View, Batch, Array], Mapping[str, Array]]


def rule_distillation(
    student: Net,
    confidences: Net,
    rules: Rules,
    *,
    inputs: str,
    strength: Weight,
    pi_0: float,
    alpha: float,
    streams: tuple[str, str] = ("", ""),
    twin: bool = False,
) -> Method:
    """A student p(y|x) and its teacher q*, on the batch fields `inputs` and `label` (int `[batch]`).

    An example whose label is negative has none: the teacher alone counts, in a mean of its own, weighted by pi, so
    that many of them do not drown a few labels. What is evaluated is the trained student, its own q*, and its twin.

    Args:
      student: module of `inputs -> logits [batch, classes]`.
      confidences: module of `() -> lambda [rules]`; with an optimizer they are learned, from the labels, in a second
        phase that leaves the student alone.
      rules: `(predict, batch) -> (truth [batch, classes, rules], mask)`; the mask, broadcast against the truth, says
        where a rule applies. `predict` asks the network the teacher is made of, as "A but B" does about B; no gradient
        passes through.
      inputs: the field the student sees.
      strength: C, nats, a number or a schedule of the step.
      pi_0: the most the teacher weighs, from 0 to 1.
      alpha: from 0 to 1; the nearer to 1, the later the teacher is heard (`losses.distillation.imitation_schedule`).
      streams: names of the stream that teaches the student and of the one whose labels teach the confidences
        (`Dataset.streams`); by default there are none, and one batch teaches both. Of labels that the student knows by
        heart, every rule about its own opinions is right.
      twin: whether the teacher is made of a network "twin", which begins as the student does and learns from the labels
        alone, instead of the student itself.
    """

    def teacher(view: View, batch: Batch, name: str, logits: Array) -> Array:
        truth, mask = rules(predict_by(view, name), batch)
        return distillation.rule_posterior(
            logits, stop_gradient(truth), view("confidences"), view.weight(strength), mask=mask
        )

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        said = {name: view(name, batch[inputs]) for name in students(twin)}
        said["teacher"] = teacher(view, batch, "student", said["student"])
        return {f"{name}_accuracy": jnp.argmax(x, axis=-1) == batch["label"] for name, x in said.items()}

    return imitating(
        student, confidences, teacher, evaluate, inputs=inputs, pi_0=pi_0, alpha=alpha, streams=streams, twin=twin
    )


def predict_by(view: View, name: str) -> Predict:
    """A network as rules ask it, without its training noise."""
    return lambda x: jax.nn.softmax(view(name, x))


def imitating(
    student: Net,
    confidences: Net,
    teacher: Teacher,
    evaluate: Evaluate,
    there: Callable[[Batch], Array] = lambda batch: jnp.ones(batch["label"].shape, bool),
    *,
    inputs: str,
    pi_0: float,
    alpha: float,
    streams: tuple[str, str] = ("", ""),
    twin: bool = False,
) -> Method:
    """The student of any teacher that rules make in closed form: `rule_distillation` says how it learns.

    Args:
      student: module of `inputs -> logits [batch, ..., classes]`, a label (int `[batch, ...]`) for each.
      confidences: as of `rule_distillation`.
      teacher: `(view, batch, name, logits) -> log q*`, q* made of the network of that name.
      evaluate: as of `Method`.
      there: `batch -> [batch, ...]`, where there is an example: false on padding.
      inputs: the field the student sees.
      pi_0: as of `rule_distillation`.
      alpha: as of `rule_distillation`.
      streams: as of `rule_distillation`.
      twin: as of `rule_distillation`.
    """

    def cross_entropy(log_p: Array, label: Array, labelled: Array) -> Array:
        nats = -jnp.take_along_axis(log_p, jnp.maximum(label, 0)[..., None], axis=-1)[..., 0]
        return jnp.sum(nats, where=label >= 0) / labelled

    def own(batch: Batch) -> Batch:
        return batch[streams[0]] if streams[0] else batch

    def confidences_own(batch: Batch) -> Batch:
        return batch[streams[1]] if streams[1] else batch

    def counts(batch: Batch) -> dict[str, Array]:
        """Labels and examples without one, of the batch: what means over them are divided by, which is never 0."""
        batch = own(batch)
        labelled = batch["label"] >= 0
        kinds = {"labelled": labelled, "unlabelled": there(batch) & ~labelled}
        return {name: jnp.maximum(jnp.sum(kind), 1) for name, kind in kinds.items()}

    def twin_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        batch, training = own(batch), view.training(key)
        (logits,) = at_least_float32(training("twin", batch[inputs]))
        loss = cross_entropy(jax.nn.log_softmax(logits), batch["label"], view.counts["labelled"])
        return loss, Aux(variables=training.moved)

    def student_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        batch, training = own(batch), view.training(key)
        logits = training("student", batch[inputs])
        of = view("twin", batch[inputs]) if twin else stop_gradient(logits)
        log_q = teacher(view, batch, first, of)
        labelled = batch["label"] >= 0
        pi = distillation.imitation_schedule(view.step, pi_0, alpha)
        losses = distillation.imitation(
            logits, jnp.maximum(batch["label"], 0), jnp.exp(log_q), jnp.where(labelled, pi, 1.0)
        )
        taught = jnp.sum(losses, where=labelled) / view.counts["labelled"]
        imitated = jnp.sum(losses, where=there(batch) & ~labelled) / view.counts["unlabelled"]
        return taught + pi * imitated, Aux({"pi": pi}, training.moved)

    def confidence_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        batch = confidences_own(batch)
        log_q = teacher(view, batch, first, stop_gradient(view(first, batch[inputs])))
        confidence = view("confidences")
        metrics = {f"lambda_{rule}": confidence[rule] for rule in range(confidence.shape[0])}
        return cross_entropy(log_q, batch["label"], view.counts["labelled"]), Aux(metrics)

    def confidence_counts(batch: Batch) -> dict[str, Array]:
        return {"labelled": jnp.maximum(jnp.sum(confidences_own(batch)["label"] >= 0), 1)}

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        # The student begins as it would without rules, so that runs with and without them can be compared in pairs.
        variables = linen.init(modules["student"], key, own(batch)[inputs])
        return {
            **dict.fromkeys(students(twin), variables),
            "confidences": modules["confidences"].init(jax.random.fold_in(key, 1)),
        }

    first = students(twin)[0]
    taught = (Phase("twin", ("twin",), twin_loss, counts=counts),) if twin else ()
    fields = {inputs: Field(), "label": Field()}
    learned = Phase("confidences", ("confidences",), confidence_loss, counts=confidence_counts)
    return Method(
        name="rule distillation",
        nets={**dict.fromkeys(students(twin), student), "confidences": confidences},
        phases=(
            *taught,
            Phase("student", ("student",), student_loss, counts=counts),
            *(() if confidences.optimizer is None else (learned,)),
        ),
        init=init,
        latents=None,
        evaluate=lambda view, batch, key: evaluate(view, own(batch), key),
        takes=dict.fromkeys(streams, fields) if all(streams) else fields,
    )


def students(twin: bool) -> tuple[str, ...]:
    """The networks that learn to answer; the teacher is made of the first."""
    return ("twin", "student") if twin else ("student",)
