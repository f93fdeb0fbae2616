"""FlopCounterMode: how many floating point operations a program needs, by module and by operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from facula.graph.modes import intercepting
from facula.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from facula.tensor import Tensor

if TYPE_CHECKING:
    from facula.nn import Module
    from facula.primitive import Primitive

__all__ = ["FlopCounterMode", "register_flop_formula"]

Shape = tuple[int, ...]
#: From the shapes of what goes in and (``out_shape``) of what comes out to a count.
Formula = Callable[..., int]
Count = dict[str, int]

_registry: dict[str, Formula] = {}


def register_flop_formula(targets: str | Sequence[str]) -> Callable[[Formula], Formula]:
    """Return a decorator that makes a function the formula of operations, by their names.

    It is called with the shapes of the inputs, None for those that are no tensors, and ``out_shape``.
    """
    names = [targets] if isinstance(targets, str) else list(targets)

    def register(formula: Formula) -> Formula:
        for name in names:
            if name in _registry:
                raise RuntimeError(f"duplicate registrations for {name}")
            _registry[name] = formula
        return formula

    return register


# A multiplication and an addition are two operations. Only products of matrices, convolutions, attention and what is made
# of these count: beside them all else is little.


@register_flop_formula(["linear", "matmul", "mm", "mm_bfloat16", "mm_nt"])
def _product(x: Shape, other: Shape, *rest: object, out_shape: Shape) -> int:
    return 2 * prod(out_shape) * x[-1]


@register_flop_formula("mm_tn")
def _product_of_transposed(x: Shape, other: Shape, out_shape: Shape) -> int:
    return 2 * prod(out_shape) * x[0]


@register_flop_formula("conv")
def _convolution(x: Shape, weight: Shape, *rest: object, out_shape: Shape) -> int:
    return 2 * prod(weight) * out_shape[0] * prod(out_shape[2:])


@register_flop_formula("conv_data")
def _convolution_data(y: Shape, weight: Shape, out_shape: Shape) -> int:
    return 2 * prod(weight) * y[0] * prod(y[2:])


@register_flop_formula("conv_weight")
def _convolution_weight(x: Shape, y: Shape, out_shape: Shape) -> int:
    return 2 * prod(out_shape) * y[0] * prod(y[2:])


@register_flop_formula("attention")
def _attention(query: Shape, key: Shape, value: Shape, *rest: object, out_shape: Shape) -> int:
    # Scores, and their product with the values.
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


@register_flop_formula("attention_gradient")
def _attention_gradient(query: Shape, key: Shape, value: Shape, *rest: object, out_shape: Shape) -> int:
    # Scores again and their slopes; then one product for each of query, key and value.
    return 2 * prod(query[:-1]) * key[-2] * (3 * query[-1] + 2 * value[-1])


@register_flop_formula("lstm")
def _lstm(projected: Shape, hidden: Shape, *rest: object, out_shape: Shape) -> int:
    return 2 * prod(projected) * hidden[-1]


@register_flop_formula("lstm_gradient")
def _lstm_gradient(
    g: Shape, g_memory: Shape, outputs: Shape, memories: Shape, gates: Shape, hidden: Shape, *rest: object, out_shape: Shape
) -> int:  # fmt: skip
    return 4 * prod(gates) * hidden[-1]


@register_flop_formula("losses")
def _linear_cross_entropy(x: Shape, matrix: Shape, *rest: object, out_shape: Shape) -> int:
    return 2 * prod(x) * matrix[0]


@register_flop_formula("chunked_gradients")
def _linear_cross_entropy_gradients(g: Shape, x: Shape, matrix: Shape, *rest: object, out_shape: Shape) -> int:
    return 6 * prod(x) * matrix[0]


class FlopCounterMode:
    """Context that counts the floating point operations of products, convolutions and attention, gradients' too.

    The table is printed on leaving, unless ``display=False``, with modules ``depth`` levels deep. Modules count what their
    ``forward`` does; what gradients need is in the total, "Global". ``custom_mapping`` has formulas of further operations.

    >>> import facula
    >>> with FlopCounterMode(display=False) as counter:
    ...     y = facula.nn.Linear(3, 5)(facula.ones(4, 3))
    >>> counter.get_total_flops()
    120
    """

    def __init__(
        self,
        mods: Module | list[Module] | None = None,
        depth: int = 2,
        display: bool = True,
        custom_mapping: dict[str, Formula] | None = None,
    ) -> None:
        self.flop_counts: dict[str, Count] = {}
        self.depth = depth
        self.display = display
        self.flop_registry = {**_registry, **(custom_mapping or {})}
        self._interceptor = intercepting(self)
        self._hooks: list[Any] = []
        #: The modules whose ``forward`` is running, by their paths from the outermost.
        self._open: list[tuple[Module, str]] = []

    def intercept(self, primitive: Primitive, inputs: tuple[Any, ...], options: dict[str, Any]) -> object:
        """Return the result of a call, and count it."""
        result = primitive(*inputs, **options)
        name = primitive.name.strip("_")
        formula = self.flop_registry.get(name)
        if formula is not None:
            first = result[0] if isinstance(result, tuple) else result
            shapes = [tuple(each.shape) if isinstance(each, Tensor) else None for each in inputs]
            count = formula(*shapes, out_shape=tuple(first.shape))
            for module in {"Global", *(path for _, path in self._open)}:
                counts = self.flop_counts.setdefault(module, {})
                counts[name] = counts.get(name, 0) + count
        return result

    def _enter_module(self, module: Module, args: object) -> None:
        if not self._open:
            path = type(module).__name__
        else:
            parent, place = self._open[-1]
            name = next((name for name, each in parent.named_modules() if each is module), type(module).__name__)
            path = f"{place}.{name}"
        self._open.append((module, path))

    def _leave_module(self, module: Module, args: object, output: object) -> None:
        self._open.pop()

    def __enter__(self) -> Self:
        self.flop_counts.clear()
        self._open.clear()
        self._hooks = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        self._interceptor.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._interceptor.__exit__(kind, error, trace)
        for hook in self._hooks:
            hook.remove()
        if self.display and error is None:
            print(self.get_table())

    def get_total_flops(self) -> int:
        """Return the number of all operations."""
        return sum(self.flop_counts.get("Global", {}).values())

    def get_flop_counts(self) -> dict[str, Count]:
        """Return the numbers by module, "Global" for all, and by the name of the operation."""
        return {module: dict(counts) for module, counts in self.flop_counts.items()}

    def get_table(self, depth: int | None = None) -> str:
        """Return the numbers as text, of modules at most ``depth`` levels deep."""
        deepest = self.depth if depth is None else depth
        total = self.get_total_flops()
        rows = [("Module", "FLOP", "% Total")]
        for module in sorted(self.flop_counts, key=lambda name: (name != "Global", name)):
            level = 0 if module == "Global" else module.count(".") + 1
            if level <= deepest:
                counts = self.flop_counts[module]
                rows.append((" " * level + module, *_amount(sum(counts.values()), total)))
                rows += [(f"{' ' * level} - {name}", *_amount(count, total)) for name, count in counts.items()]
        if len(rows) == 1:
            rows.append(("Global", "0", "0%"))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        rows.insert(1, ("-" * widths[0], "-" * widths[1], "-" * widths[2]))
        return "\n".join(f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)


def _amount(count: int, total: int) -> tuple[str, str]:
    """Return a number as text with a suffix that fits the total, and as a share of it."""
    power = max(0, min(4, (len(str(total)) - 2) // 3))
    return f"{count / 1000**power:.3f}{['', 'K', 'M', 'B', 'T'][power]}", f"{count / total:.2%}" if total else "0%"
