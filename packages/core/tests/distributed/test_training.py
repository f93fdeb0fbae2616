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


def test_numbers_that_contradict_the_launcher_are_refused(ranks, tmp_path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import facula.distributed as dist; dist.init_process_group()")
    told = {**os.environ, "RANK": "0", "WORLD_SIZE": "2"}
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, env=told)
    assert ended.returncode == 1
    assert "the environment says that there are 2 processes, but MPI joins 1" in ended.stderr
