"""Processes that wait for one another: who is missing is said, and nobody waits in silence or for ever (FAULTS 17)."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys

import pytest

from jaxgen.errors import UserError
from jaxgen.training import distributed, rendezvous


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(rendezvous, "_SILENCE", 0.3)
    monkeypatch.setattr(rendezvous, "_TICK", 0.02)


def together(port, *processes, timeout=1.0):
    """What becomes of processes `(count, index)`: nothing or a sentence each, and what each said while it waited."""
    said = [[] for _ in processes]

    def one(number, count, index):
        try:
            rendezvous.meet("127.0.0.1", port, count, index, timeout=timeout, say=said[number].append)
        except UserError as error:
            return str(error)
        return None

    with concurrent.futures.ThreadPoolExecutor(len(processes)) as pool:
        ends = [pool.submit(one, number, *process) for number, process in enumerate(processes)]
        return [end.result(timeout=30) for end in ends], said


def test_all_go_on_when_the_last_has_come_and_the_port_is_free_again(port):
    ends, said = together(port, (3, 2), (3, 0), (3, 1))
    assert ends == [None] * 3
    assert said == [[], [], []]
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_who_is_missing_is_said_and_waited_for_a_stated_time(port):
    ends, said = together(port, (4, 0), (4, 2))
    assert said == [["waiting for process 1, 3 of 4, for 1 s at most."]] * 2
    assert ends == ["process 1, 3 of 4 did not come within 1 s; start it, or raise join_timeout."] * 2


def test_the_first_is_waited_for_too(port):
    ends, said = together(port, (2, 1))
    assert said == [[f"waiting for process 0 at 127.0.0.1:{port}, for 1 s at most."]]
    assert ends[0].startswith(f"coordinator 127.0.0.1:{port} cannot be reached within 1 s; start process 0 there")


@pytest.mark.parametrize(
    ("processes", "message"),
    [
        ([(3, 0), (3, 1), (3, 1)], "process_id 1 is given to two processes; number 3 of them from 0."),
        ([(2, 0), (3, 1)], "num_processes is 2 for process 0 and 3 for 1; give all the same."),
        ([(2, 0), (3, 2)], "num_processes is 2 for process 0 and 3 for 2; give all the same."),
    ],
)
def test_processes_that_do_not_fit_together_are_one_sentence_on_each(port, processes, message):
    assert together(port, *processes)[0] == [message] * len(processes)


def test_a_port_in_use_is_not_blamed_on_process_0(port):
    with socket.create_server(("127.0.0.1", port)):
        ends, _ = together(port, (2, 0))
    assert ends == [
        f"coordinator 127.0.0.1:{port} is in use by another program, or another process 0; choose another port."
    ]


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 14, b"jaxgen\0\0", b"nobody\0\0\0\2\0\0\0\1"], ids=repr
)
def test_strangers_are_nobody(port, sent):
    def knock():
        for _ in range(50):
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=0.2) as other:
                    other.sendall(sent)
                    return
            except OSError:
                pass

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        knocked = pool.submit(knock)
        assert together(port, (2, 0), (2, 1), timeout=5)[0] == [None, None]
        knocked.result()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_heard_while_waiting(port, number):
    code = f"""
import signal
from jaxgen.training import distributed, rendezvous
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job ignores
rendezvous._SILENCE = 0.1
rendezvous.meet("127.0.0.1", {port}, 2, 0, timeout=100, say=lambda sentence: print(sentence, flush=True))
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as alone:
        assert alone.stdout is not None
        assert alone.stdout.readline() == "waiting for process 1 of 2, for 100 s at most.\n"
        alone.send_signal(number)
        assert alone.wait(timeout=20) in (-number, 1)


def cluster(kind, port, index):
    """The environment of process `index` of two, as a cluster makes it."""
    slurm = {"JOB_ID": port, "STEP_NODELIST": "127.0.0.1", "NTASKS": 2, "PROCID": index, "LOCALID": index}
    ompi = {"WORLD_SIZE": 2, "WORLD_RANK": index, "WORLD_LOCAL_RANK": index}
    own = {
        "slurm": {f"SLURM_{name}": value for name, value in slurm.items()},
        "ompi": {"OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://127.0.0.1:59577"}
        | {f"OMPI_COMM_{name}": value for name, value in ompi.items()},
    }
    return {name: str(value) for name, value in (own[kind] | {"JAX_COORDINATOR_PORT": port}).items()}


@pytest.mark.parametrize("kind", ["slurm", "ompi"])
def test_who_is_missing_of_a_cluster_that_is_found_is_said_too(kind, port, monkeypatch, capsys):
    for name, value in cluster(kind, port, 0).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="process 1 of 2 did not come within 1 s; start it, or raise join_timeout"):
        distributed.join(None, None, None, detect=True, timeout=1)
    assert "waiting for process 1 of 2, for 1 s at most." in capsys.readouterr().err
    distributed.join(None, None, None, detect=False)  # trains alone


@pytest.mark.slow
def test_a_cluster_that_is_found_trains_together(port):
    code = "import jax; from jaxgen.training import distributed as d; d.join(None, None, None, detect=True); "
    code += "print(jax.process_index(), jax.process_count(), jax.device_count())"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **cluster("slurm", port, index), "XLA_FLAGS": ""},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    assert [process.communicate(timeout=120)[0].split() for process in processes] == [["0", "2", "2"], ["1", "2", "2"]]
