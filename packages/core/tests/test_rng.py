"""Random numbers: values recorded from PyTorch 2.13, mixed sequences against PyTorch where it is installed, errors."""

import copy
import hashlib
import math
import pickle
import random
from collections.abc import Callable
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from facula import rng
from facula.rng import discrete
from facula.rng.rounding import fma_float32, fma_float64

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = {"float16": np.float16, "bfloat16": BFLOAT16, "float32": np.float32, "float64": np.float64}


def seeded(seed: int = 2024) -> rng.Generator:
    return rng.Generator().manual_seed(seed)


def last_four(values: np.ndarray) -> list[float]:
    flat = values.reshape(-1)[-4:]
    return flat.astype(np.float64).tolist() if flat.dtype.kind in "fV" else flat.tolist()


# What PyTorch gives, from a generator seeded with 2024: the last four numbers.
RECORDED = [
    ("uniform 3", lambda g: rng.uniform(g, 3), [0.5317158699035645, 0.8312679529190063, 0.9718379974365234]),
    (
        "uniform float16",
        lambda g: rng.uniform(g, 100, -2.0, 3.0, np.float16),
        [0.57861328125, -0.02069091796875, -1.9423828125, 0.94677734375],
    ),
    (
        "uniform bfloat16",
        lambda g: rng.uniform(g, 100, -0.1, 0.1, BFLOAT16),
        [0.0031585693359375, -0.0208740234375, -0.09765625, 0.017822265625],
    ),
    (
        "uniform float64",
        lambda g: rng.uniform(g, 100, -2.0, 3.0, np.float64),
        [-0.46347026438724337, 1.9211814787106258, 1.8598733340425677, 1.9092055884919001],
    ),
    (
        "normal 5",
        lambda g: rng.normal(g, 5),
        [1.7259920835494995, -0.8140387535095215, 1.372166633605957, 0.5059648156166077],
    ),
    (
        "normal 16",
        lambda g: rng.normal(g, (4, 4)),
        [0.5358046293258667, -0.8898264169692993, -0.3098963499069214, 0.77411288022995],
    ),
    (
        "normal 37",
        lambda g: rng.normal(g, 37),
        [-0.9224638342857361, -0.9809549450874329, 1.6001513004302979, 3.124418258666992],
    ),
    (
        "normal 100000",
        lambda g: rng.normal(g, (100, 1000)),
        [0.2178449034690857, -0.6477257013320923, -0.7183555960655212, -0.4829445779323578],
    ),
    (
        "normal(3, 0.5)",
        lambda g: rng.normal(g, 37, 3.0, 0.5),
        [2.5387680530548096, 2.5095224380493164, 3.8000755310058594, 4.562209129333496],
    ),
    (
        "normal float16 5",
        lambda g: rng.normal(g, 5, dtype=np.float16),
        [1.7255859375, -0.81396484375, 1.3720703125, 0.505859375],
    ),
    (
        "normal float16 37",
        lambda g: rng.normal(g, 37, dtype=np.float16),
        [-0.05755615234375, -0.0595703125, 0.2763671875, -0.240234375],
    ),
    (
        "normal bfloat16 37",
        lambda g: rng.normal(g, 37, dtype=BFLOAT16),
        [-0.0576171875, -0.0595703125, 0.27734375, -0.240234375],
    ),
    (
        "normal complex64",
        lambda g: rng.normal(g, 20, dtype=np.complex64).view(np.float32),
        [2.2092974185943604, -0.39353930950164795, 0.7675927877426147, 0.023439597338438034],
    ),
    ("randint", lambda g: rng.random_integers(g, 100, 0, 10), [1, 3, 8, 4]),
    (
        "randint wide",
        lambda g: rng.random_integers(g, 100, -5, 2**40),
        [495057579417, 509831958717, 18051224400, 926253849344],
    ),
    (
        "random_ int32",
        lambda g: rng.random_full(g, 100, np.int32),
        [1099172021, 1969575725, 1577250880, 949412236],
    ),
    (
        "random_ int64",
        lambda g: rng.random_full(g, 100, np.int64),
        [6875260997265276615, 1718431630979337786, 3591818633030471385, 3195590734910969881],
    ),
    ("random_ float32", lambda g: rng.random_full(g, 100, np.float32), [8652916.0, 6641208.0, 192354.0, 9887956.0]),
    ("randperm 10", lambda g: rng.permutation(g, 10), [1, 9, 4, 6]),
    ("randperm 5000", lambda g: rng.permutation(g, 5000), [2316, 1522, 3893, 3528]),
    (
        "bernoulli number",
        lambda g: np.flatnonzero(rng.bernoulli(g, 60, 0.3)),
        [53, 55, 57, 58],
    ),
    (
        "bernoulli array",
        lambda g: np.flatnonzero(rng.bernoulli(g, 40, np.linspace(0, 1, 40, dtype=np.float32))),
        [36, 37, 38, 39],
    ),
    (
        "exponential",
        lambda g: rng.exponential(g, 100, 1.5),
        [0.24477790296077728, 1.0223809480667114, 0.9855323433876038, 1.0150210857391357],
    ),
    ("geometric", lambda g: rng.geometric(g, 100, 0.2), [6.0, 2.0, 2.0, 2.0]),
    (
        "cauchy",
        lambda g: rng.cauchy(g, 100, 1.0, 2.0),
        [-0.3840875029563904, 3.4841701984405518, 3.297126293182373, 3.446256637573242],
    ),
    (
        "log_normal",
        lambda g: rng.log_normal(g, 100, 1.0, 0.5),
        [1.9966566562652588, 6.168838024139404, 3.065115451812744, 1.1454503536224365],
    ),
    ("multinomial", lambda g: rng.multinomial(g, np.arange(1.0, 21.0, dtype=np.float32), 10), [17, 8, 14, 7]),
    (
        "multinomial with replacement",
        lambda g: rng.multinomial(g, np.arange(1.0, 21.0, dtype=np.float32), 10, True),
        [12, 12, 13, 6],
    ),
    ("poisson", lambda g: rng.poisson(g, np.arange(50, dtype=np.float32)), [35.0, 49.0, 58.0, 58.0]),
    (
        "gamma",
        lambda g: rng.standard_gamma(g, np.arange(1, 50, dtype=np.float32) / np.float32(10)),
        [3.843301296234131, 2.2395999431610107, 2.2753889560699463, 4.256032466888428],
    ),
    (
        "dirichlet",
        lambda g: rng.dirichlet(g, np.arange(1, 51, dtype=np.float32).reshape(10, 5) / np.float32(10)),
        [0.13903836905956268, 0.14126022160053253, 0.264222115278244, 0.21688029170036316],
    ),
    (
        "binomial",
        lambda g: rng.binomial(
            g, np.arange(1, 51, dtype=np.float32), np.arange(1, 51, dtype=np.float32) / np.float32(60)
        ),
        [34.0, 38.0, 33.0, 42.0],
    ),
]

