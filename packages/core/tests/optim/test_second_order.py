"""LBFGS, Adafactor and Muon: what they reach, what they keep, what they refuse; next to PyTorch when it is installed."""

import facula
import numpy as np
import pytest
from facula.optim import LBFGS, Adafactor, Muon
from facula.optim.muon import nearly_orthogonal


def rosenbrock(x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_a_minimum(search) -> None:
    x = facula.tensor([-1.2, 1.0], dtype=facula.float64, requires_grad=True)
    optimizer = LBFGS([x], lr=1 if search else 0.01, max_iter=200 if search else 2000, line_search_fn=search)

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(x)
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert first.item() > rosenbrock(x).item()
    if search:
        assert facula.allclose(x.detach(), facula.ones(2, dtype=facula.float64), atol=1e-3)


def test_lbfgs_needs_a_closure_and_one_group() -> None:
    x, y = facula.ones(2, requires_grad=True), facula.ones(1, requires_grad=True)
    with pytest.raises(TypeError, match="closure"):
        LBFGS([x]).step()
    with pytest.raises(ValueError, match="per-parameter options"):
        LBFGS([{"params": [x]}, {"params": [y]}])
    optimizer = LBFGS([x], line_search_fn="golden")
    with pytest.raises(RuntimeError, match="'golden'"):
        optimizer.step(lambda: facula.tensor(1.0))


def test_adafactor_keeps_a_row_and_a_column_of_a_matrix() -> None:
    weight, bias = facula.ones(3, 4, requires_grad=True), facula.ones(4, requires_grad=True)
    optimizer = Adafactor([weight, bias])
    (weight.sum(0) * bias).sum().backward()
    optimizer.step()
    assert {name: tuple(each.shape) for name, each in optimizer.state[weight].items()} == {
        **{"step": (), "row_var": (3, 1), "col_var": (1, 4)}
    }
    assert optimizer.state[bias]["variance"].shape == (4,)
    assert (weight < 1).all()


def test_muon_makes_matrices_nearly_orthogonal() -> None:
    facula.manual_seed(0)
    for shape in ((6, 4), (4, 6)):
        values = facula.linalg.svdvals(
            nearly_orthogonal(facula.randn(*shape), (3.4445, -4.775, 2.0315), 8, 1e-7).float()
        )
        assert (values > 0.6).all() and (values < 1.3).all()
    with pytest.raises(ValueError, match="2D parameters"):
        Muon([facula.ones(3, requires_grad=True)])
    with pytest.raises(ValueError, match="not supported"):
        Muon([facula.ones(3, 3, requires_grad=True)], adjust_lr_fn="other")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LBFGS", {"line_search_fn": "strong_wolfe", "max_iter": 4}),
        ("LBFGS", {"lr": 0.1, "history_size": 2, "max_iter": 5}),
        ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "maximize": False}),
        ("Muon", {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw"}),
        ("Muon", {"lr": 0.01, "nesterov": False}),
    ],
)
def test_steps_and_states_are_those_of_pytorch(name, options) -> None:
    torch = pytest.importorskip("torch")
    random = np.random.RandomState(0)
    start, data = random.randn(5, 3), random.randn(7, 5)
    # Muon rounds to bfloat16 on the way, each library at places of its own.
    rtol = 1e-2 if name == "Muon" else 1e-7

    def run(T):
        weight = T.from_numpy(start.copy()).requires_grad_()
        optimizer = getattr(T.optim, name)([weight], **options)
        x = T.from_numpy(data)

        def closure():
            optimizer.zero_grad()
            loss = ((x @ weight).tanh() - 0.5).square().mean()
            loss.backward()
            return loss

        losses = []
        for _ in range(4):
            losses.append(optimizer.step(closure).item())
        return losses, weight.detach().numpy(), optimizer.state_dict()

    mine, theirs = run(facula), run(torch)
    assert np.allclose(mine[0], theirs[0], rtol=rtol)
    assert np.allclose(mine[1], theirs[1], rtol=rtol, atol=rtol / 2)
    assert mine[2]["param_groups"] == theirs[2]["param_groups"]
    assert set(mine[2]["state"][0]) == set(theirs[2]["state"][0])
