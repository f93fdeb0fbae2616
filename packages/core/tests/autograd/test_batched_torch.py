"""``grad`` of several gradients of results at once, beside PyTorch's."""

import facula
import numpy as np
import pytest

torch = pytest.importorskip("torch")


def both(create_graph: bool) -> list:
    found = []
    for T in (facula, torch):
        x = T.linspace(0.1, 1.0, 6, dtype=T.float64).reshape(2, 3).requires_grad_()
        w = T.ones(3, dtype=T.float64).requires_grad_()
        unused = T.ones(1, dtype=T.float64).requires_grad_()
        y = (x * w).exp().sum(1)
        gradients = T.autograd.grad(
            y,
            (x, w, unused),
            T.eye(2, dtype=T.float64),
            is_grads_batched=True,
            create_graph=create_graph,
            allow_unused=True,
        )
        assert gradients[2] is None
        found.append([np.asarray(each.detach()) for each in gradients[:2]])
        if create_graph:
            found[-1] += [np.asarray(each) for each in T.autograd.grad(gradients[0].square().sum(), (x, w))]
    return found


@pytest.mark.parametrize("create_graph", [False, True])
def test_rows_of_a_jacobian(create_graph) -> None:
    ours, theirs = both(create_graph)
    for have, want in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(have, want, rtol=1e-12)


def test_gradients_of_unequal_number_are_refused() -> None:
    x = facula.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"first dimensions are of one size, got \[\[2, 3\], \[4, 3\]\]"):
        facula.autograd.grad([x * 2, x * 3], x, [facula.ones(2, 3), facula.ones(4, 3)], is_grads_batched=True)