# These come straight out of the C library's functions, so another platform's may give another last bit.
RECORDED_FLOAT64 = [
    (5, [1.72599212022981, -0.8140387642807665, 1.3721666341808492, 0.505964787487793]),
    (16, [-1.8874054019827802, -0.6870325569239885, -0.7092346561856722, 0.7176353700328852]),
    (37, [1.0050543278222706, -1.1606073687034735, -0.16499382829493872, 1.4809646186812138]),
    (100000, [-0.9146543820450341, -0.9375760751852189, 0.3989194300254879, 0.43873947294618965]),
]


@pytest.mark.parametrize(("draw", "expected"), [row[1:] for row in RECORDED], ids=[row[0] for row in RECORDED])
def test_recorded(draw: Callable[[rng.Generator], np.ndarray], expected: list[float]) -> None:
    assert last_four(draw(seeded())) == expected


@pytest.mark.parametrize(("count", "expected"), RECORDED_FLOAT64)
def test_recorded_normal_float64(count: int, expected: list[float]) -> None:
    values = rng.normal(seeded(), count, dtype=np.float64)[-4:]
    np.testing.assert_array_max_ulp(values, np.array(expected), maxulp=2)


def test_recorded_states() -> None:
    def digest() -> str:
        return hashlib.sha256(generator.get_state_array().tobytes()).hexdigest()

    generator = seeded()
    assert digest() == "88dc2922f3b13c33260a1f2064b3a551422700e416cfc14230f22a0b5f849e56"
    rng.uniform(generator, 1003)
    rng.uniform(generator, 1003, dtype=np.float64)
    state = generator.get_state_array()
    assert state.dtype == np.uint8
    assert state.shape == (5056,)
    assert state[:4].tolist() == [2024 % 256, 2024 // 256, 0, 0]
    used = 3 * 1003 % 624
    assert state[8:16].view(np.int32).tolist() == [625 - used, 1]
    assert state[16:24].view(np.uint64).tolist() == [used]


def test_state_round_trip_keeps_the_waiting_normal() -> None:
    generator = seeded()
    rng.normal(generator, 3)
    state = generator.get_state_array()
    expected = rng.normal(generator, 5)
    other = rng.Generator()
    other.set_state_array(state)
    assert other.initial_seed() == 2024
    assert np.array_equal(rng.normal(other, 5), expected)
    assert not np.array_equal(rng.normal(seeded(), 5), expected)


@pytest.mark.parametrize(
    "duplicate", [rng.Generator.clone_state, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))]
)
def test_copies_go_on_alike_and_apart(duplicate: Callable[[rng.Generator], rng.Generator]) -> None:
    generator = seeded()
    rng.normal(generator, 3)
    twin = duplicate(generator)
    expected = rng.uniform(generator, 700)
    assert np.array_equal(rng.uniform(twin, 700), expected)
    assert np.array_equal(twin.get_state_array(), generator.get_state_array())


