"""TVTensor, which operations turn into a plain Tensor unless asked not to, and what wraps it again."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import facula
from facula import Tensor
from facula.overrides import DisableTorchFunctionSubclass

__all__ = ["TVTensor", "set_return_type", "wrap"]

Kind = TypeVar("Kind", bound="TVTensor")
TypeOrDevice = facula.device | str | int | None

#: What these return is of the class of what they are called on.
_KEEPING = ("clone", "to", "detach", "requires_grad_", "pin_memory")


class _ReturnType:
    """Whether operations return TVTensors; a context that puts back what was before."""

    keep = False

    def __init__(self, before: bool) -> None:
        self._before = before

    def __enter__(self) -> "_ReturnType":
        return self

    def __exit__(self, *exception: object) -> None:
        _ReturnType.keep = self._before


def set_return_type(return_type: str) -> _ReturnType:
    """Make operations on TVTensors return "Tensor" (the default) or "TVTensor"; as a context, only inside it.

    >>> from facula_vision import tv_tensors
    >>> image = tv_tensors.Image(facula.zeros(3, 2, 2))
    >>> with tv_tensors.set_return_type("TVTensor"):
    ...     type(image + 1).__name__
    'Image'
    >>> type(image + 1).__name__
    'Tensor'
    """
    known = {"tensor": False, "tvtensor": True}
    if not isinstance(return_type, str) or return_type.lower() not in known:
        raise ValueError(f"return_type must be 'TVTensor' or 'Tensor', got {return_type}")
    before = _ReturnType.keep
    _ReturnType.keep = known[return_type.lower()]
    return _ReturnType(before)


class TVTensor(Tensor):
    """The base of tensors that say what they hold; subclasses add what their ``wrap`` copies."""

    @staticmethod
    def _to_tensor(
        data: Any,
        dtype: facula.dtype | None = None,
        device: TypeOrDevice = None,
        requires_grad: bool | None = None,
    ) -> Tensor:
        if requires_grad is None:
            requires_grad = data.requires_grad if isinstance(data, Tensor) else False
        tensor = facula.as_tensor(data, dtype=dtype, device=device)
        return tensor.requires_grad_(requires_grad) if tensor.requires_grad != requires_grad else tensor

    @classmethod
    def wrap(cls: type[Kind], tensor: Tensor, like: "TVTensor", **kwargs: Any) -> Kind:
        """Return the tensor as one of this class, with what ``like`` says about itself, or the keywords instead."""
        return tensor.as_subclass(cls)

    @classmethod
    def _wrap_output(cls, output: Any, like: "TVTensor") -> Any:
        if isinstance(output, Tensor):
            return output if isinstance(output, cls) else cls.wrap(output, like)
        if isinstance(output, tuple | list):
            parts = [cls._wrap_output(part, like) for part in output]
            return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
        return output

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return what the function returns, as a plain Tensor unless it or `set_return_type` keeps the class."""
        if not all(issubclass(cls, each) for each in types):
            return NotImplemented
        with DisableTorchFunctionSubclass():
            output = func(*args, **(kwargs or {}))
        keeps = getattr(func, "__name__", "") in _KEEPING and bool(args) and isinstance(args[0], cls)
        if keeps or _ReturnType.keep:
            like = _first(cls, (*args, *(kwargs or {}).values()))
            return output if like is None else cls._wrap_output(output, like)
        return output.as_subclass(Tensor) if isinstance(output, cls) else output

    def _make_repr(self, **facts: Any) -> str:
        shown = "".join(f", {name}={value}" for name, value in facts.items())
        return f"{type(self).__name__}{repr(self.as_subclass(Tensor)).removeprefix('tensor')[:-1]}{shown})"

    def _facts(self) -> dict[str, Any]:
        """Return what the tensor says of itself beside its values."""
        return {}

    # mypy leaves the names of the arguments of special methods out, and then finds that no keyword fits another.
    def __repr__(self, *, tensor_contents: str | None = None) -> str:  # type: ignore[override]
        return self._make_repr(**self._facts())

    def __deepcopy__(self: Kind, memo: dict[int, Any]) -> Kind:
        copy = self.as_subclass(Tensor).detach().clone().requires_grad_(self.requires_grad)
        made: Kind = type(self).wrap(copy, self)
        memo[id(self)] = made
        return made


def _first(kind: type[TVTensor], values: Sequence[Any]) -> TVTensor | None:
    """Return the first of that class, in lists and tuples too."""
    for value in values:
        if isinstance(value, kind):
            return value
        if isinstance(value, tuple | list):
            found = _first(kind, value)
            if found is not None:
                return found
    return None


def wrap(wrappee: Tensor, *, like: TVTensor, **kwargs: Any) -> TVTensor:
    """Return the tensor as one of ``like``'s class, with what ``like`` says about itself, or the keywords instead.

    >>> from facula_vision import tv_tensors
    >>> boxes = tv_tensors.BoundingBoxes([[0, 0, 2, 2]], format="XYXY", canvas_size=(4, 4))
    >>> wrap(boxes * 2, like=boxes, canvas_size=(8, 8)).canvas_size
    (8, 8)
    """
    return type(like).wrap(wrappee, like, **kwargs)
