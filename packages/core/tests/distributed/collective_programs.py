"""Programs for several ranks: each collective against NumPy on what all ranks have."""

import os
import sys

import facula
import numpy as np
from facula import distributed as dist
from facula.distributed import ReduceOp


def numbers(rank: int, dtype: str = "float32", count: int = 6) -> np.ndarray:
    """What a rank has: any rank can work out what the others have."""
    return np.random.default_rng(rank).integers(1, 7, count).astype(dtype)


def everything(size: int, dtype: str = "float32", count: int = 6) -> np.ndarray:
    return np.stack([numbers(rank, dtype, count) for rank in range(size)])


def tensor(rank: int, dtype: str = "float32", count: int = 6) -> facula.Tensor:
    return facula.from_numpy(numbers(rank, dtype, count))


def check(found: facula.Tensor, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.double().numpy(), np.asarray(expected, float), rtol=1e-6)


def reductions(rank: int, size: int) -> None:
    combined = {
        ReduceOp.SUM: lambda x: x.sum(0),
        ReduceOp.PRODUCT: lambda x: x.prod(0),
        ReduceOp.MIN: lambda x: x.min(0),
        ReduceOp.MAX: lambda x: x.max(0),
        ReduceOp.BAND: np.bitwise_and.reduce,
        ReduceOp.BOR: np.bitwise_or.reduce,
        ReduceOp.BXOR: np.bitwise_xor.reduce,
    }
    for dtype in ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"):
        for op, combine in combined.items():
            if dtype.startswith("float") and "B" in op.name[:1]:
                continue
            x = tensor(rank, dtype)
            dist.all_reduce(x, op)
            check(x, combine(everything(size, dtype)).astype(dtype))
            assert x.numpy().dtype == dtype
    for dtype in (facula.bfloat16, facula.float16, facula.float32, facula.float64):
        x = tensor(rank).to(dtype)
        dist.all_reduce(x, ReduceOp.AVG)
        assert x.dtype is dtype
        np.testing.assert_allclose(x.double().numpy(), everything(size).mean(0), rtol=1e-2)
    x = facula.complex(tensor(rank), tensor(rank))
    dist.all_reduce(x, ReduceOp.AVG)
    np.testing.assert_allclose(x.numpy(), everything(size).mean(0) * (1 + 1j), rtol=1e-6)
    x = tensor(rank)
    dist.all_reduce(x, dist._make_nccl_premul_sum(0.5))
    check(x, everything(size).sum(0) * 0.5)
    flags = facula.tensor([rank == 0, True, False])
    anyone, everyone = flags.clone(), flags.clone()
    dist.all_reduce(anyone)
    dist.all_reduce(everyone, ReduceOp.MIN)
    assert anyone.tolist() == [True, True, False]
    assert everyone.tolist() == [size == 1, True, False]


def shapes_and_views(rank: int, size: int) -> None:
    whole = facula.zeros(4, 6)
    part = whole[1:3, ::2]
    part += rank + 1
    version = whole._version
    dist.all_reduce(part)
    total = sum(range(1, size + 1))
    expected = np.zeros((4, 6))
    expected[1:3, ::2] = total
    check(whole, expected)
    assert whole._version > version
    alone = facula.tensor(float(rank))
    dist.all_reduce(alone)
    assert alone.item() == sum(range(size))
    dist.all_reduce(facula.zeros(0, 3))
    parameter = facula.ones(2, requires_grad=True)
    dist.broadcast(parameter.detach(), 0)


def from_one_and_to_one(rank: int, size: int) -> None:
    last = size - 1
    x = tensor(rank)
    dist.broadcast(x, last)
    check(x, numbers(last))
    x = tensor(rank, "float16")
    dist.broadcast(x, src=0)
    check(x, numbers(0))
    x = tensor(rank)
    dist.reduce(x, last)
    if rank == last:
        check(x, everything(size).sum(0))
    places = [facula.zeros(6) for _ in range(size)] if rank == 0 else None
    dist.gather(tensor(rank), places, dst=0)
    if places is not None:
        check(facula.stack(places), everything(size))
    x = facula.zeros(3)
    parts = [facula.full((3,), float(at * 10)) for at in range(size)] if rank == last else None
    dist.scatter(x, parts, src=last)
    check(x, np.full(3, rank * 10))


