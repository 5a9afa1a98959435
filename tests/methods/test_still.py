"""Power iterations stand still in networks that a phase does not train: what they move would be thrown away."""

import jax
import jax.numpy as jnp
import methods_table as table
import numpy as np
import pytest

from jaxgen.core import View, view_of
from jaxgen.data.source import Dataset
from jaxgen.training.step import init_state


def some(source):
    """A batch of 16 examples, of every stream if there are."""
    if hasattr(source, "sources"):
        return {name: some(each) for name, each in source.sources.items()}
    return jax.tree.map(jnp.asarray, source[np.arange(16)])


@pytest.mark.quick("gan", "infogan", "bigan", "pix2pix", "vae-gan", "cyclegan", "pixelda", "dvdgan", "stylegan2")
@pytest.mark.parametrize("name", table.TABLE)
def test_what_a_phase_does_not_train_is_applied_with_its_power_iterations_held(name, monkeypatch):
    train, applied = View.train, []

    def watched(view, net, *inputs, hold=(), **settings):
        applied.append((net, tuple(hold)))
        return train(view, net, *inputs, hold=hold, **settings)

    monkeypatch.setattr(View, "train", watched)
    row = table.TABLE[name]
    method, data = row.build(), row.data()
    batch = some((data if isinstance(data, Dataset) else table.dataset(data)).train)
    moving = []

    def losses(key):
        view = view_of(method, init_state(method, key, batch))
        for phase in method.phases:
            applied.clear()
            _, aux = phase.loss(phase.counted(view, batch), batch, key)
            counted = set(aux.variables).difference(*(each.trains for each in method.phases))  # as codebooks are
            own = {net.rpartition(".")[2] for net in (*phase.trains, *counted)}  # of methods side by side, too
            others = sorted({net for net, hold in applied if net not in own and "spectral" not in hold})
            if phase.trains:  # the others look at networks as those will that train them
                moving.append((phase.name, others))

    jax.eval_shape(losses, table.KEY)
    assert moving == [(phase.name, []) for phase in method.phases if phase.trains]
