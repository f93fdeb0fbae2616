"""What a type checker says of modules, optimizers and data loaders."""

from typing import Any, assert_type

import facula
from facula import Tensor, nn
from facula.nn import functional as F
from facula.utils.data import DataLoader, Dataset, TensorDataset


class Network(nn.Module):
    """A module as everybody writes them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(4, width)
        self.last = nn.Linear(width, 2)

    def forward(self, input: Tensor) -> Tensor:
        """Return two scores."""
        scores: Tensor = self.last(F.relu(self.first(input)))
        return scores


class Squares(Dataset[tuple[int, int]]):
    """Numbers and their squares."""

    def __getitem__(self, index: int) -> tuple[int, int]:
        return index, index**2

    def __len__(self) -> int:
        return 10


x = facula.randn(3, 4)
network = Network(8)
assert_type(network, Network)
# A call returns what `forward` does, which no annotation of Module can say; `forward` itself says it.
assert_type(network(x), Any)
assert_type(network.forward(x), Tensor)
assert_type(network.first, nn.Linear)
assert_type(network.first.weight, nn.Parameter)
assert_type(network.train(), Network)
assert_type(network.to("cpu"), Network)
assert_type(list(network.parameters()), list[nn.Parameter])
assert_type(dict(network.named_parameters()), dict[str, nn.Parameter])
assert_type(network.state_dict(), dict[str, Any])

assert_type(F.relu(x), Tensor)
assert_type(F.cross_entropy(x, x.softmax(1)), Tensor)

optimizer = facula.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
assert_type(optimizer, facula.optim.SGD)
assert_type(optimizer.zero_grad(), None)
assert_type(optimizer.step(), Tensor | float | None)
assert_type(optimizer.param_groups, list[dict[str, Any]])
schedule = facula.optim.lr_scheduler.StepLR(optimizer, step_size=3)
assert_type(schedule.get_last_lr(), list[float])

squares = Squares()
assert_type(squares[0], tuple[int, int])
loader = DataLoader(squares, batch_size=2, shuffle=True)
assert_type(loader, DataLoader[tuple[int, int]])
assert_type(loader.dataset, Dataset[tuple[int, int]])
assert_type(len(loader), int)
assert_type(TensorDataset(x)[0], tuple[Tensor, ...])
for batch in loader:
    # What the items of a batch become is up to `collate_fn`.
    assert_type(batch, Any)
