"""Orders of samplers and splits beside PyTorch's, when it is installed."""

import facula
import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    "draw",
    [
        lambda data, generator: list(data.RandomSampler(range(50), generator=generator)),
        lambda data, generator: list(data.RandomSampler(range(7), num_samples=20, generator=generator)),
        lambda data, generator: list(data.RandomSampler(range(7), True, 50, generator=generator)),
        lambda data, generator: list(data.SubsetRandomSampler(range(9), generator=generator)),
        lambda data, generator: list(data.WeightedRandomSampler([0.1, 0.5, 0.4], 20, generator=generator)),
        lambda data, generator: list(data.WeightedRandomSampler([0.1, 0.5, 0.4], 3, False, generator=generator)),
        lambda data, generator: list(data.random_split(range(50), [0.7, 0.3], generator)[1].indices),
        lambda data, generator: [batch.tolist() for batch in data.DataLoader(range(50), 8, True, generator=generator)],
    ],
)
def test_the_same_seed_gives_the_same_order(draw):
    mine = draw(facula.utils.data, facula.Generator().manual_seed(5))
    assert mine == draw(torch.utils.data, torch.Generator().manual_seed(5))


@pytest.mark.parametrize("workers", [0, 2])
def test_epochs_leave_the_default_stream_where_pytorch_leaves_it(workers):
    courses = []
    for library in (facula, torch):
        library.manual_seed(11)
        loader = library.utils.data.DataLoader(range(40), batch_size=7, shuffle=True, num_workers=workers)
        courses.append([[batch.tolist() for batch in loader] for _ in range(2)] + [library.rand(3).tolist()])
    assert courses[0] == courses[1]


def test_processes_share_as_in_pytorch():
    for drop_last in (False, True):
        orders = []
        for library in (facula, torch):
            sampler = library.utils.data.DistributedSampler(range(11), 4, 2, seed=3, drop_last=drop_last)
            sampler.set_epoch(5)
            orders.append(list(sampler))
        assert orders[0] == orders[1]
