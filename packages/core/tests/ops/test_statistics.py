"""Covariances, numerical gradients, histograms, bits: values of NumPy, derivatives, mistakes."""

from collections.abc import Callable

import facula
import numpy as np
import pytest

RANDOM = np.random.default_rng(0)
DATA = RANDOM.standard_normal((3, 6))
COMPLEX = DATA + 1j * RANDOM.standard_normal((3, 6))
COUNTS = np.array([1, 2, 0, 3, 1, 1])
WEIGHTS = np.array([0.5, 1.0, 2.0, 0.1, 0.3, 0.7])


@pytest.mark.parametrize("data", [DATA, DATA[0], COMPLEX])
@pytest.mark.parametrize("counts", [None, COUNTS])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("correction", [0, 1, 2])
def test_cov(data: np.ndarray, counts: np.ndarray | None, weights: np.ndarray | None, correction: int) -> None:
    found = facula.cov(
        facula.tensor(data),
        correction=correction,
        fweights=None if counts is None else facula.tensor(counts),
        aweights=None if weights is None else facula.tensor(weights),
    )
    expected = np.cov(data, ddof=correction, fweights=counts, aweights=weights)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-13)


def test_corrcoef() -> None:
    np.testing.assert_allclose(facula.corrcoef(facula.tensor(DATA)).numpy(), np.corrcoef(DATA), rtol=1e-12)
    np.testing.assert_allclose(facula.tensor(COMPLEX).corrcoef().numpy(), np.corrcoef(COMPLEX), rtol=1e-12, atol=1e-14)
    assert facula.corrcoef(facula.tensor([1, 2, 4])).item() == 1.0


@pytest.mark.parametrize("data", [DATA, COMPLEX])
def test_derivatives_of_covariances(data: np.ndarray) -> None:
    x = facula.tensor(data, requires_grad=True)
    weights = facula.tensor(WEIGHTS, requires_grad=True)
    for function, inputs in (
        (lambda a, w: facula.cov(a, aweights=w, fweights=facula.tensor(COUNTS)), (x, weights)),
        (facula.corrcoef, (x,)),
    ):
        assert facula.autograd.gradcheck(function, inputs)
        assert facula.autograd.gradgradcheck(function, inputs)


def test_too_few_observations_are_warned_of() -> None:
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        found = facula.cov(facula.tensor([[1.0], [2.0]]))
    assert np.isnan(found.numpy()).all() and found.shape == (2, 2)


