"""The random number generator: PyTorch's mt19937 stream, its state and its seeding rules.

The engine is the Mersenne Twister of Matsumoto and Nishimura, "Mersenne Twister: A 623-dimensionally equidistributed
uniform pseudo-random number generator", ACM TOMACS 8(1), 1998, as NumPy ships it; this file adds what PyTorch puts
around it.
"""

import operator
import os
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from facula import native

#: The seed of a generator nobody has seeded.
DEFAULT_SEED = 67280421310721
#: Words in the Mersenne Twister's state.
STATE_WORDS = 624

_MASK_32 = np.uint64(0xFFFFFFFF)

#: The layout of a CPU generator's saved state, 5056 bytes. The words are 32 bit numbers stored in 64 bits.
CPU_STATE = np.dtype(
    {
        "names": [
            *("initial_seed", "left", "seeded", "next", "words"),
            *("normal_x", "normal_y", "normal_rho", "normal_is_valid", "float_normal", "float_normal_is_valid"),
        ],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", STATE_WORDS), "<f8", "<f8", "<f8", "<i4", "<f4", "u1"],
        "offsets": [0, 8, 12, 16, 24, 5016, 5024, 5032, 5040, 5048, 5052],
        "itemsize": 5056,
    }
)
#: The layout of a CUDA generator's saved state, 16 bytes.
CUDA_STATE = np.dtype([("initial_seed", "<u8"), ("offset", "<u8")])


