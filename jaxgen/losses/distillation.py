"""Distillation: a student learns what a teacher of rules says. In nats.

Hu et al. 2016, "Harnessing Deep Neural Networks with Logic Rules", builds the teacher q* from the student p itself, in
closed form: the distribution nearest to p that keeps the rules (`rule_posterior`). The student then imitates it beside
the labels (`imitation`), the more the longer it has learned (`imitation_schedule`).

Confidences can be learned: `rule_posterior` is differentiable, and `-log q*(label)` falls with the confidence of a rule
that the labels contradict (Hu et al. 2016b, "Deep Neural Networks with Massive Learned Knowledge").
"""

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32, times


def rule_posterior(
    logits: ArrayLike,
    rule_values: ArrayLike,
    confidences: ArrayLike,
    strength: ArrayLike,
    *,
    mask: ArrayLike = True,
) -> jax.Array:
    """The teacher, `log q*(y|x) = log p(y|x) - sum_l C lambda_l (1 - r_l(x, y)) - log Z`: Hu et al. 2016, eq. 4.

    q* minimises `KL(q || p) + C sum_l xi_l` where every slack xi_l is at least `lambda_l (1 - E_q[r_l])`: eq. 3.
    Infinite confidences are the limit of equal ones that grow: rules that together forbid every class that p allows
    leave those classes that break them least.

    Args:
      logits: the student's, `[batch, classes]`; -inf masks a class.
      rule_values: truth of each rule were the class the right one, from 0 to 1, `[batch, classes, rules]`.
      confidences: lambda, `[rules]`, not negative; infinite ones forbid what the rule forbids.
      strength: C, nats.
      mask: where a rule applies, broadcast against `rule_values`; an absent grounding says nothing.

    Returns:
      Log-probabilities `[batch, classes]`.

    Raises:
      UserError: logits and rule_values have different batches or classes.
    """
    logits, rule_values, confidences, strength = at_least_float32(logits, rule_values, confidences, strength)
    if logits.shape != rule_values.shape[:-1]:
        raise UserError(
            f"rule_values has shape {rule_values.shape} for logits of shape {logits.shape}; "
            "give it the logits' axes and one more, of the rules."
        )
    broken, price = jnp.where(mask, 1 - rule_values, 0.0), times(strength, confidences)
    absolute, log_p = jnp.isinf(price), log_softmax(logits)
    violated = jnp.where(log_p > -jnp.inf, jnp.sum(jnp.where(absolute, broken, 0.0), axis=-1), jnp.inf)
    cost = jnp.sum(jnp.where(absolute, 0.0, price) * broken, axis=-1)
    allowed = violated <= jnp.min(violated, axis=-1, keepdims=True)
    return log_softmax(jnp.where(allowed, log_p - cost, -jnp.inf))


def imitation(logits: ArrayLike, labels: ArrayLike, soft_targets: ArrayLike, pi: ArrayLike) -> jax.Array:
    """`(1 - pi) H(label, p) + pi H(q, p)`, the two cross-entropies: Hu et al. 2016, eq. 2.

    Args:
      logits: the student's, `[batch, classes]`, or of every position of a sequence, `[batch, length, classes]`; -inf
        masks a class, and costs nothing where neither label nor teacher wants it.
      labels: the right classes, integers `[batch]` or `[batch, length]`.
      soft_targets: the teacher's probabilities q, of the logits' shape; no gradient passes through them.
      pi: weight of the teacher, from 0 to 1, `[]` or of the labels' shape: 1 for an example without a label.

    Returns:
      One number a label.
    """
    logits, soft_targets, pi = at_least_float32(logits, soft_targets, pi)
    log_p = log_softmax(logits)
    of_label = jnp.take_along_axis(log_p, jnp.asarray(labels)[..., None], axis=-1)[..., 0]
    of_teacher = jnp.sum(times(stop_gradient(soft_targets), log_p), axis=-1)
    return -times(1 - pi, of_label) - times(pi, of_teacher)


def imitation_schedule(step: ArrayLike, pi_0: ArrayLike, alpha: ArrayLike) -> jax.Array:
    """`min(pi_0, 1 - alpha^t)`, from 0 at step 0 up to pi_0: Hu et al. 2016, section 3.4.

    Args:
      step: t, not negative.
      pi_0: the most the teacher ever weighs, from 0 to 1.
      alpha: from 0 to 1; the nearer to 1, the later the teacher is heard.
    """
    return jnp.minimum(pi_0, 1 - jnp.power(jnp.asarray(alpha, jnp.float32), step))
