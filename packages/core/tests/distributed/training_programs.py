"""Programs for several ranks: gradients and statistics of all ranks against those of one rank with the whole batch."""

import copy
import sys

import facula
import numpy as np
from facula import distributed as dist
from facula import nn
from facula.nn.parallel import DistributedDataParallel
from facula.utils.data import DistributedSampler


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 7), nn.Tanh(), nn.Linear(7, 3))
        self.shared = nn.Linear(3, 3)
        self.register_buffer("shift", facula.zeros(3))
        self.unused = nn.Linear(2, 2)
        self.unused.requires_grad_(False)

    def forward(self, x):
        return self.shared(self.shared(self.layers(x))) + self.shift


class Branches(nn.Module):
    """Each rank, and each step, takes another branch; one is never taken."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Linear(5, 3) for _ in range(3))
        self.end = nn.Linear(3, 3)

    def forward(self, x, branch):
        return {"out": [self.end(self.branches[branch](x))]}


def data(count: int) -> tuple[facula.Tensor, facula.Tensor]:
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((count, 5)), generator.standard_normal((count, 3))
    return facula.from_numpy(x), facula.from_numpy(y)


def close(found, expected, message: str = "") -> None:
    np.testing.assert_allclose(
        found.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-12, err_msg=message
    )


def training(rank: int, size: int) -> None:
    """Several steps, with all kinds of buckets, equal those of one rank with the whole batch."""
    for options in (
        {},
        {"bucket_cap_mb": 1e-4},
        {"bucket_cap_mb": 1e-6, "find_unused_parameters": True},
        {"gradient_as_bucket_view": True},
        {"static_graph": True},
    ):
        facula.manual_seed(rank)  # other weights in each rank: those of the first count
        model = Net().double()
        wrapped = DistributedDataParallel(model, **options)
        alone = copy.deepcopy(model)
        assert list(wrapped.state_dict())[0] == "module.shift" and len(list(wrapped.buffers())) == 1
        x, y = data(4 * size)
        optimizers = [
            facula.optim.SGD([p for p in each.parameters() if p.requires_grad], 0.1, 0.9) for each in (wrapped, alone)
        ]
        for _ in range(4):
            for optimizer in optimizers:
                optimizer.zero_grad()
            nn.functional.mse_loss(wrapped(x[rank::size]), y[rank::size]).backward()
            nn.functional.mse_loss(alone(x), y).backward()
            for (name, own), other in zip(model.named_parameters(), alone.parameters()):
                if own.requires_grad:
                    close(own.grad, other.grad, f"{name} {options}")
            for optimizer in optimizers:
                optimizer.step()
        for own, other in zip(model.parameters(), alone.parameters()):
            close(own, other)


def accumulation(rank: int, size: int) -> None:
    """Gradients that add up without communication, and then with it."""
    facula.manual_seed(1)
    model = Net().double()
    wrapped, alone = DistributedDataParallel(model), copy.deepcopy(model)
    x, y = data(6 * size)
    whole = [slice(at * 2 * size, (at + 1) * 2 * size) for at in range(3)]
    with wrapped.no_sync():
        for part in whole[:2]:
            nn.functional.mse_loss(wrapped(x[part][rank::size]), y[part][rank::size]).backward()
    before = model.shared.weight.grad.clone()
    gathered = [facula.zeros_like(before) for _ in range(size)]
    dist.all_gather(gathered, before)
    assert not bool((gathered[0] == gathered[1]).all())
    nn.functional.mse_loss(wrapped(x[whole[2]][rank::size]), y[whole[2]][rank::size]).backward()
    for part in whole:
        nn.functional.mse_loss(alone(x[part]), y[part]).backward()
    for own, other in zip(model.parameters(), alone.parameters()):
        if own.requires_grad:
            close(own.grad, other.grad)


def unused_parameters(rank: int, size: int) -> None:
    facula.manual_seed(2)
    model = Branches().double()
    wrapped, alone = DistributedDataParallel(model, find_unused_parameters=True), copy.deepcopy(model)
    x, _ = data(size)
    for step in range(3):
        wrapped.zero_grad()
        alone.zero_grad()
        wrapped(x[rank : rank + 1], (rank + step) % 2)["out"][0].sum().backward()
        sum(alone(x[at : at + 1], (at + step) % 2)["out"][0].sum() / size for at in range(size)).backward()
        for own, other in zip(model.parameters(), alone.parameters()):
            assert (own.grad is None) == (other.grad is None)
            if own.grad is not None:
                close(own.grad, other.grad)
    # Without being told, it says which parameters had no gradient.
    plain = DistributedDataParallel(Branches().double())
    plain(x[:1], 0)["out"][0].sum().backward()
    try:
        plain(x[:1], 0)
    except RuntimeError as error:
        assert "find_unused_parameters=True" in str(error) and "branches.1.weight" in str(error)
    else:
        raise AssertionError("a pass after one that did not end was accepted")


def switched_off_and_on(rank: int, size: int) -> None:
    """Parameters that required no gradient for a while are averaged again."""
    model = nn.Linear(5, 3).double()
    wrapped = DistributedDataParallel(model, find_unused_parameters=True)
    x, _ = data(size)
    model.bias.requires_grad = False
    wrapped(x[rank : rank + 1]).sum().backward()
    model.bias.requires_grad = True
    model.zero_grad()
    (wrapped(x[rank : rank + 1]) * (rank + 1)).sum().backward()
    close(model.bias.grad, facula.full((3,), sum(range(1, size + 1)) / size, dtype=facula.float64))


def buffers(rank: int, size: int) -> None:
    model = Net().double()
    wrapped = DistributedDataParallel(model)
    model.shift.fill_(float(rank + 5))
    wrapped(facula.zeros(1, 5, dtype=facula.float64))
    assert model.shift.tolist() == [5.0] * 3
    wrapped = DistributedDataParallel(model, broadcast_buffers=False)
    model.shift.fill_(float(rank + 5))
    wrapped(facula.zeros(1, 5, dtype=facula.float64))
    assert model.shift.tolist() == [rank + 5.0] * 3


def different_models(rank: int, size: int) -> None:
    for model in (
        nn.Linear(2, 3 + rank),
        nn.Linear(2, 3, bias=rank == 0),
        nn.Linear(2, 3).to([facula.float32, facula.float64][rank % 2]),
    ):
        try:
            DistributedDataParallel(model)
        except RuntimeError as error:
            assert "DDP expects same model across all ranks" in str(error)
        else:
            raise AssertionError("different models were accepted")
    try:
        DistributedDataParallel(nn.Tanh())
    except RuntimeError as error:
        assert "not needed" in str(error)
    else:
        raise AssertionError("a model without parameters was accepted")


def communication_hooks(rank: int, size: int) -> None:
    model = nn.Linear(5, 3).double()
    wrapped = DistributedDataParallel(model)
    seen = []

    def doubled(state, bucket):
        seen.append((state, bucket.index(), bucket.is_last(), len(bucket.parameters())))
        dist.all_reduce(bucket.buffer())
        future = facula.futures.Future()
        future.set_result(bucket.buffer() * 2)
        return future

    wrapped.register_comm_hook("state", doubled)
    x, _ = data(size)
    wrapped(x[rank : rank + 1]).sum().backward()
    assert seen == [("state", 0, True, 2)]
    close(model.bias.grad, facula.full((3,), 2.0 * size, dtype=facula.float64))


def norms(rank: int, size: int) -> None:
    """Statistics and gradients of batch normalisation over all ranks equal those of one with the whole batch."""
    shares = np.cumsum([0, *(at + 1 for at in range(size))])
    if size > 2:
        shares[1] = 0  # the first rank has nothing
    for shape, momentum in (((), 0.1), ((4,), None), ((3, 2), 0.3)):
        facula.manual_seed(3)
        total = int(shares[-1])
        x = facula.randn(total, 5, *shape, dtype=facula.float64) * 3 + 1000
        weights = facula.randn(total, 5, *shape, dtype=facula.float64)
        plain = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}[len(shape)](5, momentum=momentum).double()
        nn.init.normal_(plain.weight)
        synced = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(copy.deepcopy(plain)))
        assert type(synced[0]) is nn.SyncBatchNorm
        own = slice(int(shares[rank]), int(shares[rank + 1]))
        for _ in range(2):
            whole, part = x.clone().requires_grad_(), x[own].clone().requires_grad_()
            plain.zero_grad()
            synced.zero_grad()
            expected, found = plain(whole), synced(part)
            close(found, expected[own])
            (expected * weights).sum().backward()
            (found * weights[own]).sum().backward()
            np.testing.assert_allclose(part.grad.numpy(), whole.grad[own].numpy(), rtol=1e-7, atol=1e-9)
            for mine, others in zip(synced.parameters(), plain.parameters()):
                dist.all_reduce(mine.grad)
                np.testing.assert_allclose(mine.grad.numpy(), others.grad.numpy(), rtol=1e-7, atol=1e-9)
        for mine, others in zip(synced.buffers(), plain.buffers()):
            close(mine.double(), others.double())
        synced.eval()
        plain.eval()
        close(synced(x), plain(x))
    single = nn.SyncBatchNorm(2)
    found = single(facula.full((4 if rank else 2, 2), float(rank)))
    assert bool(found.isfinite().all())


def samplers(rank: int, size: int) -> None:
    found: list = [None] * size
    dist.all_gather_object(found, list(DistributedSampler(range(10), shuffle=False)))
    assert found[rank][0] == rank and {each for part in found for each in part} == set(range(10))


def main() -> None:
    dist.init_process_group()
    for program in (
        *(
            training,
            accumulation,
            unused_parameters,
            switched_off_and_on,
            buffers,
            different_models,
            communication_hooks,
        ),
        *(norms, samplers),
    ):
        program(dist.get_rank(), dist.get_world_size())
        dist.barrier()


if __name__ == "__main__":
    main()
    sys.exit(0)
