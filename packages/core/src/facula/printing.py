"""What a tensor looks like, as PyTorch prints it."""

from math import floor, isfinite
from typing import Any

import numpy as np

from facula import backend, dtypes


class PrintOptions:
    """How tensors are printed; `set_printoptions` changes it."""

    precision = 4
    threshold = 1000
    edgeitems = 3
    linewidth = 80
    sci_mode: bool | None = None


options = PrintOptions()
_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": float("inf"), "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed: digits, elements before summarising, elements at the edges, width, and notation."""
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"profile must be one of {sorted(_PROFILES)}, got {profile!r}")
        for name, number in _PROFILES[profile].items():
            setattr(options, name, number)
    given: dict[str, float | None] = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    for name, value in given.items():
        if value is not None:
            setattr(options, name, value)
    options.sci_mode = sci_mode


class _Formatter:
    """How the elements of one real array are written: width and notation, chosen from the values shown."""

    def __init__(self, shown: np.ndarray) -> None:
        self.floating = shown.dtype.kind == "f"
        self.integral = True
        self.scientific = False
        self.width = 1
        flat = shown.reshape(-1)
        if not self.floating:
            self.width = max((len(str(value)) for value in flat.tolist()), default=1)
            return
        flat = flat.astype(np.float64)
        finite = flat[np.isfinite(flat) & (flat != 0)]
        if finite.size == 0:
            return
        magnitudes = np.abs(finite)
        largest, smallest = magnitudes.max(), magnitudes.min()
        self.integral = bool((finite == np.ceil(finite)).all())
        tiny = not self.integral and smallest < 1.0e-4
        self.scientific = bool(largest / smallest > 1000.0 or largest > 1.0e8 or tiny)
        if options.sci_mode is not None:
            self.scientific = options.sci_mode
        if self.scientific:
            template = f"{{:.{options.precision}e}}"
        else:
            template = "{:.0f}." if self.integral else f"{{:.{options.precision}f}}"
        self.width = max(len(template.format(value)) for value in finite.tolist())

    def __call__(self, value: Any) -> str:
        if not self.floating:
            text = str(value)
        elif self.scientific:
            text = f"{{:{self.width}.{options.precision}e}}".format(value)
        elif self.integral:
            text = f"{value:.0f}"
            if isfinite(value):
                text += "."
        else:
            text = f"{{:.{options.precision}f}}".format(value)
        return text.rjust(self.width)


def _summarised(array: np.ndarray) -> np.ndarray:
    """Return only the elements that are shown when a tensor is summarised."""
    edge = options.edgeitems
    for axis, length in enumerate(array.shape):
        if length > 2 * edge:
            kept = np.r_[0:edge, length - edge : length]
            array = array.take(kept, axis=axis)
    return array


class _Writer:
    """Writes nested brackets; complex numbers use one formatter for each part."""

    def __init__(self, array: np.ndarray, indent: int) -> None:
        self.summarise = array.size > options.threshold
        shown = _summarised(array) if self.summarise else array
        self.imag: _Formatter | None
        if array.dtype.kind == "c":
            self.real, self.imag = _Formatter(shown.real), _Formatter(shown.imag)
            self.width = self.real.width + self.imag.width + 1
        else:
            self.real, self.imag = _Formatter(shown), None
            self.width = self.real.width
        self.text = self._write(array, indent)

    def _element(self, value: Any) -> str:
        if self.imag is None:
            return self.real(value)
        imaginary = self.imag(value.imag).lstrip()
        sign = "" if imaginary.startswith("-") else "+"
        return self.real(value.real) + sign + imaginary + "j"

    def _write(self, array: np.ndarray, indent: int) -> str:
        if array.ndim == 0:
            return self._element(array.item())
        edge = options.edgeitems
        cut = self.summarise and len(array) > 2 * edge
        parts = [*array[:edge], None, *array[len(array) - edge :]] if cut else list(array)
        if array.ndim == 1:
            return self._row([" ..." if part is None else self._element(part.item()) for part in parts], indent)
        inner = ["..." if part is None else self._write(part, indent + 1) for part in parts]
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(inner) + "]"

    def _row(self, elements: list[str], indent: int) -> str:
        per_line = max(1, floor((options.linewidth - indent) / (self.width + 2)))
        lines = [elements[start : start + per_line] for start in range(0, len(elements), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"


def tensor_string(tensor: Any) -> str:
    """Return the text of a tensor: its elements, and what is not the default of its type, device and history."""
    # A class that overrides operations shows its name.
    prefix = f"{type(tensor).__name__}(" if tensor._overrides else "tensor("
    array = backend.to_numpy(tensor._array)
    suffixes = []
    if tensor.is_cuda:
        suffixes.append(f"device='{tensor.device}'")
    usual = {dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_, dtypes.get_default_dtype().to_complex()}
    if array.size == 0:
        if tensor.dim() != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if tensor.dtype is not dtypes.get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype}")
        body = "[]"
    else:
        if tensor.dtype not in usual:
            suffixes.append(f"dtype={tensor.dtype}")
        body = _Writer(array.astype(np.float32) if array.dtype.kind == "V" else array, len(prefix)).text
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return _append(prefix + body, suffixes, len(prefix))


def _append(text: str, suffixes: list[str], indent: int, new_line: bool = False) -> str:
    """Add the suffixes, on a new line where the last one would become too long; the first where ``new_line`` is set."""
    last = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if new_line or last + len(suffix) + 2 > options.linewidth:
            new_line = False
            text += ",\n" + " " * indent + suffix
            last = indent + len(suffix)
        else:
            text += ", " + suffix
            last += len(suffix) + 2
    return text + ")"
