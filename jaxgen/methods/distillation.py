"""Rule distillation: a teacher that keeps the rules is built from the student in closed form, and imitated.

Hu et al. 2016, "Harnessing Deep Neural Networks with Logic Rules", algorithm 1; confidences that are learned are those
of Hu et al. 2016b, "Deep Neural Networks with Massive Learned Knowledge".
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View, no_samples
from jaxgen.losses import distillation

Predict = Callable[[Array], Array]  # inputs [batch, ...] -> the student's probabilities [batch, classes]
Rules = Callable[[Predict, Batch], tuple[Array, Array]]  # -> truth [batch, classes, rules], where they apply


def rule_distillation(
    student: Net,
    confidences: Net,
    rules: Rules,
    *,
    inputs: str,
    strength: float,
    pi_0: float,
    alpha: float,
    validation: str = "",
) -> Method:
    """A student p(y|x) and its teacher q*, on the batch fields `inputs` and `label` (int `[batch]`).

    An example whose label is negative has none: the teacher alone counts, in a mean of its own, weighted by pi, so
    that many of them do not drown a few labels.

    Args:
      student: module of `(inputs, *, train) -> logits [batch, classes]`; it may take a key "dropout".
      confidences: module of `() -> lambda [rules]`; with an optimizer they are learned, from the labels, in a second
        phase that leaves the student alone.
      rules: `(predict, batch) -> (truth [batch, classes, rules], mask)`; the mask, broadcast against the truth, says
        where a rule applies. `predict` asks the student itself, as "A but B" does about B; no gradient passes through.
      inputs: the field the student sees.
      strength: C, nats.
      pi_0: the most the teacher weighs, from 0 to 1.
      alpha: from 0 to 1; the nearer to 1, the later the teacher is heard (`losses.distillation.imitation_schedule`).
      validation: prefix of the fields (`Source.beside`) whose labels teach the confidences; by default the student's
        own. Of labels that the student knows by heart, every rule about its own opinions is right.
    """

    def teacher(view: View, batch: Batch, logits: Array) -> Array:
        def predict(x: Array) -> Array:
            return jax.nn.softmax(view("student", x, train=False))

        truth, mask = rules(predict, batch)
        truth, logits = stop_gradient((truth, logits))
        return distillation.rule_posterior(logits, truth, view("confidences"), strength, mask=mask)

    def student_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        logits = view("student", batch[inputs], train=True, rngs={"dropout": key})
        soft_targets = jnp.exp(teacher(view, batch, logits))
        labelled = batch["label"] >= 0
        pi = distillation.imitation_schedule(view.step, pi_0, alpha)
        losses = distillation.imitation(
            logits, jnp.maximum(batch["label"], 0), soft_targets, jnp.where(labelled, pi, 1.0)
        )
        return _mean(losses, labelled) + pi * _mean(losses, ~labelled), Aux({"pi": pi})

    def confidence_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        batch = {field.removeprefix(validation): x for field, x in batch.items() if field.startswith(validation)}
        log_q = teacher(view, batch, view("student", batch[inputs], train=False))
        labelled = batch["label"] >= 0
        nats = -jnp.take_along_axis(log_q, jnp.maximum(batch["label"], 0)[:, None], axis=-1)[:, 0]
        confidence = view("confidences")
        metrics = {f"lambda_{rule}": confidence[rule] for rule in range(confidence.shape[0])}
        return _mean(nats, labelled), Aux(metrics)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        # The student begins as it would without rules, so that runs with and without them can be compared in pairs.
        return {
            "student": modules["student"].init(key, batch[inputs], train=False),
            "confidences": modules["confidences"].init(jax.random.fold_in(key, 1)),
        }

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        logits = view("student", batch[inputs], train=False)
        log_q = teacher(view, batch, logits)
        return {
            "student_accuracy": jnp.argmax(logits, axis=-1) == batch["label"],
            "teacher_accuracy": jnp.argmax(log_q, axis=-1) == batch["label"],
        }

    learned = () if confidences.optimizer is None else (Phase(("confidences",), confidence_loss),)
    return Method(
        name="rule distillation",
        nets={"student": student, "confidences": confidences},
        phases=(Phase(("student",), student_loss), *learned),
        init=init,
        sample=no_samples,
        evaluate=evaluate,
    )


def _mean(values: Array, where: Array) -> Array:
    """The mean of those, 0 if there are none."""
    return jnp.sum(jnp.where(where, values, 0.0)) / jnp.maximum(jnp.sum(where), 1)