def test_one_long_draw_is_many_short_ones() -> None:
    whole, parts = seeded(), seeded()
    expected = rng.uniform(whole, 100_000)
    counts = [1, 622, 1, 1, 623, 40_000, 58_752]
    assert np.array_equal(np.concatenate([rng.uniform(parts, count) for count in counts]), expected)
    assert np.array_equal(whole.get_state_array(), parts.get_state_array())


def test_seeds() -> None:
    generator = rng.Generator()
    assert generator.initial_seed() == 67280421310721
    assert generator.manual_seed(-1) is generator
    assert generator.initial_seed() == 2**64 - 1
    assert generator.manual_seed(np.int64(5)).initial_seed() == 5
    first = generator.seed()
    assert generator.initial_seed() == first
    assert generator.seed() != first
    # The engine itself has 32 bits of seed.
    assert np.array_equal(rng.uniform(seeded(7), 5), rng.uniform(seeded(7 + 2**32), 5))


@pytest.mark.parametrize("seed", [-(2**63) - 1, 2**64])
def test_seed_out_of_range(seed: int) -> None:
    with pytest.raises(ValueError, match="Overflow when unpacking long long"):
        rng.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", [1.5, True, "7", None])
def test_seed_of_wrong_type(seed: object) -> None:
    with pytest.raises(RuntimeError, match=f"manual_seed expected a long, but got {type(seed).__name__}"):
        rng.Generator().manual_seed(seed)


def test_default_generator() -> None:
    before = rng.default_generator.get_state_array()
    try:
        assert rng.manual_seed(3) is rng.default_generator
        assert rng.initial_seed() == 3
        assert np.array_equal(rng.uniform(rng.default_generator, 4), rng.uniform(seeded(3), 4))
        assert rng.seed() == rng.initial_seed()
    finally:
        rng.default_generator.set_state_array(before)


def test_state_errors() -> None:
    generator = seeded()
    with pytest.raises(RuntimeError, match="of size 5056 but found the input RNG state size to be 3"):
        generator.set_state_array(np.zeros(3, np.uint8))
    with pytest.raises(TypeError, match="must be a ByteTensor, but its elements are float32"):
        generator.set_state_array(np.zeros(5056, np.float32))
    with pytest.raises(RuntimeError, match="Invalid mt19937 state"):
        generator.set_state_array(np.zeros(5056, np.uint8))
    with pytest.raises(TypeError, match="expected a ByteTensor, but got int"):
        generator.set_state(5)
    with pytest.raises(RuntimeError, match="CPU Generator does not use offset"):
        generator.get_offset()
    with pytest.raises(RuntimeError, match="cpu, cuda device type"):
        rng.Generator("tpu")
    assert np.array_equal(generator.get_state_array(), seeded().get_state_array())


def test_cuda_generator_state_needs_no_gpu() -> None:
    generator = rng.Generator("cuda:0").manual_seed(7)
    generator.set_offset(12)
    clone = generator.clone_state()
    assert (clone.initial_seed(), clone.get_offset(), clone.device_type) == (7, 12, "cuda")
    assert generator.get_state_array().nbytes == 16
    with pytest.raises(RuntimeError, match="multiple of 4, but got 3"):
        generator.set_offset(3)


