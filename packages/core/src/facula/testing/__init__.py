"""What tests need: comparisons that say how values differ, and tensors of random values."""

from facula.testing.comparison import assert_allclose as assert_allclose, assert_close as assert_close
from facula.testing.creation import make_tensor as make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
