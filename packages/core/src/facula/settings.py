"""Settings of the whole process: the default device, determinism, threads, precision.

What has no meaning here is kept and given back, so that programs which set it run.
"""

import os

import numpy as np

from facula import devices, dtypes, native
from facula.devices import device as Device

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_default_device",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "show_config",
    "use_deterministic_algorithms",
]

_PRECISIONS = ("highest", "high", "medium")


class _Settings:
    """The values that are kept."""

    deterministic = False
    warn_only = False
    warn_always = False
    precision = "highest"
    threads: int | None = None
    interop_threads: int | None = None


_settings = _Settings()


def get_default_device() -> Device:
    """Return the device on which tensors are made when none is named."""
    return devices.canonical(None)


def set_default_device(device: Device | str | int | None) -> None:
    """Make tensors on ``device`` when none is named; None stands for the CPU. A device is also a context that does so.

    >>> with facula.device("cpu"):
    ...     facula.ones(1).device
    device(type='cpu')
    """
    devices.set_default(None if device is None else devices.canonical(device))


def set_default_tensor_type(t: type | str) -> None:
    """Make the type of a legacy tensor class, such as ``facula.DoubleTensor``, the default one."""
    name = t if isinstance(t, str) else t.__name__
    kinds = {"FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "BFloat16Tensor": "bfloat16"}
    kind = kinds.get(name.rpartition(".")[2])
    if kind is None:
        raise TypeError(f"only floating-point types are supported as the default type, got {name}")
    dtypes.set_default_dtype(getattr(dtypes, kind))


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Say whether only deterministic algorithms may be used; those on the CPU are."""
    _settings.deterministic, _settings.warn_only = bool(mode), bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Return what `use_deterministic_algorithms` set."""
    return _settings.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Return whether what is not deterministic is only warned about."""
    return _settings.deterministic and _settings.warn_only


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Say the same as `use_deterministic_algorithms` by "default", "warn" or "error", or 0, 1, 2."""
    names = ("default", "warn", "error")
    if debug_mode not in (*names, 0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected one of {', '.join(names)}, got {debug_mode!r}")
    level = names.index(debug_mode) if isinstance(debug_mode, str) else debug_mode
    use_deterministic_algorithms(level > 0, warn_only=level == 1)


def get_deterministic_debug_mode() -> int:
    """Return 0, 1 or 2: what is not deterministic is allowed, warned about, or an error."""
    return (1 if _settings.warn_only else 2) if _settings.deterministic else 0


def get_num_threads() -> int:
    """Return how many threads an operation on the CPU may use."""
    if _settings.threads is not None:
        return _settings.threads
    if native.available:
        return int(native.kernels.get_num_threads())
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def set_num_threads(int: int) -> None:
    """Let an operation on the CPU use that many threads; NumPy's products through threadpoolctl where it is installed."""
    if int < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {int}")
    _settings.threads = int
    if native.available:
        native.kernels.set_num_threads(int)
    try:
        import threadpoolctl
    except ImportError:
        return
    threadpoolctl.threadpool_limits(int)


def show_config() -> None:
    """Print the version of NumPy, which compiled code is in use, the threads, and the memory that is kept."""
    print(describe_config())


def describe_config() -> str:
    """Return what `show_config` prints: one ``name: value`` a line."""
    names = {1: "for every CPU of the kind", 3: "x86-64-v3 (AVX2)", 4: "x86-64-v4 (AVX-512)"}
    lines = {
        "numpy": np.__version__,
        "compiled code": names[native.level] if native.available else "none, array code only",
        "threads": get_num_threads(),
        "memory kept for later arrays": f"at most {native.base.memory_statistics()['limit']} bytes"
        if native.available
        else "none",
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items())


def get_num_interop_threads() -> int:
    """Return how many operations may run at once."""
    return _settings.interop_threads or get_num_threads()


def set_num_interop_threads(int: int) -> None:
    """Keep the number; operations run one after the other."""
    if int < 1:
        raise RuntimeError(f"set_num_interop_threads expects a positive integer, got {int}")
    _settings.interop_threads = int


def get_float32_matmul_precision() -> str:
    """Return "highest", "high" or "medium"."""
    return _settings.precision


def set_float32_matmul_precision(precision: str) -> None:
    """Keep the precision; products of float32 on the CPU are always of the highest."""
    if precision not in _PRECISIONS:
        raise RuntimeError(f"expected one of {', '.join(_PRECISIONS)}, got {precision!r}")
    _settings.precision = precision


def set_flush_denormal(mode: bool) -> bool:
    """Return False: denormal numbers are always computed with."""
    return False


def set_warn_always(b: bool) -> None:
    """Say whether a warning is given every time and not once."""
    _settings.warn_always = bool(b)


def is_warn_always_enabled() -> bool:
    """Return what `set_warn_always` set."""
    return _settings.warn_always
