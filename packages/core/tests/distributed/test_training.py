"""DistributedDataParallel and SyncBatchNorm on 2 and 4 ranks, and the launcher."""

import os
import subprocess
import sys
from pathlib import Path

import facula
import pytest
from facula import nn


@pytest.mark.parametrize("count", [2, 4])
def test_several_ranks_train_as_one_with_the_whole_batch(ranks, count) -> None:
    ranks("training_programs.py", count)


def test_without_a_group_sync_batch_norm_is_batch_norm() -> None:
    facula.manual_seed(0)
    x = facula.randn(6, 3, 2)
    assert nn.SyncBatchNorm(3)(x).tolist() == nn.BatchNorm1d(3)(x).tolist()


def test_without_a_group_data_parallel_says_what_to_call() -> None:
    with pytest.raises(ValueError, match="make sure to call init_process_group"):
        nn.parallel.DistributedDataParallel(nn.Linear(2, 2))
    with pytest.raises(RuntimeError, match="init_process_group"):
        facula.utils.data.DistributedSampler(range(3))


PROGRAM = """
import os, pickle, sys
import facula.distributed as dist
class Here: pass
dist.init_process_group(world_size=int(os.environ["WORLD_SIZE"]), rank=int(os.environ["RANK"]))
pickle.dumps(Here())
assert __name__ == "__main__" and sys.argv[1:] == ["--flag", "value"]
assert dist.is_torchelastic_launched() and dist.get_node_local_rank() == int(os.environ["LOCAL_RANK"])
found = [None] * dist.get_world_size()
dist.all_gather_object(found, [os.environ["RANK"], os.environ["LOCAL_RANK"], os.environ["LOCAL_WORLD_SIZE"]])
if dist.get_rank() == 0: print(found, flush=True)
if len(sys.argv) > 3: raise SystemExit(7)
"""


def launch(folder: Path, *arguments: str, program: str = PROGRAM) -> subprocess.CompletedProcess:
    script = folder / "launched_program.py"
    script.write_text(program)
    command = [sys.executable, "-m", "facula.distributed.run", "--nproc-per-node", "2", *arguments]
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": path}, cwd=folder
    )


@pytest.mark.parametrize("how", [["launched_program.py"], ["-m", "launched_program"]])
def test_the_launcher_starts_ranks_as_torchrun_does(ranks, tmp_path, how) -> None:
    ended = launch(tmp_path, *how, "--flag", "value")
    assert ended.returncode == 0, ended.stderr
    assert "[['0', '0', '2'], ['1', '1', '2']]" in ended.stdout


def test_the_launcher_ends_all_ranks_when_one_fails_before_they_have_met(ranks, tmp_path) -> None:
    program = "import os, sys\nif os.environ['RANK'] == '1': sys.exit(5)\n" + PROGRAM
    ended = launch(tmp_path, "launched_program.py", "--flag", "value", program=program)
    assert ended.returncode == 5
    assert "rank 1 failed with code 5: all processes are ended" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("met", [True, False])
def test_the_launcher_ends_ranks_that_sleep_and_do_not_use_its_engine(ranks, tmp_path, met) -> None:
    meeting = "import facula.distributed as dist; dist.init_process_group('gloo')\n" if met else ""
    program = (
        f"import os, sys, time\n{meeting}"
        "if os.environ['RANK'] == '1': raise ZeroDivisionError('on purpose')\n"
        "time.sleep(50)\n"
    )
    ended = launch(tmp_path, "launched_program.py", program=program)
    assert ended.returncode != 0 and "ZeroDivisionError: on purpose" in ended.stderr


def test_without_mpi_it_is_started_on_each_machine(tmp_path) -> None:
    from facula.distributed.initialization import find_free_port

    (tmp_path / "program.py").write_text(
        "import os, facula, facula.distributed as dist\n"
        "dist.init_process_group()\n"
        "x = facula.tensor([float(os.environ['RANK'])])\n"
        "dist.all_reduce(x)\n"
        "print(dist.get_backend(), x.item(), *map(os.environ.get, ('RANK', 'LOCAL_RANK', 'GROUP_RANK')), flush=True)\n"
    )
    shared = ["--nproc-per-node=2", "--nnodes=2", "--master-addr=127.0.0.1", f"--master-port={find_free_port()}"]
    machines = [
        subprocess.Popen(
            [sys.executable, "-m", "facula.distributed.run", *shared, f"--node-rank={number}", "program.py"],
            stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        )
        for number in range(2)
    ]  # fmt: skip
    printed = [each.communicate(timeout=120)[0] for each in machines]
    assert [each.returncode for each in machines] == [0, 0]
    assert sorted(printed[0].splitlines()) == ["gloo 6.0 0 0 0", "gloo 6.0 1 1 0"]
    assert sorted(printed[1].splitlines()) == ["gloo 6.0 2 0 1", "gloo 6.0 3 1 1"]


def test_numbers_and_the_place_to_meet_may_be_arguments(tmp_path) -> None:
    from facula.distributed.initialization import find_free_port

    program = (
        "import sys, facula, facula.distributed as dist\n"
        "dist.init_process_group(init_method=sys.argv[1], rank=int(sys.argv[2]), world_size=2)\n"
        "x = facula.ones(2)\n"
        "dist.all_reduce(x)\n"
        "assert x.tolist() == [2.0, 2.0] and dist.get_backend() == 'gloo'\n"
    )
    place = f"tcp://127.0.0.1:{find_free_port()}"
    ranks = [subprocess.Popen([sys.executable, "-c", program, place, rank]) for rank in "01"]
    assert [each.wait(60) for each in ranks] == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nnodes=2"], "name the machines with --hosts"),
        (["--nnodes=1:3"], "stays the same"),
        (["--node-rank=1"], "from 0 to 0"),
        (["--node-rank=0", "--hosts=a"], "for starting them on each"),
        (["--node-rank=0", "--nnodes=2"], "--master-addr"),
    ],
)
def test_arguments_that_do_not_fit_are_named(tmp_path, arguments, said) -> None:
    ended = launch(tmp_path, *arguments, "launched_program.py")
    assert ended.returncode == 2 and said in ended.stderr


def test_a_rank_that_does_not_end_when_it_is_asked_is_killed(tmp_path, monkeypatch) -> None:
    from facula.distributed import agent

    monkeypatch.setattr(agent, "_GRACE", 0.3)
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        for program in (stubborn, "import sys; sys.exit(6)")
    ]
    processes[0].stdout.readline()
    assert agent.wait(processes) == 6 and processes[0].returncode == -9
    processes[0].stdout.close()
    processes[1].stdout.close()


def test_numbers_that_contradict_the_launcher_are_refused(ranks, tmp_path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import facula.distributed as dist; dist.init_process_group()")
    told = {**os.environ, "RANK": "0", "WORLD_SIZE": "2"}
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, env=told)
    assert ended.returncode == 1
    assert "the environment says that there are 2 processes, but MPI joins 1" in ended.stderr
