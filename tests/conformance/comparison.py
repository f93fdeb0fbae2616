"""How two results differ, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

#: The relative and absolute tolerance of each type; other types are compared exactly.
TOLERANCES = {
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
    torch.float32: (1.3e-6, 1e-5),
    torch.float64: (1e-7, 1e-7),
    torch.complex32: (1e-3, 1e-5),
    torch.complex64: (1.3e-6, 1e-5),
    torch.complex128: (1e-7, 1e-7),
}
#: Where PyTorch's own tests grant an operator more, this much is granted at most.
GRANTED = {torch.float32: 1e-4, torch.complex64: 1e-4, torch.float64: 1e-6, torch.complex128: 1e-6}
#: The wider type a result of single precision is held against when it misses PyTorch's.
WIDER = {torch.float32: torch.float64, torch.complex64: torch.complex128}
#: How much further from exact arithmetic than PyTorch's own a result may be: the order of sums is not said anywhere.
ROUNDING = 4


def granted(decorators: Any) -> dict[torch.dtype, tuple[float, float]]:
    """Return the tolerances that PyTorch's own tests grant an entry on the CPU, within limits."""
    found: dict[torch.dtype, tuple[float, float]] = {}
    for decorator in decorators:
        if getattr(decorator, "device_type", None) not in (None, "cpu"):
            continue
        for each in getattr(decorator, "decorators", [decorator]):
            if type(each).__name__ not in ("toleranceOverride", "precisionOverride"):
                continue
            for dtype, given in each.d.items():
                rtol, atol = given if isinstance(given, tuple) else (0.0, given)
                limit, before = GRANTED.get(dtype, 1e-2), found.get(dtype, (0.0, 0.0))
                found[dtype] = (min(max(rtol, before[0]), limit), min(max(atol, before[1]), limit))
    return found


class Tolerances:
    """The tolerances of one entry: those of the type, what PyTorch's tests grant, and a floor under all."""

    def __init__(self, decorators: Any = (), floor: float = 0.0) -> None:
        self._granted = granted(decorators)
        self._floor = floor

    def __call__(self, dtype: torch.dtype) -> tuple[float, float]:
        """Return the relative and absolute tolerance of a type."""
        if dtype not in TOLERANCES:
            return (0.125, 0.01) if "float8" in str(dtype) else (0.0, 0.0)
        sides = zip(TOLERANCES[dtype], self._granted.get(dtype, (0.0, 0.0)), strict=True)
        rtol, atol = (max(*pair, self._floor) for pair in sides)
        return rtol, atol


def leaves(value: Any) -> Iterator[Any]:
    """Yield what a nest holds, and the length of each sequence in it."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value, key=str)]
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        yield f"{len(value)} items"
        for each in value:
            yield from leaves(each)
    else:
        yield value


def tensors(value: Any, kind: type = torch.Tensor) -> list[Any]:
    """Return the tensors of a nest, in order."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [each for item in value for each in tensors(item, kind)] if isinstance(value, (list, tuple)) else []


def difference(
    expected: Any,
    found: Any,
    tolerances: Tolerances,
    values: bool = True,
    exact: Callable[[], Any] | None = None,
) -> str | None:
    """Return how ``found`` differs from ``expected``, or None; without ``values`` only shapes and types count.

    ``exact`` gives the same result in double precision, and is asked only for what misses its tolerance.
    """
    wanted, got = list(leaves(expected)), list(leaves(found))
    if list(map(_kind, wanted)) != list(map(_kind, got)):
        return f"structure: expected {', '.join(map(_kind, wanted))}, got {', '.join(map(_kind, got))}"[:160]
    for position, (a, b) in enumerate(zip(wanted, got, strict=True)):
        reason = _leaf_difference(a, b, tolerances, values, exact and (lambda: list(leaves(exact()))[position]))
        if reason is not None:
            return reason if len(wanted) == 1 else f"result {position}: {reason}"
    return None


def _number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex))


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, str) and value.endswith(" items"):
        return value
    return "number" if _number(value) else type(value).__name__


def _leaf_difference(
    a: Any, b: Any, tolerances: Tolerances, values: bool, exact: Callable[[], Any] | None
) -> str | None:
    if isinstance(a, torch.Tensor):
        if a.shape != b.shape:
            return f"shape: expected {tuple(a.shape)}, got {tuple(b.shape)}"
        if a.dtype != b.dtype:
            return f"type: expected {a.dtype}, got {b.dtype}"
        return _value_difference(_plain(a), _plain(b), tolerances, exact) if values else None
    if _number(a):
        if type(a) is not type(b):
            return f"type: expected {type(a).__name__}, got {type(b).__name__}"
        if not values or a == b or (a != a and b != b):
            return None
        rtol, atol = tolerances(torch.float32) if isinstance(a, (float, complex)) else (0.0, 0.0)
        return None if abs(a - b) <= atol + rtol * abs(a) else f"value: expected {a}, got {b}"
    if values and a != b:
        return f"value: expected {a!r}, got {b!r}"[:120]
    return None


def _plain(value: torch.Tensor) -> torch.Tensor:
    value = value.detach()
    if value.layout is not torch.strided:
        value = value.to_dense()
    if value.dtype == torch.complex32:
        return value.to(torch.complex64)
    return value.float() if "float8" in str(value.dtype) else value


def _value_difference(
    a: torch.Tensor, b: torch.Tensor, tolerances: Tolerances, exact: Callable[[], Any] | None
) -> str | None:
    dtype = a.dtype
    rtol, atol = tolerances(dtype)
    if not (rtol or atol):
        wrong = a != b
    else:
        wide = torch.complex128 if a.is_complex() else torch.float64
        a, b = a.to(wide), b.to(wide)
        wrong = ~torch.isclose(b, a, rtol=rtol, atol=atol, equal_nan=True)
        if wrong.any() and exact is not None and dtype in WIDER:
            truth = exact()
            if isinstance(truth, torch.Tensor) and truth.shape == a.shape:
                truth = truth.detach().to(wide)
                finite = torch.isfinite(a) & torch.isfinite(truth)
                noise = float((a - truth)[finite].abs().max()) if finite.any() else 0.0
                scale = float(truth[finite].abs().max()) if finite.any() else 0.0
                if noise <= 1e-3 * scale:
                    wrong &= ~torch.isclose(b, a, rtol=rtol, atol=atol + ROUNDING * noise, equal_nan=True)
    if not wrong.any():
        return None
    first = wrong.flatten().nonzero()[0, 0]
    pair = f"{a.flatten()[first].item():.6g}, got {b.flatten()[first].item():.6g}"
    return f"value: {int(wrong.sum())} of {a.numel()} differ, expected {pair}"
