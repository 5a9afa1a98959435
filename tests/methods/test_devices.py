"""Every method of the table on one and four devices, some on eight too: five steps in float64 are the same."""

import os
import subprocess
import sys

import jax
import methods_table as table
import numpy as np
import pytest

TOGETHER = 12  # rows in a process, which takes seconds to start
ON_EIGHT = {row for rows in table.ALGORITHMS.values() for row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(table.TABLE), TOGETHER))
def test_one_and_more_devices_agree_in_double_precision(first):
    """To 1e-9 of the largest number of each array, over five steps, in a process of eight devices."""
    names = list(table.TABLE)[first : first + TOGETHER]
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "8", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, __file__, *names], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def compare(name):
    counts = (1, 4, 8) if name in ON_EIGHT else (1, 4)
    one, *others = (table.steps(table.trainer(name, devices), 5)[0] for devices in counts)
    for state in others:
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(state), strict=True):
            if np.issubdtype(np.asarray(a).dtype, np.floating):
                atol = 1e-9 * max(np.abs(a).max(initial=0), 1e-3)
                np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=name)
            else:
                np.testing.assert_array_equal(a, b, err_msg=name)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        compare(name)