ERRORS = [
    (
        lambda g: rng.uniform(g, 2, 2.0, 1.0),
        r"uniform_ expects to return a \[from, to\) range, but found from=2 > to=1",
    ),
    (lambda g: rng.uniform(g, 2, 0.0, 1e6, np.float16), "to is out of bounds for float16: 1e.06"),
    (lambda g: rng.uniform(g, 2, dtype=np.int64), "but you specified int64"),
    (lambda g: rng.normal(g, 2, 0.0, -1.0), "normal expects std >= 0.0, but found std -1"),
    (lambda g: rng.normal(g, 2, dtype=np.int64), "but you specified int64"),
    (lambda g: rng.exponential(g, 2, 0.0), "exponential_ expects lambda > 0.0, but found lambda=0"),
    (lambda g: rng.exponential(g, 2, dtype=np.int64), "but you specified int64"),
    (lambda g: rng.cauchy(g, 2, 0.0, 0.0), "cauchy_ expects sigma > 0.0, but found sigma=0"),
    (lambda g: rng.log_normal(g, 2, 0.0, 0.0), "log_normal_ expects std > 0.0, but found std=0"),
    (lambda g: rng.geometric(g, 2, 1.0), r"geometric_ expects p to be in \(0, 1\), but got p=1"),
    (lambda g: rng.bernoulli(g, 2, 1.5), r"bernoulli_ expects p to be in \[0, 1\], but got p=1.5"),
    (lambda g: rng.bernoulli(g, 2, np.array([0.5, 2.0])), "Expected p_in >= 0 && p_in <= 1"),
    (lambda g: rng.random_integers(g, 2, 3, 2), "'from' to be less than 'to', but got from=3 >= to=2"),
    (lambda g: rng.random_integers(g, 2, 0, 300, np.uint8), "to - 1 is out of bounds for uint8"),
    (lambda g: rng.random_integers(g, 2, -1, 3, np.uint8), "from is out of bounds for uint8"),
    (lambda g: rng.random_integers(g, 2, -(2**63), None, np.int32), "but got int32"),
    (lambda g: rng.permutation(g, -1), "n must be non-negative, got -1"),
    (lambda g: rng.permutation(g, 300, np.uint8), "n cannot be greater than 255 for type uint8, but got 300"),
    (lambda g: rng.multinomial(g, np.ones((2, 2, 2)), 1), "1 or 2 dim, but got 3"),
    (lambda g: rng.multinomial(g, np.ones(3), 4), "without replacement"),
    (lambda g: rng.multinomial(g, np.ones(3), 0), "n_sample <= 0 samples, but got 0"),
    (lambda g: rng.multinomial(g, np.ones(3, np.int64), 1), "floating-point dtypes for input, got: int64"),
    (lambda g: rng.multinomial(g, np.zeros(3), 2), "sum of probabilities <= 0"),
    (lambda g: rng.multinomial(g, np.zeros(3), 2, True), "sum of probabilities <= 0"),
    (lambda g: rng.multinomial(g, np.array([1.0, np.nan]), 2), "either `inf`, `nan` or element < 0"),
    (lambda g: rng.multinomial(g, np.array([1.0, np.inf]), 2, True), "= infinity or NaN"),
    (lambda g: rng.multinomial(g, np.array([1.0, -1.0]), 2, True), "probability entry < 0"),
    (lambda g: rng.poisson(g, np.array([-1.0])), "invalid Poisson rate"),
]


@pytest.mark.parametrize(("draw", "message"), ERRORS)
def test_errors_leave_the_generator_alone(draw: Callable[[rng.Generator], object], message: str) -> None:
    generator = seeded()
    with pytest.raises(RuntimeError, match=message):
        draw(generator)
    assert np.array_equal(generator.get_state_array(), seeded().get_state_array())


def test_shapes_and_empty_draws() -> None:
    generator = seeded()
    assert rng.uniform(generator, (0, 3)).shape == (0, 3)
    assert rng.normal(generator, 0).shape == (0,)
    assert rng.permutation(generator, 0).shape == (0,)
    assert rng.permutation(generator, 1).tolist() == [0]
    assert rng.poisson(generator, np.empty((0, 2))).shape == (0, 2)
    assert rng.multinomial(generator, np.empty((0, 4)), 2).shape == (0, 2)
    assert np.array_equal(generator.get_state_array(), seeded().get_state_array())
    assert rng.normal(generator, (), dtype=np.float64).shape == ()
    assert rng.normal(generator, (2, 3), dtype=np.complex128).shape == (2, 3)
    assert rng.bernoulli(generator, (2, 3), np.array([0.0, 1.0, 1.0]), np.bool_).tolist() == [[False, True, True]] * 2


