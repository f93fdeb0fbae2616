"""What assert_close accepts, and how it says what differs."""

import facula
import numpy as np
import pytest
from facula.testing import assert_close

tensor = facula.tensor


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (tensor([1.0, 2.0]), tensor([1.0, 2.0 + 1e-6])),
        (tensor([1.0, float("inf")]), tensor([1.0, float("inf")])),
        ([tensor([1]), {"a": 2.0}], (tensor([1]), {"a": 2.0})),
        (np.ones(3), np.ones(3)),
        (None, None),
        (1, 1),
        (np.float64(1.0), 1.0),
        (tensor([1 + 2j]), tensor([1 + 2j])),
        (tensor([]), tensor([])),
    ],
)
def test_what_is_close_passes(actual, expected):
    assert_close(actual, expected)


@pytest.mark.parametrize(
    ("actual", "expected", "options", "says"),
    [
        (tensor([1.0, 2.0]), tensor([1.0, 2.5]), {}, r"Mismatched elements: 1 / 2 \(50.0%\)\n.*0.5 at index \(1,\)"),
        (tensor([1, 2]), tensor([1, 3]), {}, "Tensor-likes are not equal!"),
        (tensor([1.0]), tensor([[1.0]]), {}, "attribute 'shape' do not match"),
        (tensor([1.0]), tensor([1.0]).double(), {}, "attribute 'dtype' do not match"),
        (facula.ones(2, 2), facula.ones(2, 2).t(), {"check_stride": True}, r"attribute 'stride\(\)' do not match"),
        (tensor([float("nan")]), tensor([float("nan")]), {}, "not close"),
        (tensor(1.0), tensor(2.0), {}, "Scalars are not close!"),
        (1.0, 2.0, {}, "Expected 2.0 but got 1.0"),
        (1, 1.0, {}, "do not match"),
        (True, False, {}, "Booleans mismatch"),
        (None, 1, {}, "None mismatch"),
        ([1], [1, 2], {}, "length of the sequences mismatch: 1 != 2"),
        ({"a": 1}, {"b": 1}, {}, "Missing keys in the actual mapping: \\['b'\\]"),
        ({"a": [1, 2]}, {"a": [1, 3]}, {}, r"The failure occurred for item \['a'\]\[1\]"),
        (tensor([1.0]), tensor([2.0]), {"msg": "mine"}, "^mine$"),
        (tensor([1.0]), tensor([2.0]), {"msg": lambda text: "first: " + text}, "^first: Tensor-likes"),
    ],
)
def test_what_differs_is_said(actual, expected, options, says):
    with pytest.raises(AssertionError, match=says):
        assert_close(actual, expected, **options)


def test_options_widen_what_is_close():
    nan = tensor([float("nan")])
    assert_close(nan, nan.clone(), equal_nan=True)
    assert_close(tensor([1.0]), tensor([1.0]).double(), check_dtype=False)
    assert_close(tensor([1.0]), tensor([1.1]), rtol=0.2, atol=0.0)
    assert_close(facula.nn.Parameter(tensor([1.0])), tensor([1.0]))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(tensor([1.0]), [1.0])
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(facula.nn.Parameter(tensor([1.0])), tensor([1.0]), allow_subclasses=False)
    with pytest.raises(ValueError, match="both be specified"):
        assert_close(1, 1, rtol=0.1)