def everybody_to_everybody(rank: int, size: int) -> None:
    places = [facula.zeros(6) for _ in range(size)]
    dist.all_gather(places, tensor(rank))
    check(facula.stack(places), everything(size))
    uneven = [facula.zeros(at + 1, 2) for at in range(size)]
    dist.all_gather(uneven, facula.full((rank + 1, 2), float(rank)))
    for at, each in enumerate(uneven):
        check(each, np.full((at + 1, 2), at))
    stacked, behind = facula.zeros(size, 6), facula.zeros(size * 6)
    dist.all_gather_into_tensor(stacked, tensor(rank))
    dist.all_gather_into_tensor(behind, tensor(rank))
    check(stacked, everything(size))
    check(behind, everything(size).reshape(-1))
    whole = everything(size, count=2 * size)
    part = facula.zeros(2)
    dist.reduce_scatter_tensor(part, tensor(rank, count=2 * size))
    check(part, whole.sum(0)[2 * rank : 2 * rank + 2])
    dist.reduce_scatter_tensor(part, tensor(rank, count=2 * size), ReduceOp.AVG)
    check(part, whole.mean(0)[2 * rank : 2 * rank + 2])
    uneven = [facula.full((at + 1,), float(rank)) for at in range(size)]
    part = facula.zeros(rank + 1)
    dist.reduce_scatter(part, uneven, ReduceOp.MAX)
    check(part, np.full(rank + 1, size - 1))
    places = [facula.zeros(to + rank + 1) for to in range(size)]
    dist.all_to_all(places, [facula.full((to + rank + 1,), 10.0 * rank + to) for to in range(size)])
    for source, each in enumerate(places):
        check(each, np.full(source + rank + 1, 10 * source + rank))
    swapped = facula.zeros(size)
    dist.all_to_all_single(swapped, facula.arange(float(size)) + 10 * rank)
    check(swapped, [10 * source + rank for source in range(size)])
    sizes = [at + 1 for at in range(size)]
    swapped = facula.zeros(size * (rank + 1))
    dist.all_to_all_single(swapped, facula.full((sum(sizes),), float(rank)), [rank + 1] * size, sizes)
    check(swapped, np.repeat(np.arange(size), rank + 1))


def messages(rank: int, size: int) -> None:
    right, left = (rank + 1) % size, (rank - 1) % size
    arriving = facula.zeros(6)
    works = dist.batch_isend_irecv(
        [dist.P2POp(dist.isend, tensor(rank), right), dist.P2POp(dist.irecv, arriving, left)]
    )
    for work in works:
        assert work.wait()
    check(arriving, numbers(left))
    if rank == 0:
        sources = set()
        for _ in range(size - 1):
            x = facula.zeros(1)
            source = dist.recv(x)
            assert x.item() == source
            sources.add(source)
        assert sources == set(range(1, size))
        dist.send_object_list([{"name": "x"}, 3], 1)
    else:
        dist.send(facula.tensor([float(rank)]), 0)
    if rank == 1:
        objects = [None, None]
        assert dist.recv_object_list(objects, 0) == 0
        assert objects == [{"name": "x"}, 3]


def later(rank: int, size: int) -> None:
    tensors = [tensor(rank, count=count) for count in (1, 5, 100_000)]
    works = [dist.all_reduce(each, async_op=True) for each in tensors]
    for work, x, count in zip(works, tensors, (1, 5, 100_000)):
        assert work.wait() and work.is_completed() and work.is_success()
        check(x, everything(size, count=count).sum(0))
    x = tensor(rank)
    future = dist.all_reduce(x, async_op=True).get_future()
    check(future.wait()[0], everything(size).sum(0))


