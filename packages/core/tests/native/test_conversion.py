"""Copies in another type."""

import facula
import numpy as np
import pytest
from facula import native
from facula.ops import conversion

BFLOAT16 = facula.bfloat16.numpy
PAIRS = [(source, np.dtype(np.float32)) for source in (np.float64, BFLOAT16, np.int64, np.int32, np.uint8, np.bool_)]
PAIRS += [(np.float32, np.dtype(np.float64)), (np.float32, BFLOAT16)]
# Older processors do not know float16, which is left to NumPy there.
HALVES = [(np.float16, np.dtype(np.float32)), (np.float32, np.dtype(np.float16))]
PAIRS += HALVES if native.available and native.level >= 3 else []
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, 1e-40, 3.4e38, 1 + 2**-8, 1 + 3 * 2**-8], np.float32)


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=str)
def test_cast(held, source, target) -> None:
    for shape in [(), (0,), (17,), (5, 7), (40_001,)]:
        x = np.asarray(100 * np.random.default_rng(0).random(shape)).astype(source)
        found = held(conversion._cast, x, dtype=target)
        assert (found == x.astype(target)).all()
        if x.ndim == 2:
            assert held(conversion._cast, x.T, dtype=target).flags.f_contiguous
    held(conversion._cast, np.ones((4, 6), source)[:, ::2], dtype=target, accepts=False)


def test_special_numbers(held) -> None:
    for target in (np.dtype(np.float64), BFLOAT16):
        with np.errstate(all="ignore"):
            found = held(conversion._cast, SPECIAL, dtype=target)
            assert found.tobytes() == SPECIAL.astype(target).tobytes()
    found = held(conversion._cast, np.array([np.nan], np.float32), dtype=BFLOAT16)
    assert np.isnan(found.astype(np.float32)).all()


def test_what_is_declined(held) -> None:
    held(conversion._cast, np.ones(3, np.float32), dtype=np.dtype(np.int64), accepts=False)
    held(conversion._cast, np.ones(3, np.float16), dtype=np.dtype(np.float64), accepts=False)


@pytest.mark.skipif(HALVES[0] not in PAIRS, reason="this processor does not know float16")
def test_every_float16_and_what_lies_between(held) -> None:
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    wide = held(conversion._cast, halves, dtype=np.dtype(np.float32))
    numbers = ~np.isnan(halves)
    assert (wide[numbers] == halves[numbers].astype(np.float32)).all() and np.isnan(wide[~numbers]).all()
    ordered = np.sort(wide[numbers & np.isfinite(halves)].astype(np.float64))
    for share in (0.25, 0.5, 0.75):
        between = (ordered[:-1] + share * np.diff(ordered)).astype(np.float32)
        assert (
            held(conversion._cast, between, dtype=np.dtype(np.float16)).tobytes()
            == between.astype(np.float16).tobytes()
        )
