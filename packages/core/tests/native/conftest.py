"""The compiled kernels against the array code of their primitives: a file for each file of ``native/src``."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from facula import native
from facula.primitive import Primitive


def _several(result: Any) -> tuple[np.ndarray, ...]:
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def _as_doubles(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag]).astype(np.float64)
    return array.astype(np.float64)


@pytest.fixture
def held() -> Callable[..., Any]:
    """Return a function that holds a kernel against the array code, and its bits for 1 to 4 threads against each other.

    ``held(primitive, *arrays, tolerance=1e-6, accepts=True, **options)``: the tolerance is relative to the largest
    finite number expected, unless ``absolute`` is given; ``accepts=False`` says that the kernel must decline.
    """
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")

    def hold(
        primitive: Primitive,
        *arrays: Any,
        tolerance: float = 1e-6,
        absolute: float | None = None,
        accepts: bool = True,
        **options: Any,
    ) -> Any:
        threads = native.kernels.get_num_threads()
        found = []
        try:
            for count in (1, 2, 3, 4):
                native.kernels.set_num_threads(count)
                found.append(primitive.kernels["native"](*arrays, **options))
        finally:
            native.kernels.set_num_threads(threads)
        if not accepts:
            assert all(each is NotImplemented for each in found), f"{primitive.name} took what it should decline"
            return None
        assert found[0] is not NotImplemented, f"{primitive.name} declined"
        for count, other in enumerate(found[1:], 2):
            for one, several in zip(_several(found[0]), _several(other), strict=True):
                assert one.tobytes() == several.tobytes(), (
                    f"{primitive.name}: other bits with {count} threads than with 1"
                )
        expected = _several(primitive.forward(np, *arrays, **options))
        for have, want in zip(_several(found[0]), expected, strict=True):
            want = np.asarray(want)
            assert have.shape == want.shape and have.dtype == want.dtype, (
                have.shape,
                have.dtype,
                want.shape,
                want.dtype,
            )
            wide, exact = _as_doubles(have), _as_doubles(want)
            finite = np.isfinite(exact)
            np.testing.assert_array_equal(wide[~finite], exact[~finite])
            limit = absolute if absolute is not None else tolerance * max(1.0, np.abs(exact[finite]).max(initial=0.0))
            np.testing.assert_allclose(wide[finite], exact[finite], rtol=0, atol=limit)
        return found[0]

    return hold
