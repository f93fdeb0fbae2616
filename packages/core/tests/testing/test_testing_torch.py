"""Comparisons and random tensors are those of PyTorch."""

import facula
import numpy as np
import pytest

torch = pytest.importorskip("torch")

KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128"]


def made(library, name, *shape, **options):
    library.manual_seed(0)
    return library.testing.make_tensor(*shape, dtype=getattr(library, name), device="cpu", **options)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "options",
    [{}, {"low": 1, "high": 2.5}, {"noncontiguous": True}, {"exclude_zero": True}, {"low": -1e30, "high": 1e30}],
    ids=str,
)
def test_tensors_hold_pytorchs_numbers(name, options):
    expected = error = None
    try:
        expected = made(torch, name, 4, 5, **options)
    except (ValueError, RuntimeError) as raised:
        error = raised
    if error is not None:
        with pytest.raises(type(error)):
            made(facula, name, 4, 5, **options)
        return
    found = made(facula, name, (4, 5), **options)
    np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert found.stride() == expected.stride()


def message(library, actual, expected, **options):
    if isinstance(actual, list):
        actual, expected = library.tensor(actual), library.tensor(expected)
    try:
        library.testing.assert_close(actual, expected, **options)
    except AssertionError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        ([1.0, 2.0, 3.5], [1.0, 2.5, 3.0], {}),
        ([1, 2, 3], [1, 2, 4], {}),
        ([1.0, 0.5], [0.0, 0.5], {}),
        ([[1.0, float("inf")]], [[2.0, float("inf")]], {}),
        ([True, False], [True, True], {}),
        (1.0, 2.0, {}),
        (3, 4, {}),
        ([1.0], [1.01], {"rtol": 0.1, "atol": 0.0}),
        ([1.0], [1.5], {"rtol": 0.1, "atol": 0.0}),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, {}),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.5}, {}),
    ],
)
def test_what_differs_is_said_as_pytorch_says_it(actual, expected, options):
    assert message(facula, actual, expected, **options) == message(torch, actual, expected, **options)
