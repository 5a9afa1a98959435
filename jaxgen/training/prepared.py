"""A method on data that are made in the compiled step: only what they are made of is sent to the devices."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from jaxgen.core import Array, Aux, Batch, Evidence, Latents, Method, Module, Phase, View

Make = Callable[[Any], Any]  # what is sent, leaves [batch, ...] -> the batch a loss sees


def prepared(method: Method, make: Make | None) -> Method:
    """The method, with `make` between the data and all of its functions of a batch; itself where there is none."""
    if make is None:
        return method

    def phase_of(phase: Phase) -> Phase:
        def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
            return phase.loss(view, make(batch), key)

        counts = phase.counts
        return dataclasses.replace(phase, loss=loss, counts=counts and (lambda batch: counts(make(batch))))

    def latents_of(latents: Latents) -> Latents:
        def prior(key: Array, count: int, batch: Batch | None) -> Any:
            return latents.prior(key, count, batch if batch is None else make(batch))

        encode, shown = latents.encode, latents.shown
        return dataclasses.replace(
            latents,
            prior=prior,
            encode=encode and (lambda view, batch: encode(view, make(batch))),
            shown=shown and (lambda batch: shown(make(batch))),
        )

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return method.init(modules, key, make(batch))

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return method.evaluate(view, make(batch), key)

    def evidence_of(evidence: Evidence) -> Evidence:
        means, gaussian, log_joint = evidence.means, evidence.gaussian, evidence.log_joint
        return dataclasses.replace(
            evidence,
            log_weight=lambda view, batch, key: evidence.log_weight(view, make(batch), key),
            means=means and (lambda view, batch: means(view, make(batch))),
            gaussian=gaussian and (lambda view, batch: gaussian(view, make(batch))),
            log_joint=log_joint and (lambda view, batch, z: log_joint(view, make(batch), z)),
        )

    memory, watch, log_prob = method.memory, method.watch, method.log_prob
    return dataclasses.replace(
        method,
        phases=tuple(map(phase_of, method.phases)),
        init=init,
        evaluate=evaluate,
        latents=method.latents and latents_of(method.latents),
        log_prob=log_prob and (lambda view, batch, key: log_prob(view, make(batch), key)),
        evidence=method.evidence and evidence_of(method.evidence),
        memory=memory and (lambda key, batch: memory(key, make(batch))),
        watch=watch
        and dataclasses.replace(watch, compute=lambda view, batch, key: watch.compute(view, make(batch), key)),
    )
