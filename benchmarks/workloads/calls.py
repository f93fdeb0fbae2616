"""Small tensors: what a call costs beside its arithmetic."""

from types import ModuleType

from benchmarks.workloads import Step, workload


@workload
def chain_of_small_operations(T: ModuleType) -> Step:
    """Forty operations on 8x8, forward and backward."""
    T.manual_seed(0)
    x = T.randn(8, 8, requires_grad=True)
    w = T.randn(8, 8, requires_grad=True)

    def step() -> None:
        x.grad = w.grad = None
        y = x
        for _ in range(10):
            y = ((y @ w).tanh() + x) * 0.5
        y.sum().backward()

    return step


@workload
def small_network_training(T: ModuleType) -> Step:
    """A network of two layers for vectors of 8, a step of SGD."""
    T.manual_seed(0)
    nn = T.nn
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = T.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    x, y = T.randn(16, 8), T.randint(0, 4, (16,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


@workload
def module_call(T: ModuleType) -> Step:
    """Ten modules that do next to nothing, without gradients."""
    net = T.nn.Sequential(*(T.nn.ReLU() for _ in range(10)))
    x = T.ones(4)

    def step() -> None:
        with T.no_grad():
            net(x)

    return step


@workload
def recurrent_cell_loop(T: ModuleType) -> Step:
    """Thirty steps of a recurrent cell written as a loop, with its gradients."""
    T.manual_seed(0)
    cell = T.nn.RNNCell(32, 64)
    inputs = T.randn(30, 8, 32)

    def step() -> None:
        cell.zero_grad()
        state = T.zeros(8, 64)
        for x in inputs:
            state = cell(x, state)
        state.sum().backward()

    return step