class Generator:
    """A stream of random numbers.

    On the CPU, the same seed and the same calls give the same numbers as PyTorch. On CUDA the stream is a seed and an
    offset into a Philox sequence; its numbers are not PyTorch's.

    >>> Generator().manual_seed(0).initial_seed()
    0
    """

    #: What ``device`` returns and ``get_state`` wraps its bytes in. The floor that has devices and tensors sets them.
    make_device: Callable[[Any], Any] = staticmethod(str)
    wrap_state: Callable[[np.ndarray], Any] = staticmethod(lambda state: state)

    def __init__(self, device: object = "cpu") -> None:
        #: The second of a pair of normal numbers, waiting to be used; see ``normal``.
        self.next_double_normal: float | None = None
        #: Part of PyTorch's state, though nothing on the CPU draws from it.
        self.next_float_normal: float | None = None
        self.device_type = str(device).partition(":")[0]
        if self.device_type not in ("cpu", "cuda"):
            raise RuntimeError(f"Expected one of cpu, cuda device type at start of device string: {device}")
        self._device = device
        self._engine: np.random.MT19937 | None = None
        #: The engine's own words, and after them how many are used, once they were asked for.
        self._memory: np.ndarray | None = None
        #: Seeded and nothing drawn yet, which PyTorch's state tells from a block that is used up.
        self._fresh: bool = True
        self._restart(DEFAULT_SEED)

    @property
    def device(self) -> Any:
        """The device whose numbers this generator draws."""
        return self.make_device(self._device)

    def manual_seed(self, seed: SupportsIndex) -> "Generator":
        """Return this generator, restarted from ``seed``: any integer from -2**63 to 2**64 - 1.

        A negative seed stands for itself plus 2**64. As in PyTorch, the engine starts from the low 32 bits alone.

        >>> Generator().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        if isinstance(seed, bool | str) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        self._restart(checked_seed(operator.index(seed)))
        return self

    def seed(self) -> int:
        """Return a seed taken from the operating system, after restarting from it."""
        self._restart(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """Return the seed this generator was last started from, from 0 to 2**64 - 1."""
        return self._seed

    def get_offset(self) -> int:
        """Return how many numbers a CUDA generator has passed; RuntimeError on the CPU."""
        if self.device_type == "cpu":
            raise RuntimeError("CPU Generator does not use offset")
        return self._offset

    def set_offset(self, offset: int) -> None:
        """Move a CUDA generator to a place in its sequence, a multiple of 4; RuntimeError on the CPU."""
        if self.device_type == "cpu":
            raise RuntimeError("CPU Generator does not use offset")
        if offset % 4:
            raise RuntimeError(f"offset must be a multiple of 4, but got {offset}")
        self._offset = offset

    def get_state(self) -> Any:
        """Return the state as bytes, uint8, in PyTorch's layout: 5056 for a CPU generator, 16 for a CUDA one."""
        return self.wrap_state(self.get_state_array())

    def set_state(self, new_state: object) -> None:
        """Continue from a state that ``get_state`` returned, here or in PyTorch."""
        if not hasattr(new_state, "__array__"):
            raise TypeError(f"expected a ByteTensor, but got {type(new_state).__name__}")
        self.set_state_array(np.asarray(new_state))

    def clone_state(self) -> "Generator":
        """Return a new generator that will draw the numbers this one would draw next."""
        clone = Generator(self._device)
        clone.set_state_array(self.get_state_array())
        return clone

    def get_state_array(self) -> np.ndarray:
        """Return the state as a uint8 array in PyTorch's layout."""
        if self.device_type == "cuda":
            return np.array([(self._seed, self._offset)], CUDA_STATE).view(np.uint8)
        words, position = self.position()
        state = np.zeros(1, CPU_STATE)
        state["initial_seed"] = self._seed
        state["seeded"] = 1
        state["left"] = STATE_WORDS + 1 - position if position else 1
        state["next"] = position
        state["words"] = words
        if self.next_double_normal is not None:
            state["normal_is_valid"] = 1
            state["normal_y"] = self.next_double_normal
        if self.next_float_normal is not None:
            state["float_normal_is_valid"] = 1
            state["float_normal"] = self.next_float_normal
        return state.view(np.uint8)

    def set_state_array(self, new_state: np.ndarray) -> None:
        """Continue from a state that ``get_state_array`` returned, or the bytes of a PyTorch generator's state."""
        if new_state.dtype != np.uint8:
            raise TypeError(f"RNG state must be a ByteTensor, but its elements are {new_state.dtype}")
        layout, name = (CPU_STATE, "CPU") if self.device_type == "cpu" else (CUDA_STATE, "CUDA")
        if new_state.size != layout.itemsize:
            raise RuntimeError(
                f"Expected a {name}GeneratorImplState of size {layout.itemsize} but found the input RNG state size "
                f"to be {new_state.size}"
            )
        state = np.ascontiguousarray(new_state).reshape(-1).view(layout)[0]
        if self.device_type == "cuda":
            self._seed = int(state["initial_seed"])
            self._offset = int(state["offset"])
            return
        left, position = int(state["left"]), int(state["next"])
        fresh = (left, position) == (1, 0)
        if not state["seeded"] or not (fresh or (1 <= position <= STATE_WORDS and left + position == STATE_WORDS + 1)):
            raise RuntimeError("Invalid mt19937 state")
        self._restart(int(state["initial_seed"]))
        self.return_to((state["words"] & _MASK_32).astype(np.uint32), position)
        self.next_double_normal = float(state["normal_y"]) if state["normal_is_valid"] else None
        self.next_float_normal = float(state["float_normal"]) if state["float_normal_is_valid"] else None

    def __reduce__(self) -> tuple[type, tuple[str], bytes]:
        return Generator, (str(self._device),), self.get_state_array().tobytes()

    def __setstate__(self, state: bytes) -> None:
        self.set_state_array(np.frombuffer(state, np.uint8))

    def raw(self, count: int) -> np.ndarray:
        """Return the next ``count`` draws of the engine: uint64 holding 32 random bits each."""
        self._fresh = self._fresh and count == 0
        return self._started_engine().random_raw(count)

    def raw64(self, count: int) -> np.ndarray:
        """Return ``count`` draws of 64 bits, uint64; each takes two of the engine's, the high half first."""
        pairs = self.raw(2 * count).reshape(count, 2)
        return (pairs[:, 0] << np.uint64(32)) | pairs[:, 1]

    def fill(self, kernel: str, result: np.ndarray, *arguments: float) -> bool:
        """Fill float32 numbers with a compiled kernel, from this stream; False where it is not there or declines."""
        if not native.available:
            return False
        engine = self._started_engine()
        with engine.lock:
            filled = getattr(native.kernels, kernel)(engine.capsule, result, *arguments) is None
        self._fresh = self._fresh and not (filled and result.size)
        return filled

    def skip(self, count: int) -> None:
        """Pass over ``count`` draws of 32 bits."""
        if count:
            self._fresh = False
            self._started_engine().random_raw(count, output=False)

    def advance_offset(self, count: int) -> int:
        """Return the offset of a CUDA generator, and move it past ``count`` numbers (rounded up to a multiple of 4)."""
        offset = self._offset
        self._offset += (count + 3) // 4 * 4
        return offset

    def position(self) -> tuple[np.ndarray, int]:
        """Return the engine's words and how many of them are used; 0 before the first draw."""
        engine = self._started_engine()
        if self._memory is None:
            self._memory = _memory_of(engine)
        if self._memory.size:
            with engine.lock:
                words, used = self._memory[:STATE_WORDS].copy(), int(self._memory[STATE_WORDS])
        else:
            state = engine.state["state"]
            words, used = state["key"], int(state["pos"])
        return words, 0 if self._fresh else used

    def return_to(self, words: np.ndarray, used: int) -> None:
        """Move the engine back to where ``position`` was taken."""
        # NumPy knows only "all used" for an engine that is about to make its first block.
        self._started_engine().state = {
            "bit_generator": "MT19937",
            "state": {"key": words, "pos": used or STATE_WORDS},
        }
        self._fresh = used == 0

    def _restart(self, seed: int) -> None:
        self._seed = seed
        self._offset = 0
        self._started = False
        self._fresh = True
        self.next_double_normal = None
        self.next_float_normal = None

    def _started_engine(self) -> "np.random.MT19937":
        # Made on first use, so that importing the package neither loads numpy.random nor pays for an unused engine.
        if self._engine is None:
            self._engine = np.random.MT19937(0)
        if not self._started:
            np.random.RandomState(self._engine).seed(self._seed & 0xFFFFFFFF)
            self._started = True
        return self._engine


def _memory_of(engine: "np.random.MT19937") -> np.ndarray:
    """Return the words that an engine computes with and, as the last, how many are used; nothing where they are elsewhere.

    The engine's ``state`` holds the same, but NumPy makes it number by number, which takes forty times as long.
    """
    import ctypes

    words = (ctypes.c_uint32 * (STATE_WORDS + 1)).from_address(engine.ctypes.state_address)
    memory, state = np.frombuffer(memoryview(words), np.uint32), engine.state["state"]
    same = np.array_equal(memory[:STATE_WORDS], state["key"]) and memory[STATE_WORDS] == state["pos"]
    return memory if same else np.empty(0, np.uint32)


def checked_seed(seed: int) -> int:
    """Return a seed as an unsigned 64 bit number; ValueError when it does not fit in 64 bits."""
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"Overflow when unpacking long long: a seed is from -2**63 to 2**64 - 1, but got {seed}")
    return seed % 2**64


#: The stream used where no generator is given.
default_generator = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Return the default generator, restarted from ``seed``."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Return a seed taken from the operating system, after restarting the default generator from it."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed the default generator was last started from."""
    return default_generator.initial_seed()
