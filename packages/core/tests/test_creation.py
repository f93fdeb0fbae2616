"""Tensors on memory that exists: what is shared, and what is not; and what the rows of creation cannot say."""

import facula
import numpy as np
import pytest


def test_from_numpy_shares_memory() -> None:
    array = np.arange(6.0).reshape(2, 3)
    x = facula.from_numpy(array)
    array[0, 0] = 7
    x[1, 2] = 9
    assert x[0, 0].item() == 7
    assert array[1, 2] == 9
    assert x.dtype is facula.float64


def test_as_tensor_shares_memory_and_tensor_does_not() -> None:
    array = np.zeros(2)
    shared, copied = facula.as_tensor(array), facula.tensor(array)
    array[0] = 1
    assert shared.tolist() == [1, 0]
    assert copied.tolist() == [0, 0]
    assert facula.as_tensor(shared) is shared


def test_frombuffer_reads_bytes_from_an_offset() -> None:
    buffer = bytearray(np.array([1, 2, 3], np.int16).tobytes())
    x = facula.frombuffer(buffer, dtype=facula.int16, offset=2)
    assert x.tolist() == [2, 3]
    buffer[2] = 9
    assert x.tolist() == [9, 3]
    assert facula.frombuffer(buffer, dtype=facula.int16, count=1).tolist() == [1]


def test_dlpack_shares_memory_both_ways() -> None:
    array = np.arange(3.0)
    x = facula.from_dlpack(array)
    x[0] = 5
    assert array[0] == 5
    assert np.from_dlpack(x)[0] == 5


def test_contiguous_is_the_tensor_itself_or_its_elements_in_row_major_order() -> None:
    x = facula.arange(6).reshape(2, 3)
    assert x.contiguous() is x
    turned = x.t()
    assert not turned.is_contiguous()
    assert turned.contiguous().is_contiguous()
    assert turned.contiguous().tolist() == turned.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_range_includes_its_end_and_says_that_arange_is_meant() -> None:
    with pytest.warns(UserWarning, match="arange"):
        assert facula.range(1, 4).tolist() == [1, 2, 3, 4]