@pytest.mark.parametrize("edge_order", [1, 2])
@pytest.mark.parametrize(
    ("spacing", "dim"), [(1, None), (0.5, None), ([2, 0.1], None), (3, 1), ([0.5], 0), (2.0, (1, 0)), ([1, 2], (-1, 0))]
)
def test_gradient_of_even_samples(spacing: object, dim: object, edge_order: int) -> None:
    found = facula.gradient(facula.tensor(DATA), spacing=spacing, dim=dim, edge_order=edge_order)
    distances = spacing if isinstance(spacing, list) else [spacing]
    expected = np.gradient(DATA, *distances, axis=dim, edge_order=edge_order)
    for one, other in zip(found, expected if isinstance(expected, (list, tuple)) else [expected], strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_of_samples_at_places(edge_order: int) -> None:
    rows, columns = np.array([0.0, 1.0, 4.0]), np.cumsum(WEIGHTS)
    places = [facula.tensor(rows, requires_grad=True), facula.tensor(columns, requires_grad=True)]
    x = facula.tensor(DATA, requires_grad=True)
    found = facula.gradient(x, spacing=places, edge_order=edge_order)
    for one, other in zip(found, np.gradient(DATA, rows, columns, edge_order=edge_order), strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-11, atol=1e-12)

    def both(a: facula.Tensor, r: facula.Tensor, c: facula.Tensor) -> tuple[facula.Tensor, ...]:
        return tuple(facula.gradient(a, spacing=[r, c], edge_order=edge_order))

    assert facula.autograd.gradcheck(both, (x, *places))
    assert facula.autograd.gradgradcheck(both, (x, *places))


def test_gradient_of_integers_and_of_no_dimension() -> None:
    assert facula.gradient(facula.tensor([1, 2, 4, 8]))[0].tolist() == [1.0, 1.5, 3.0, 4.0]
    assert facula.gradient(facula.tensor(1.0)) == []


@pytest.mark.parametrize("density", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("limits", [None, (-1.0, 0.5), (1.0, 1.0)])
def test_histogram(limits: tuple | None, weighted: bool, density: bool) -> None:
    weights = np.abs(COMPLEX) if weighted else None
    if density and limits == (1.0, 1.0):
        limits = (0.0, 1.0)
    found = facula.histogram(
        facula.tensor(DATA),
        5,
        range=limits,
        weight=None if weights is None else facula.tensor(weights),
        density=density,
    )
    expected = np.histogram(DATA, 5, limits, density, weights)
    np.testing.assert_allclose(found.hist.numpy(), expected[0], rtol=1e-12)
    np.testing.assert_allclose(found.bin_edges.numpy(), expected[1], rtol=1e-12, atol=1e-15)


def test_histogram_between_given_edges() -> None:
    edges = np.array([-1.0, 0.0, 0.1, 2.0])
    x = facula.tensor([-1.0, 0.0, 2.0, 2.1, float("nan")], dtype=facula.float64)
    out = (facula.empty(0, dtype=facula.float64), facula.empty(0, dtype=facula.float64))
    hist, found = facula.histogram(x, facula.tensor(edges), out=out)
    assert hist is out[0] and found is out[1]
    assert hist.tolist() == [1.0, 1.0, 1.0] and found.tolist() == edges.tolist()
    assert facula.zeros(0).histogram(2).hist.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("density", [False, True])
def test_histogram_of_points(density: bool) -> None:
    points = RANDOM.standard_normal((5, 8, 2))
    found = facula.histogramdd(facula.tensor(points), [3, 4], range=[-1.0, 1.0, -2.0, 2.0], density=density)
    expected = np.histogramdd(points.reshape(-1, 2), [3, 4], [(-1, 1), (-2, 2)], density)
    np.testing.assert_allclose(found.hist.numpy(), expected[0], rtol=1e-12)
    given = facula.histogramdd(facula.tensor(points), [each for each in found.bin_edges], density=density)
    np.testing.assert_array_equal(given.hist.numpy(), found.hist.numpy())
    assert facula.histogramdd(facula.tensor(points), 2).hist.sum().item() == 40


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_frexp(name: str) -> None:
    x = facula.tensor([0.0, 1.0, -3.0, 0.1, 640.0], dtype=getattr(facula, name), requires_grad=True)
    mantissa, exponent = x.frexp()
    assert mantissa.dtype is x.dtype and exponent.dtype is facula.int32
    expected = np.frexp(x.detach().to(facula.float64).numpy())
    assert mantissa.tolist() == expected[0].tolist() and exponent.tolist() == expected[1].tolist()
    mantissa.sum().backward()
    assert x.grad.tolist() == (0.5 ** expected[1].astype(float)).tolist()


def test_hash_tensor() -> None:
    def bits(values: np.ndarray) -> int:
        return int(np.bitwise_xor.reduce(values.reshape(-1).view(np.uint64)))

    assert facula.hash_tensor(facula.tensor(DATA)).item() == bits(DATA)
    single = DATA.astype(np.float32)
    assert facula.tensor(single).hash_tensor().item() == bits(single.astype(np.float64))
    numbers = np.array([[1, -2, 4], [8, 16, 32]], np.int8)
    assert facula.hash_tensor(facula.tensor(numbers)).item() == bits(numbers.astype(np.int64))
    rows = facula.hash_tensor(facula.tensor(numbers), 1, keepdim=True)
    assert rows.dtype is facula.uint64 and rows.tolist() == [[bits(row.astype(np.int64))] for row in numbers]
    assert facula.hash_tensor(facula.tensor(True)).item() == 1


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: facula.cov(facula.ones(2, 2, 2)), RuntimeError, "two or fewer dimensions"),
        (lambda x: facula.cov(x > 0), RuntimeError, "bool dtype"),
        (lambda x: facula.cov(x, fweights=x), RuntimeError, "fweights to have integral dtype"),
        (lambda x: facula.cov(x, aweights=-x), RuntimeError, "aweights cannot be negative"),
        (lambda x: facula.cov(x, aweights=x[:2]), RuntimeError, "same numel"),
        (lambda x: facula.cov(x, aweights=x * 0), RuntimeError, "sum to zero"),
        (lambda x: facula.gradient(x, edge_order=3), RuntimeError, "only supports edge_order=1"),
        (lambda x: facula.gradient(x[:1]), RuntimeError, r"at least edge_order\+1"),
        (lambda x: facula.gradient(x, spacing=[1, 2]), RuntimeError, "got a list of length 2"),
        (lambda x: facula.gradient(x, spacing=[1, 2], dim=0), RuntimeError, "spacing argument of length 2"),
        (lambda x: facula.gradient(x, dim=1), IndexError, "out of range"),
        (lambda x: facula.gradient(x.to(facula.uint8)), RuntimeError, "uint8"),
        (lambda x: facula.histogram(x, 0), RuntimeError, "bins must be > 0"),
        (lambda x: facula.histogram(x, 2, range=(2, 1)), RuntimeError, "min should not exceed max"),
        (lambda x: facula.histogram(x / 0, 2), RuntimeError, "is not finite"),
        (lambda x: facula.histogram(x.long(), 2), NotImplementedError, "not implemented for"),
        (lambda x: facula.histogram(x, 2, weight=x[:2]), RuntimeError, "same shape as the input"),
        (lambda x: facula.histogram(x, x.double()), RuntimeError, "same dtype"),
        (lambda x: facula.histogramdd(x, [2]), RuntimeError, "at least 2 dimensions"),
        (lambda x: facula.histogramdd(facula.ones(3, 2), [2]), RuntimeError, "size of bins must be equal"),
        (lambda x: facula.histogramdd(facula.ones(3, 2), 2, range=[0.0, 1.0]), RuntimeError, "should have 4 elements"),
        (lambda x: facula.frexp(x.long()), RuntimeError, "only supports floating-point"),
        (lambda x: facula.hash_tensor(x, mode=1), RuntimeError, "Unknown hash_tensor mode"),
        (lambda x: facula.hash_tensor(x[:0]), RuntimeError, "reduction dim to be specified"),
        (lambda x: facula.hash_tensor(x[:0], 0), IndexError, "non-zero size"),
    ],
)
def test_mistakes_are_named(call: Callable, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call(facula.tensor([1.0, 2.0, 3.0]))


def test_edges_and_even_points_are_rounded_as_pytorch_rounds_them() -> None:
    # float32, product and sum in one rounding; recorded from torch.linspace(0.7, 0.9, 14).
    recorded = [
        0.699999988079071,
        0.7153846025466919,
        0.7307692170143127,
        0.7461538314819336,
        0.7615384459495544,
        0.7769230604171753,
        0.7923076748847961,
        0.807692289352417,
        0.8230769038200378,
        0.8384615182876587,
        0.8538461327552795,
        0.8692307472229004,
        0.8846153616905212,
        0.8999999761581421,
    ]
    assert facula.linspace(0.7, 0.9, 14).tolist() == recorded
    assert facula.histogram(facula.tensor([0.7, 0.9]), 13).bin_edges.tolist() == recorded
    assert facula.linspace(4.3, 0, 6, dtype=facula.int64).tolist() == [4, 3, 2, 1, 0, 0]
    one = facula.histc(facula.tensor([-3.7, -3.7]), 7)
    assert one.tolist() == [0, 0, 0, 2, 0, 0, 0]
