"""Rows of Fourier transforms: NumPy's under the same names, and short-time transforms."""

import numpy as np

from samples.sample import COMPLEX, INTEGERS, NUMBERS, WIDE_FLOATS, Case, Sample, between, case, complexes, numbers


def numpys(name: str, cases: list[Case], dtypes: tuple[str, ...] = WIDE_FLOATS, result: str = "complex") -> Sample:
    """Return the row of a function that NumPy has too; its ``dim`` is NumPy's ``axis`` or ``axes``."""
    function = getattr(np.fft, name)
    return Sample("fft." + name, cases, function, dtypes=dtypes, result=result, slack=4)


COMPLEX_LINE = [
    case(numbers(2, 3)),
    case(complexes(2, 4)),
    case(complexes(2, 3), 4, 0, "ortho"),
    case(complexes(3), 2, -1, "forward"),
    case(complexes(0, 3)),
]
REAL_LINE = [
    case(numbers(2, 4)),
    case(numbers(2, 3), 5, 1, "ortho"),
    case(numbers(3, 2), 2, 0, "forward"),
    case(numbers(0, 3)),
]
HALF_LINE = [case(complexes(2, 3)), case(complexes(2, 3), 5, 1, "ortho"), case(complexes(3, 2), 3, 0, "forward")]
COMPLEX_PLANE = [
    case(numbers(2, 3)),
    case(complexes(2, 2, 3)),
    case(complexes(2, 3), (3, 2), (0, 1), "ortho"),
    case(complexes(0, 2, 3)),
]
REAL_PLANE = [case(numbers(2, 3)), case(numbers(2, 2, 4)), case(numbers(2, 3), (3, 2), (1, 0), "ortho")]
HALF_PLANE = [case(complexes(2, 3)), case(complexes(2, 3), (3, 3), (0, 1), "ortho")]


def hermitian(x: np.ndarray, s: tuple[int, ...] | None, dim: tuple[int, ...], norm: str | None) -> np.ndarray:
    """Return the real spectrum of a signal given by half of it: complex along all dimensions, half along the last."""
    for at, axis in enumerate(dim[:-1]):
        x = np.fft.fft(x, None if s is None else s[at], axis, norm)
    return np.fft.hfft(x, None if s is None else s[-1], dim[-1], norm)


def inverse_hermitian(x: np.ndarray, s: tuple[int, ...] | None, dim: tuple[int, ...], norm: str | None) -> np.ndarray:
    x = np.fft.ihfft(x, None if s is None else s[-1], dim[-1], norm)
    for at, axis in enumerate(dim[:-1]):
        x = np.fft.ifft(x, None if s is None else s[at], axis, norm)
    return x


def frames(x: np.ndarray, n_fft: int, hop: int, window: np.ndarray, center: bool) -> np.ndarray:
    if center:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], "reflect")
    starts = range(0, x.shape[-1] - n_fft + 1, hop)
    return np.stack([x[..., at : at + n_fft] * window for at in starts], -1)


def stft(x, n_fft, hop, window, center=True, normalized=False, onesided=True, return_complex=True) -> np.ndarray:
    """Return the spectrum of each windowed frame."""
    transform = np.fft.rfft if onesided else np.fft.fft
    spectrum = transform(frames(x, n_fft, hop, window, center), axis=-2)
    return spectrum / np.sqrt(n_fft) if normalized else spectrum


def istft(spectrum, n_fft, hop, window, normalized=False, length=None) -> np.ndarray:
    """Return the frames added where they were, divided by the sum of squared windows."""
    spectrum = spectrum * np.sqrt(n_fft) if normalized else spectrum
    pieces = np.fft.irfft(spectrum, n_fft, axis=-2)
    count = pieces.shape[-1]
    total = np.zeros((*pieces.shape[:-2], n_fft + hop * (count - 1)))
    weight = np.zeros(total.shape[-1])
    for at in range(count):
        total[..., at * hop : at * hop + n_fft] += pieces[..., at] * window
        weight[at * hop : at * hop + n_fft] += window**2
    inner = slice(n_fft // 2, n_fft // 2 + length if length else total.shape[-1] - n_fft // 2)
    return total[..., inner] / weight[inner]


WINDOW = between(0.5, 1.5, 4)

ROWS = [
    *[numpys(name, COMPLEX_LINE, WIDE_FLOATS + INTEGERS + COMPLEX) for name in ("fft", "ifft")],
    numpys("rfft", REAL_LINE, WIDE_FLOATS + INTEGERS),
    numpys("ihfft", REAL_LINE),
    numpys("irfft", HALF_LINE, COMPLEX, "real"),
    numpys("hfft", HALF_LINE, COMPLEX, "real"),
    *[numpys(name, COMPLEX_PLANE, WIDE_FLOATS + COMPLEX) for name in ("fft2", "ifft2")],
    *[numpys(name, COMPLEX_PLANE[:-1], WIDE_FLOATS + COMPLEX) for name in ("fftn", "ifftn")],
    *[numpys(name, REAL_PLANE) for name in ("rfft2", "rfftn")],
    *[numpys(name, HALF_PLANE, COMPLEX, "real") for name in ("irfft2", "irfftn")],
    *[
        Sample(
            name,
            [case(complexes(2, 3), None, (0, 1), None), case(complexes(2, 3), (3, 4), (1, 0), "ortho")],
            hermitian,
            COMPLEX,
            "real",
            slack=4,
        )
        for name in ("fft.hfft2", "fft.hfftn")
    ],
    *[
        Sample(
            name,
            [case(numbers(2, 3), None, (0, 1), None), case(numbers(2, 3), (3, 4), (1, 0), "ortho")],
            inverse_hermitian,
            WIDE_FLOATS,
            "complex",
            slack=4,
        )
        for name in ("fft.ihfft2", "fft.ihfftn")
    ],
    *[
        numpys(
            name,
            [case(numbers(3, 4)), case(complexes(5)), case(numbers(3, 4), (1,)), case(numbers(0, 3))],
            NUMBERS,
            "same",
        )
        for name in ("fftshift", "ifftshift")
    ],
    *[
        Sample("fft." + name, [case(5), case(4, 0.5), case(1)], getattr(np.fft, name), dtypes=(), tolerance=1e-7)
        for name in ("fftfreq", "rfftfreq")
    ],
    Sample(
        "stft",
        [
            case(numbers(2, 10), 4, 2, window=WINDOW, return_complex=True),
            case(numbers(8), 4, 3, window=WINDOW, center=False, normalized=True, return_complex=True),
            case(numbers(8), 4, 2, window=WINDOW, onesided=False, return_complex=True),
        ],
        stft,
        dtypes=(),
        slack=4,
    ),
    Sample(
        "istft",
        [
            case(complexes(2, 3, 5), 4, 2, window=WINDOW),
            case(complexes(3, 5), 4, 2, window=WINDOW, normalized=True, length=7),
        ],
        istft,
        dtypes=(),
        slack=4,
    ),
]
