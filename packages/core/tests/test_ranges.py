"""Evenly spaced numbers, and tensors made of parts, files and strides."""

import facula
import numpy as np
import pytest


@pytest.mark.parametrize(
    ("bounds", "dtype", "expected"),
    [
        ((1.0, 5.000001, 2.0), "int64", [1, 3]),  # counted in integers
        ((0.5, 6.7, 1), "int32", [0, 1, 2, 3, 4, 5, 6]),  # counted before it is cut
        ((0, 3, 0.5), "int32", [0, 0, 0, 0, 0, 0]),
        ((-2, 3, 1), "uint8", [254, 255, 0, 1, 2]),
        ((5, 0, -2), "float32", [5, 3, 1]),
    ],
)
def test_arange_counts_as_its_type_does(bounds, dtype, expected) -> None:
    assert facula.arange(*bounds, dtype=getattr(facula, dtype)).tolist() == expected


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: facula.arange(0, 5, 0), RuntimeError, "step must be nonzero"),
        (lambda: facula.arange(0, 6, 0.5, dtype=facula.int64), ValueError, "step must be nonzero"),
        (lambda: facula.arange(0, 5, -1), RuntimeError, "inconsistent with step sign"),
        (lambda: facula.arange(0, float("nan")), RuntimeError, "unsupported range"),
        (lambda: facula.arange(0, 5, dtype=facula.bool), NotImplementedError, "not implemented for 'bool'"),
        (lambda: facula.arange(), TypeError, "got 0 numbers"),
        (lambda: facula.arange("a"), TypeError, "'end' must be Number, not str"),
        (lambda: facula.arange(5, out=facula.ones(1), dtype=facula.int32), RuntimeError, "does not match dtype of out"),
        (lambda: facula.arange(5, out=facula.ones(1, requires_grad=True)), RuntimeError, "automatic differentiation"),
        (lambda: facula.linspace(0, 1, 2.0), TypeError, "'steps' must be int, not float"),
        (lambda: facula.logspace(0, 1, -1), RuntimeError, "non-negative, got -1"),
        (lambda: facula.linspace(facula.ones(2), 1, 3), RuntimeError, "start with 1 dimension"),
        (lambda: facula.linspace(0, 1j, 3, dtype=facula.float32), RuntimeError, "can't be safely cast"),
        (lambda: facula.empty_permuted((2, 3), (0, 0)), RuntimeError, "Duplicate dim"),
        (lambda: facula.empty_permuted((2, 3), (0, 2)), RuntimeError, "between 0 and 1, but got 2 at index 1"),
        (lambda: facula.empty_strided((2,), (1, 2)), RuntimeError, r"sizes \(1\) must match .* strides \(2\)"),
        (lambda: facula.complex(1, facula.ones(1)), TypeError, "'real' must be Tensor, not int"),
        (lambda: facula.polar(facula.ones(1), facula.ones(1).double()), RuntimeError, "float32 but got .* float64"),
    ],
)
def test_what_is_refused(call, error, message) -> None:
    with pytest.raises(error, match=message):
        call()


def test_integers_between_are_cut_not_rounded() -> None:
    assert facula.linspace(0, 10, 7, dtype=facula.int64).tolist() == [0, 1, 3, 5, 6, 8, 10]
    assert facula.logspace(0, 10, 7, 2, dtype=facula.int64).tolist() == [1, 3, 10, 32, 101, 322, 1024]


def test_an_infinite_part_leaves_the_other_alone() -> None:
    assert facula.complex(facula.tensor(1.0), facula.tensor(float("inf"))).item() == complex(1, float("inf"))


def test_a_file_is_the_memory_of_a_tensor(tmp_path) -> None:
    path = tmp_path / "numbers"
    np.arange(4, dtype=np.float32).tofile(path)
    private = facula.from_file(str(path), size=4)
    private[0] = 7
    shared = facula.from_file(str(path), shared=True, size=4)
    assert shared.tolist() == [0, 1, 2, 3]
    shared[0] = 9
    assert np.fromfile(path, np.float32)[0] == 9
    with pytest.raises(RuntimeError, match="numbers: expected at least 1600 bytes, got 16"):
        facula.from_file(str(path), size=400)


def test_a_capsule_shares_memory() -> None:
    x = facula.arange(3)
    assert "dltensor" in repr(facula.to_dlpack(x))
