"""Distances of many points go through a matrix product, and agree with those taken one by one."""

import facula
import pytest
from facula import testing
from facula.autograd import gradcheck, gradgradcheck

ONE_BY_ONE = "donot_use_mm_for_euclid_dist"


@pytest.mark.parametrize("shapes", [((30, 5), (40, 5)), ((2, 30, 5), (2, 7, 5)), ((3, 1, 30, 4), (2, 26, 4))])
def test_many_points(shapes: tuple[tuple[int, ...], ...]) -> None:
    facula.manual_seed(0)
    x, y = (facula.randn(*shape, dtype=facula.float64).requires_grad_() for shape in shapes)
    found, expected = facula.cdist(x, y), facula.cdist(x, y, compute_mode=ONE_BY_ONE)
    testing.assert_close(found, expected)
    weight = facula.randn(*found.shape, dtype=facula.float64)
    gradients = facula.autograd.grad(found, (x, y), weight)
    wanted = facula.autograd.grad(expected, (x, y), weight)
    for one, other in zip(gradients, wanted, strict=True):
        testing.assert_close(one, other)


def test_slopes_of_slopes() -> None:
    facula.manual_seed(0)
    x, y = (facula.randn(count, 3, dtype=facula.float64).requires_grad_() for count in (3, 4))

    def distances(x: facula.Tensor, y: facula.Tensor) -> facula.Tensor:
        return facula.cdist(x, y, compute_mode="use_mm_for_euclid_dist")

    assert gradcheck(distances, (x, y))
    assert gradgradcheck(distances, (x, y))


def test_a_point_has_no_slope_at_its_own_place() -> None:
    x = facula.arange(30, dtype=facula.float64).reshape(30, 1).requires_grad_()
    facula.cdist(x, x.detach()).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
