"""Bessel's, Airy's and incomplete gamma functions and orthogonal polynomials against SciPy; windows and masks."""

import facula
import numpy as np
import pytest
from facula import masked
from facula.signal import windows

scipy_special = pytest.importorskip("scipy.special")
scipy_windows = pytest.importorskip("scipy.signal.windows")

X = np.concatenate([np.array([0.0, 1e-9, 1e-3]), np.linspace(0.05, 60, 301), np.array([1e3])])


@pytest.mark.parametrize(
    ("name", "reference", "x"),
    [
        ("bessel_j0", "j0", X),
        ("bessel_j1", "j1", np.concatenate([-X, X])),
        ("bessel_y0", "y0", X),
        ("bessel_y1", "y1", X),
        ("modified_bessel_k0", "k0", X),
        ("modified_bessel_k1", "k1", X),
        ("scaled_modified_bessel_k0", "k0e", X),
        ("scaled_modified_bessel_k1", "k1e", X),
        ("airy_ai", lambda x: scipy_special.airy(x)[0], np.linspace(-30, 15, 401)),
        ("spherical_bessel_j0", lambda x: scipy_special.spherical_jn(0, x), X),
    ],
)
def test_functions_of_one_number(name, reference, x) -> None:
    function = getattr(scipy_special, reference) if isinstance(reference, str) else reference
    found = getattr(facula.special, name)(facula.from_numpy(x)).numpy()
    assert np.allclose(found, function(x), rtol=1e-9, atol=1e-9)
    single = getattr(facula.special, name)(facula.from_numpy(x.astype(np.float32)))
    assert single.dtype == facula.float32


@pytest.mark.parametrize(("name", "reference"), [("gammainc", "gammainc"), ("gammaincc", "gammaincc")])
def test_incomplete_gamma_functions(name, reference) -> None:
    a, x = np.meshgrid([0.0, 0.1, 1.0, 3.5, 40.0, 1000.0], [0.0, 0.01, 1.0, 4.0, 39.0, 990.0, 1100.0, np.inf])
    found = getattr(facula.special, name)(facula.from_numpy(a), facula.from_numpy(x)).numpy()
    assert np.allclose(found, getattr(scipy_special, reference)(a, x), rtol=1e-10, atol=1e-14, equal_nan=True)
    assert facula.igamma(facula.tensor(-1.0), facula.tensor(1.0)).isnan()
    y = facula.tensor([0.5, 2.0], dtype=facula.float64, requires_grad=True)
    facula.autograd.gradcheck(lambda y: facula.igammac(facula.tensor(1.5, dtype=facula.float64), y), (y,))


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("chebyshev_polynomial_t", "eval_chebyt"),
        ("chebyshev_polynomial_u", "eval_chebyu"),
        ("shifted_chebyshev_polynomial_t", "eval_sh_chebyt"),
        ("shifted_chebyshev_polynomial_u", "eval_sh_chebyu"),
        ("hermite_polynomial_h", "eval_hermite"),
        ("hermite_polynomial_he", "eval_hermitenorm"),
        ("laguerre_polynomial_l", "eval_laguerre"),
        ("legendre_polynomial_p", "eval_legendre"),
    ],
)
def test_polynomials(name, reference) -> None:
    x, n = np.linspace(-1.5, 2, 9), np.arange(6)
    found = getattr(facula.special, name)(facula.from_numpy(x)[:, None], facula.from_numpy(n))
    assert np.allclose(found.numpy(), getattr(scipy_special, reference)(n, x[:, None]), rtol=1e-10)
    assert getattr(facula.special, name)(facula.tensor([0.5]), -1).item() == 0.0


@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("bartlett", {}), ("blackman", {}), ("cosine", {}), ("hamming", {}), ("hann", {}), ("nuttall", {})),
        *(("gaussian", {"std": 2.0}), ("kaiser", {"beta": 5.0}), ("exponential", {"tau": 3.0})),
        *(("general_cosine", {"a": [0.5, 0.3, 0.2]}), ("general_hamming", {"alpha": 0.6})),
    ],
)
def test_windows(name, options, sym) -> None:
    for points in (0, 1, 2, 7, 8):
        found = getattr(windows, name)(points, sym=sym, dtype=facula.float64, **options)
        assert np.allclose(found.numpy(), getattr(scipy_windows, name)(points, sym=sym, **options), atol=1e-9)
    with pytest.raises(ValueError, match="non-negative window length, got M=-1"):
        getattr(windows, name)(-1, **options)


REDUCTIONS = {
    "sum": np.ma.sum,
    "prod": np.ma.prod,
    "amax": np.ma.max,
    "amin": np.ma.min,
    "mean": np.ma.mean,
    "median": np.ma.median,
    "var": lambda x, axis: np.ma.var(x, axis, ddof=1),
    "std": lambda x, axis: np.ma.std(x, axis, ddof=1),
    "norm": lambda x, dim: np.sqrt(np.ma.sum(x * x, dim)),
    "logsumexp": lambda x, dim: np.log(np.ma.sum(np.exp(x), dim)),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_masked_reductions(name) -> None:
    random = np.random.RandomState(0)
    x, mask = random.randn(4, 7), random.rand(4, 7) > 0.4
    expected = REDUCTIONS[name](np.ma.array(x, mask=~mask), 1)
    found = getattr(masked, name)(facula.from_numpy(x), dim=1, mask=facula.from_numpy(mask)).numpy()
    if name == "median":  # the lower of the two in the middle
        expected = np.array([np.sort(row[keep])[(keep.sum() - 1) // 2] for row, keep in zip(x, mask, strict=True)])
    assert np.allclose(found, np.asarray(expected))


def test_masked_normalisations() -> None:
    x = facula.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    mask = facula.tensor([[True, False, True], [False, True, True]])
    found = masked.softmax(x, 1, mask=mask)
    assert found[0, 1] == found[1, 0] == 0
    assert facula.allclose(found.sum(1), facula.ones(2))
    assert facula.allclose(masked.log_softmax(x, 1, mask=mask).exp(), found)
    assert masked.normalize(x, 1.0, 1, mask=mask).tolist() == [[0.25, 0.0, 0.75], [0.0, 0.5, 0.5]]
    assert masked.cumsum(x, 1, mask=mask).tolist() == [[1.0, 1.0, 4.0], [0.0, 1.0, 2.0]]
    assert masked.sum(x, mask=facula.tensor(False)).item() == 0.0
    with pytest.raises(RuntimeError, match="appears multiple times"):
        masked.sum(x, (0, 0))