def objects(rank: int, size: int) -> None:
    found = [None] * size
    dist.all_gather_object(found, {"rank": rank, "more": "x" * rank})
    assert found == [{"rank": at, "more": "x" * at} for at in range(size)]
    found = [None] * size if rank == 1 else None
    dist.gather_object([rank] * rank, found, dst=1)
    if found is not None:
        assert found == [[at] * at for at in range(size)]
    shared = ["a", {"b": 1}] if rank == 0 else [None, None]
    dist.broadcast_object_list(shared, src=0)
    assert shared == ["a", {"b": 1}]
    own = [None]
    dist.scatter_object_list(own, [f"for {at}" for at in range(size)] if rank == 0 else None, src=0)
    assert own == [f"for {rank}"]


def groups(rank: int, size: int) -> None:
    some = [at for at in range(size) if at % 2 == 0]
    group = dist.new_group(some)
    assert dist.get_world_size(group) == (len(some) if rank in some else -1)
    x = tensor(rank)
    dist.all_reduce(x, group=group)
    if rank in some:
        assert dist.get_process_group_ranks(group) == some
        assert dist.get_global_rank(group, dist.get_rank(group)) == rank
        check(x, everything(size)[some].sum(0))
        y = tensor(rank)
        dist.broadcast(y, src=some[-1], group=group)
        check(y, numbers(some[-1]))
        z = tensor(rank)
        dist.broadcast(z, group=group, group_src=0)
        check(z, numbers(0))
    else:
        check(x, numbers(rank))
    own, both = dist.new_subgroups(2)
    x = tensor(rank)
    dist.all_reduce(x, group=own)
    first = rank // 2 * 2
    check(x, everything(size)[first : first + 2].sum(0))
    assert len(both) == size // 2


def forking(rank: int, size: int) -> None:
    """A child takes nothing from its parent's connections when it ends."""
    if dist.get_backend() == "mpi":
        return  # MPI does not say what a fork does
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    x = tensor(rank)
    dist.all_reduce(x)
    check(x, everything(size).sum(0))


def refusals(rank: int, size: int) -> None:
    def refused(kind: type, call, *arguments, **more) -> None:
        try:
            call(*arguments, **more)
        except kind:
            return
        raise AssertionError(f"{call.__name__}{arguments} was not refused")

    x = facula.zeros(2)
    refused(ValueError, dist.init_process_group)
    refused(ValueError, dist.all_reduce, facula.zeros(2, dtype=facula.int64), ReduceOp.AVG)
    refused(ValueError, dist.all_reduce, x, ReduceOp.BAND)
    refused(ValueError, dist.all_reduce, facula.zeros(2, dtype=facula.complex64), ReduceOp.MAX)
    refused(TypeError, dist.all_reduce, [1.0])
    refused(TypeError, dist.all_reduce, x, "sum")
    refused(TypeError, dist.all_reduce, x, group="all")
    refused(ValueError, dist.all_gather, [facula.zeros(2)] * (size + 1), x)
    refused(ValueError, dist.all_gather, [facula.zeros(3)] * size, x)
    refused(ValueError, dist.all_gather_into_tensor, facula.zeros(2 * size + 1), x)
    refused(ValueError, dist.broadcast, x)
    refused(ValueError, dist.broadcast, x, size)
    refused(ValueError, dist.send, x, rank)
    refused(ValueError, dist.new_group, [0, size])
    refused(ValueError, dist.gather, x, [x] * size if rank else None, dst=0)


def main() -> None:
    dist.init_process_group(sys.argv[1] if len(sys.argv) > 1 else None)
    rank, size = dist.get_rank(), dist.get_world_size()
    assert dist.get_backend() == ("gloo" if "MASTER_ADDR" in os.environ else "mpi") and dist.is_initialized()
    for program in (
        *(reductions, shapes_and_views, from_one_and_to_one, everybody_to_everybody, messages, later, objects, groups),
        forking,
        refusals,
    ):
        program(rank, size)
        dist.barrier()
    dist.destroy_process_group()
    assert not dist.is_initialized()
    dist.init_process_group()
    dist.barrier()


if __name__ == "__main__":
    main()
