"""Distributions next to PyTorch's: densities, moments, numbers drawn, divergences, transforms."""

import facula
import numpy as np
import pytest
from cases import instances

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

MINE, THEIRS = instances(facula), instances(torch)
#: Drawn by a sequence of steps of its own, so that other numbers come.
OTHER_NUMBERS = {"VonMises", "Wishart", "LKJCholesky"}


def to_numpy(value) -> np.ndarray:
    return value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)


def same(mine, theirs, **tolerance) -> None:
    a, b = to_numpy(mine), to_numpy(theirs)
    assert a.shape == b.shape and a.dtype == b.dtype, (a.shape, b.shape, a.dtype, b.dtype)
    assert np.allclose(a, b, equal_nan=True, **{"rtol": 1e-5, "atol": 1e-7, **tolerance}), (a, b)


def samples(name: str) -> tuple:
    """Return numbers that both distributions can give."""
    torch.manual_seed(1)
    theirs = THEIRS[name]().sample((4,))
    return facula.from_numpy(theirs.numpy().copy()), theirs


@pytest.mark.parametrize("name", MINE)
def test_densities_and_shapes(name) -> None:
    mine, theirs = MINE[name](), THEIRS[name]()
    assert (tuple(mine.batch_shape), tuple(mine.event_shape)) == (tuple(theirs.batch_shape), tuple(theirs.event_shape))
    assert (mine.has_rsample, mine.has_enumerate_support) == (theirs.has_rsample, theirs.has_enumerate_support)
    value, reference = samples(name)
    same(mine.log_prob(value), theirs.log_prob(reference))
    shape = (2, *mine.batch_shape)
    same(mine.expand(shape).log_prob(value[0]), theirs.expand(shape).log_prob(reference[0]))


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("what", ["mean", "mode", "variance", "stddev", "entropy", "cdf", "icdf"])
def test_moments_and_functions(name, what) -> None:
    mine, theirs = MINE[name](), THEIRS[name]()
    value, reference = samples(name)
    if what == "icdf":
        value, reference = facula.tensor(0.3, dtype=facula.float64), torch.tensor(0.3, dtype=torch.float64)
    try:
        expected = getattr(theirs, what)
        expected = expected(reference) if what in ("cdf", "icdf") else expected() if what == "entropy" else expected
    except NotImplementedError:
        return
    found = getattr(mine, what)
    found = found(value) if what in ("cdf", "icdf") else found() if what == "entropy" else found
    same(found, expected)


@pytest.mark.parametrize("name", [name for name in MINE if name not in OTHER_NUMBERS])
def test_the_same_numbers_are_drawn(name) -> None:
    facula.manual_seed(3)
    torch.manual_seed(3)
    same(MINE[name]().sample((5,)), THEIRS[name]().sample((5,)))


@pytest.mark.parametrize("name", MINE)
def test_divergences(name) -> None:
    p, p_reference = MINE[name](), THEIRS[name]()
    for other in MINE:
        try:
            expected = torch.distributions.kl_divergence(p_reference, THEIRS[other]())
        except (NotImplementedError, ValueError, RuntimeError):
            continue
        same(facula.distributions.kl_divergence(p, MINE[other]()), expected)


@pytest.mark.parametrize("name", ["Gamma", "Beta", "Dirichlet", "StudentT", "Chi2", "Normal", "Weibull"])
def test_gradients_through_samples(name) -> None:
    def gradients(T, make):
        T.manual_seed(0)
        distribution = make()
        names = [
            key
            for key in distribution.arg_constraints
            if not isinstance(getattr(type(distribution), key, None), property)
        ]
        parameters = [getattr(distribution, key).clone().requires_grad_() for key in names]
        made = type(distribution)(**dict(zip(names, parameters, strict=True))) if names else distribution
        if not names:
            return []
        value = made.rsample((3,))
        return [each.numpy() for each in T.autograd.grad(value.log().abs().sum(), parameters)]

    for mine, theirs in zip(gradients(facula, MINE[name]), gradients(torch, THEIRS[name]), strict=True):
        if name == "Dirichlet":  # another path to the same expectation
            assert mine.shape == theirs.shape
        else:
            assert np.allclose(mine, theirs, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(
    "constraint",
    [
        *("real", "positive", "nonnegative", "unit_interval", "simplex", "lower_cholesky", "positive_definite"),
        *("corr_cholesky", "real_vector"),
    ],
)
def test_transforms_to_constraints(constraint) -> None:
    x = np.random.RandomState(0).randn(2, 3, 3)
    for registry in ("transform_to", "biject_to"):
        try:
            theirs = getattr(torch.distributions, registry)(getattr(torch.distributions.constraints, constraint))
        except NotImplementedError:
            continue
        allowed = getattr(facula.distributions.constraints, constraint)
        mine = getattr(facula.distributions, registry)(allowed)
        a, b = facula.from_numpy(x), torch.from_numpy(x)
        y, reference = mine(a), theirs(b)
        same(y, reference)
        assert allowed.check(y).all()
        same(mine.inv(y), theirs.inv(reference))
        if theirs.bijective:
            same(mine.log_abs_det_jacobian(a, y), theirs.log_abs_det_jacobian(b, reference))
        assert tuple(mine.forward_shape((2, 3, 3))) == tuple(theirs.forward_shape((2, 3, 3)))