def test_results_never_reach_the_upper_bound() -> None:
    # 11 significant bits round numbers near 1 up to it.
    values = rng.uniform(seeded(), 20_000, dtype=np.float16)
    assert float(values.max()) < 1.0


@pytest.mark.parametrize("n", [2, 3, 10, 600, 2000])
def test_both_ways_to_shuffle_agree(n: int) -> None:
    generator = seeded()
    for _ in range(5):
        targets = np.array([int(rng.random_integers(generator, (), place, n)) for place in range(n - 1)])
        together = discrete._swapped_together(targets)
        assert np.array_equal(together, discrete._swapped_in_turn(targets, n))


def test_long_permutation_is_one() -> None:
    assert sorted(discrete._long_permutation(seeded(), 1000).tolist()) == list(range(1000))


def test_multiply_add_rounds_once() -> None:
    source = random.Random(0)
    for scale in (1.0, 1e-9, 1e9):
        a = np.array([source.uniform(-1, 1) for _ in range(300)])
        b, c = source.uniform(-2, 2), source.uniform(-1, 1) * scale
        expected = [float(Fraction(x) * Fraction(b) + Fraction(c)) for x in a.tolist()]
        assert fma_float64(a, b, c).tolist() == expected


def test_multiply_add_float32_rounds_once() -> None:
    # The product lies in the middle between two float32. What is added is too small for float64 to see beside it, and
    # yet says to which of the two the sum must go.
    a = np.array([1.0 + 2.0**-12], np.float32)
    assert fma_float32(a, 1.0 + 2.0**-12, 2.0**-70)[0] == np.float32(1.0 + 2.0**-11 + 2.0**-23)
    assert fma_float32(a, 1.0 + 2.0**-12, -(2.0**-70))[0] == np.float32(1.0 + 2.0**-11)
    assert fma_float32(-a, 1.0 + 2.0**-12, 2.0**-70)[0] == np.float32(-1.0 - 2.0**-11)


def test_zero_times_anything_is_positive_zero() -> None:
    zeros = fma_float32(np.array([-0.0, 0.0], np.float32), 2.0, 0.0)
    assert [math.copysign(1.0, zero) for zero in zeros] == [1.0, 1.0]


def test_cuda_draws_repeat_and_resume() -> None:
    cupy = pytest.importorskip("cupy")
    if not cupy.cuda.is_available():
        pytest.skip("no CUDA device")
    generator = rng.Generator("cuda").manual_seed(3)
    first, second = rng.normal(generator, 1000), rng.normal(generator, 1000)
    assert not bool((first == second).all())
    again = rng.Generator("cuda").manual_seed(3)
    assert bool((rng.normal(again, 1000) == first).all())
    resumed = rng.Generator("cuda")
    resumed.set_state_array(again.get_state_array())
    assert bool((rng.normal(resumed, 1000) == second).all())
    assert abs(float(rng.uniform(generator, 100_000).mean()) - 0.5) < 0.01
    assert sorted(rng.permutation(generator, 50).get().tolist()) == list(range(50))
    assert abs(float(rng.bernoulli(generator, 100_000, 0.25).mean()) - 0.25) < 0.01
    assert set(rng.random_integers(generator, 1000, -2, 3).get().tolist()) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("drawn", [0, 1, 7, 623, 624, 625, 2000])
def test_the_state_is_the_engines_own(drawn, monkeypatch):
    from facula.rng import generator as module
    from facula.rng.generator import Generator

    quick, slow = Generator().manual_seed(5), Generator().manual_seed(5)
    quick.position()  # looks where the engine keeps its words
    with monkeypatch.context() as patched:
        patched.setattr(module, "_memory_of", lambda engine: np.empty(0, np.uint32))
        slow.position()  # reads NumPy's copy ever after
    for each in (quick, slow):
        each.raw(drawn)
    assert np.array_equal(quick.get_state_array(), slow.get_state_array())
    words = quick.position()[0]
    quick.raw(700)
    assert np.array_equal(words, slow.position()[0])  # a copy, which further draws leave alone
    quick.set_state_array(slow.get_state_array())
    assert np.array_equal(quick.raw(9), slow.raw(9))
