"""Counting floating point operations: by formula, by module, and beside PyTorch's counter."""

import facula
import pytest
from facula import nn
from facula.graph.modes import state
from facula.utils.flop_counter import FlopCounterMode, register_flop_formula


def count(function) -> int:
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def models(library):
    """Return functions that compute with a library and return what a backward pass begins with, by names."""
    nn = library.nn

    def leaf(*shape):
        return library.ones(*shape, requires_grad=True)

    conv = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    mlp = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
    one, transposed = nn.Conv1d(4, 6, 5), nn.ConvTranspose2d(4, 6, 3, stride=2)
    volume = nn.Conv3d(2, 3, 2)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return {
        "mm": lambda: leaf(4, 3) @ leaf(3, 5),
        "bmm": lambda: library.bmm(leaf(2, 4, 3), leaf(2, 3, 5)),
        "addmm": lambda: library.addmm(leaf(5), leaf(4, 3), leaf(3, 5)),
        "baddbmm": lambda: library.baddbmm(leaf(2, 4, 5), leaf(2, 4, 3), leaf(2, 3, 5)),
        "einsum": lambda: library.einsum("bij,bjk->bik", leaf(2, 4, 3), leaf(2, 3, 5)),
        "linear": lambda: mlp(leaf(7, 6)),
        "linear of more dimensions": lambda: mlp(leaf(2, 7, 6)),
        "conv1d": lambda: one(leaf(2, 4, 12)),
        "conv2d": lambda: conv(leaf(2, 3, 9, 9)),
        "conv3d": lambda: volume(leaf(2, 2, 4, 5, 6)),
        "transposed": lambda: transposed(leaf(2, 4, 5, 5)),
        "transformer": lambda: layer(leaf(2, 5, 8)),
    }


NAMES = list(models(facula))


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_torch(name) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is installed for comparison only")
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode as Theirs

    ours, theirs = models(facula)[name], models(torch)[name]
    # Its fused kernel for the CPU has no formula.
    with sdpa_kernel(SDPBackend.MATH):
        for function, other in ((ours, theirs), (lambda: ours().sum().backward(), lambda: theirs().sum().backward())):
            with Theirs(display=False) as counter:
                other()
            assert count(function) == counter.get_total_flops()


def test_formulas() -> None:
    def leaf(*shape):
        return facula.ones(*shape, requires_grad=True)

    assert count(lambda: leaf(4, 3) @ leaf(3, 5)) == 2 * 4 * 3 * 5
    assert count(lambda: (leaf(4, 3) @ leaf(3, 5)).sum().backward()) == 3 * 2 * 4 * 3 * 5
    assert count(lambda: leaf(4, 3) @ leaf(3)) == 2 * 4 * 3
    grouped = nn.Conv2d(4, 6, 3, groups=2, padding=1)
    products = 2 * 6 * 2 * 9 * 3 * 8 * 8
    assert count(lambda: grouped(leaf(3, 4, 8, 8))) == products
    assert count(lambda: grouped(leaf(3, 4, 8, 8)).sum().backward()) == 3 * products
    attend = nn.functional.scaled_dot_product_attention
    assert count(lambda: attend(leaf(2, 3, 5, 4), leaf(2, 3, 7, 4), leaf(2, 3, 7, 6))) == 2 * 2 * 3 * 5 * 7 * (4 + 6)
    lstm = nn.LSTM(3, 4)
    assert count(lambda: lstm(leaf(5, 2, 3))) == 2 * 5 * 2 * (3 + 4) * 16
    assert count(lambda: facula.ones(3).exp().sum()) == 0


def test_modules_have_counts_of_their_own() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
            self.head = nn.Linear(4, 1)

        def forward(self, x):
            return self.head(self.body(x)) @ facula.ones(1, 5)

    with FlopCounterMode(display=False) as counter:
        Net()(facula.ones(2, 2))
    counts = {name: sum(each.values()) for name, each in counter.get_flop_counts().items()}
    whole = 2 * 2 * (6 + 12 + 4 + 5)
    assert counts == {
        **{"Global": whole, "Net": whole, "Net.body": 72, "Net.body.0": 24, "Net.body.1": 48, "Net.head": 16},
    }
    table = counter.get_table(depth=1).splitlines()
    assert table[0].split() == ["Module", "FLOP", "%", "Total"]
    assert [line.split()[0] for line in table[2:] if " - " not in line] == ["Global", "Net"]
    assert "Net.body.0" in counter.get_table(depth=3)


def test_the_table_is_printed_and_counting_begins_anew(capsys) -> None:
    counter = FlopCounterMode()
    for _ in range(2):
        with counter:
            facula.ones(100, 100) @ facula.ones(100, 100)
    assert counter.get_total_flops() == 2_000_000
    assert capsys.readouterr().out.count("2000.000K") == 4
    with FlopCounterMode():
        pass
    assert "Global" in capsys.readouterr().out and not state.interceptors


def test_an_error_leaves_nothing_behind() -> None:
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"), FlopCounterMode() as counter:
        Broken()(facula.ones(1))
    assert not state.interceptors
    assert count(lambda: nn.Linear(1, 1)(facula.ones(1, 1))) == 2 and counter.get_total_flops() == 0


def test_formulas_of_ones_own() -> None:
    with FlopCounterMode(display=False, custom_mapping={"exp": lambda x, out_shape: 10 * x[0]}) as counter:
        facula.ones(3).exp()
    assert counter.get_flop_counts() == {"Global": {"exp": 30}}
    with pytest.raises(RuntimeError, match="duplicate"):
        register_flop_formula("mm")(lambda *shapes, out_shape: 0)
