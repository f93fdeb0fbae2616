"""Writing where an input lies."""

import facula
import pytest

REFUSED = pytest.raises(RuntimeError, match="refers? to a single memory location")


@pytest.mark.parametrize(
    "write",
    [
        lambda x: facula.add(x[:3], 1, out=x[1:4]),
        lambda x: facula.where(x[:3] > 0, x[:3], x[:3], out=x[1:4]),
        lambda x: x[1:4].add_(x[:3]),
        lambda x: x[1:4].copy_(x[:3]),
        lambda x: x[1:4].copy_(x[:3].detach()),
        lambda x: facula.gather(x, 0, facula.tensor([0]), out=x[:1]),
        lambda x: facula.index_select(x, 0, facula.tensor([0]), out=x[:1]),
        lambda x: facula.take(x, facula.tensor([0]), out=x[:1]),
        lambda x: facula.masked_select(x, x > 1, out=x),
        lambda x: facula.cat([x, x], out=x),
        lambda x: facula.zeros(1).expand(3).add_(1),
        lambda x: facula.add(x[:3], 1, out=facula.zeros(1).expand(3)),
    ],
)
def test_another_part_of_an_input_is_no_place_to_write(write) -> None:
    x = facula.arange(6.0)
    with REFUSED:
        write(x)
    assert x.tolist() == [0, 1, 2, 3, 4, 5]


def test_the_same_elements_are() -> None:
    x = facula.arange(6.0)
    assert facula.add(x, 1, out=x).tolist() == [1, 2, 3, 4, 5, 6]
    assert x[:3].add_(x[:3]).tolist() == [2, 4, 6]
    assert x[::2].add_(x[1::2]).tolist() == [6, 10, 11]  # both have gaps: they are not asked about
    assert x.view(2, 3).mul_(x.view(2, 3)).shape == (2, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, index, out: facula.gather(x, 0, index, out=out),
        lambda x, index, out: facula.index_select(x, 0, index, out=out),
        lambda x, index, out: facula.take(x, index, out=out),
        lambda x, index, out: facula.index_add(x, 0, index, x[:1], out=out),
        lambda x, index, out: facula.scatter(x, 0, index, 1.0, out=out),
        lambda x, index, out: facula.masked_select(x, x > 1, out=out),
    ],
)
def test_out_is_of_the_type_of_the_result(call) -> None:
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype float32, but got float64 instead"):
        call(facula.arange(3.0), facula.tensor([0]), facula.zeros(3, dtype=facula.float64))
