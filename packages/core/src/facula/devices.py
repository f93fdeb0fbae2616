"""Where a tensor lives: ``cpu`` or ``cuda:0``."""

import builtins
import threading

from facula.backend import Array, cuda_device_count, device_index, to_cuda, to_numpy

TYPES = ("cpu", "cuda", "meta")


class device:
    """A device: ``device("cuda:1")``, ``device("cuda", 1)`` or, for a CUDA index, ``device(1)``."""

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __init__(self, type: "str | int | device", index: int | None = None) -> None:
        if isinstance(type, device):
            index = type.index
            type = type.type
        elif isinstance(type, int):
            index = type
            type = "cuda"
        elif not isinstance(type, str):
            raise TypeError(f"device(): argument 'type' must be str, int or device, not {type.__class__.__name__}")
        if ":" in type:
            if index is not None:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed explicitly: {type}"
                )
            type, _, digits = type.partition(":")
            if not digits.isdecimal():
                raise RuntimeError(f"Invalid device string: '{type}:{digits}'")
            index = int(digits)
        if type not in TYPES:
            raise RuntimeError(f"Expected one of {', '.join(TYPES)} device type at start of device string: {type}")
        self.type = type
        self.index = index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> "device":
        """Make this the device of tensors for which none is named."""
        _default.__dict__.setdefault("outer", []).append(_default.device)
        set_default(canonical(self))
        return self

    def __exit__(self, *exception: object) -> None:
        set_default(_default.__dict__["outer"].pop())

    def __reduce__(self) -> "tuple[builtins.type[device], tuple[str, int | None]]":
        return device, (self.type, self.index)


CPU = device("cpu")


class _Default(threading.local):
    """The device of tensors for which none is named, in this thread."""

    device = CPU


_default = _Default()


def set_default(value: device | None) -> None:
    """Make ``value`` the device of tensors for which none is named; None stands for the CPU."""
    _default.device = CPU if value is None else value


def canonical(value: "device | str | int | None") -> device:
    """Return the device meant by an argument: None is the default one, ``"cuda"`` the current CUDA device."""
    if value is None:
        return _default.device
    found = value if isinstance(value, device) else device(value)
    if found.type == "cuda" and found.index is None:
        return device("cuda", current_cuda_index())
    return found


def current_cuda_index() -> int:
    """Return the index of the current CUDA device; RuntimeError when there is none."""
    from facula.backend import cupy

    return int(cupy().cuda.Device().id)


def of_array(array: Array) -> device:
    """Return the device an array lies on."""
    index = device_index(array)
    return CPU if index is None else device("cuda", index)


def move(array: Array, target: device) -> Array:
    """Return the array on ``target``, copied only when it is elsewhere; RuntimeError when there is no such device."""
    if target.type == "cpu":
        return to_numpy(array)
    if target.type == "meta":
        raise NotImplementedError("device 'meta' is not available: tensors here always have data")
    count = cuda_device_count()
    if (target.index or 0) >= count:
        raise RuntimeError(f"device {target} was asked for, but {count} CUDA devices can be used here")
    return to_cuda(array, target.index or 0)
