"""NCCL on the GPUs of this machine, one rank for each; and what can be known of it without."""

import subprocess
import sys

import pytest
from facula import distributed as dist
from facula.distributed.backends import nccl

PROGRAM = """
import os, sys
import facula
import facula.distributed as dist
from facula.distributed import ReduceOp
rank, size, port = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
dist.init_process_group("nccl", f"tcp://127.0.0.1:{port}", world_size=size, rank=rank, device_id=rank)
assert dist.get_backend() == "nccl"
def tensor(rank, count=4): return facula.arange(float(count), device="cuda") + rank
total = sum(range(size))
x = tensor(rank); dist.all_reduce(x)
assert x.tolist() == [size * at + total for at in range(4)]
x = tensor(rank); dist.all_reduce(x, ReduceOp.AVG)
assert x.tolist() == [at + total / size for at in range(4)]
x = tensor(rank); dist.broadcast(x, size - 1)
assert x.tolist() == tensor(size - 1).tolist()
x = facula.zeros(size, 4, device="cuda"); dist.all_gather_into_tensor(x, tensor(rank))
assert x.tolist() == [tensor(other).tolist() for other in range(size)]
x = facula.zeros(2, device="cuda"); dist.reduce_scatter_tensor(x, tensor(rank, 2 * size))
assert x.tolist() == [size * at + total for at in (2 * rank, 2 * rank + 1)]
places = [facula.zeros(1, device="cuda") for _ in range(size)]
dist.all_to_all(places, [facula.full((1,), 10.0 * rank + to, device="cuda") for to in range(size)])
assert [each.item() for each in places] == [10 * other + rank for other in range(size)]
places = [facula.zeros(4, device="cuda") for _ in range(size)] if rank == 0 else None
dist.gather(tensor(rank), places, dst=0)
objects = [None] * size
dist.all_gather_object(objects, {"rank": rank})
assert objects == [{"rank": other} for other in range(size)]
facula.manual_seed(rank)
model = facula.nn.parallel.DistributedDataParallel(facula.nn.Linear(4, 2).cuda())
model(tensor(rank)[None]).sum().backward()
expected = [at + total / size for at in range(4)]
assert model.module.weight.grad.tolist() == [expected, expected]
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.gpu
def test_collectives_on_all_gpus() -> None:
    import facula
    from facula.distributed.initialization import find_free_port

    size, port = facula.cuda.device_count(), find_free_port()
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(rank), str(size), str(port)], stderr=subprocess.PIPE, text=True
        )
        for rank in range(size)
    ]
    errors = [each.communicate(timeout=300)[1] for each in ranks]
    assert [each.returncode for each in ranks] == [0] * size, "\n".join(errors)


def test_the_unique_id_goes_through_bytes_in_both_of_cupys_forms() -> None:
    numbers = tuple(range(-128, 0))
    assert nccl._from_bytes(nccl._to_bytes(numbers)) == numbers
    assert nccl._from_bytes(nccl._to_bytes(b"some\xff")) == b"some\xff"


def test_without_a_rank_it_is_said_what_is_missing(monkeypatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="environment variable RANK expected, but not set"):
        dist.init_process_group("nccl")
