"""Parameters and buffers: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from facula.creation import empty
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.overrides import disabled_torch_function
from facula.tensor import Tensor
from facula.tensor_base import wrap


class _ParameterMeta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        # A tensor subclass becomes a parameter by a mark, keeping its class.
        return type.__instancecheck__(cls, instance) or (
            cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)
        )


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that is a parameter of the module it is assigned to; it requires grad unless told otherwise.

    >>> facula.nn.Parameter(facula.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __torch_function__ = disabled_torch_function

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        """Return a parameter on the memory of ``data``."""
        if data is None:
            data = empty(0)
        if type(data) is not Tensor and not isinstance(data, Parameter):
            made = data.detach()
            made._is_param = True  # type: ignore[attr-defined]
            return made.requires_grad_(requires_grad)  # type: ignore[return-value]  # by the mark; see `_ParameterMeta`
        made = wrap(data._array)
        made.__class__ = cls
        return made.requires_grad_() if requires_grad else made  # type: ignore[return-value]

    def __repr__(self, *, tensor_contents: str | None = None) -> str:  # type: ignore[override]  # mypy sees two equal signatures
        return "Parameter containing:\n" + Tensor.__repr__(self)


class Buffer(Tensor):
    """A tensor that is a buffer of the module it is assigned to."""

    __torch_function__ = disabled_torch_function

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        """Return a tensor marked as a buffer."""
        made: Any = (empty(0) if data is None else data).detach()
        made._is_buffer = True
        made.persistent = persistent
        return made


# To a type checker the mixin is a tensor; at run time each of the two classes below says which.
if TYPE_CHECKING:
    _Tensor = Tensor
else:
    _Tensor = object


class UninitializedTensorMixin(_Tensor):
    """What a lazy module's parameter is until the first input tells its shape."""

    cls_to_become: type[Tensor]

    def materialize(
        self, shape: tuple[int, ...], device: Device | str | int | None = None, dtype: DType | None = None
    ) -> None:
        """Become an uninitialised parameter of this shape."""
        made = empty(tuple(shape), device=device or self.device, dtype=dtype or self.dtype)
        requires_grad = self.requires_grad
        self.requires_grad_(False)
        self._array = made._array
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self.requires_grad_(requires_grad)

    def __repr__(self, *, tensor_contents: str | None = None) -> str:  # type: ignore[override]
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):  # type: ignore[misc]
    """A parameter whose shape is not known yet."""

    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Device | str | int | None = None, dtype: DType | None = None
    ) -> UninitializedParameter:
        """Return a parameter without a shape."""
        made = wrap(empty(0, device=device, dtype=dtype)._array)
        made.__class__ = cls
        return made.requires_grad_(requires_grad)  # type: ignore[return-value]


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape is not known yet."""

    __torch_function__ = disabled_torch_function
    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Device | str | int | None = None, dtype: DType | None = None
    ) -> UninitializedBuffer:
        """Return a buffer without a shape."""
        made = wrap(empty(0, device=device, dtype=dtype)._array)
        made.__class__ = cls
        return made  # type: ignore[return-value]


def is_lazy(parameter: object) -> bool:
    """Return whether a parameter or buffer has no shape yet."""
    return isinstance(parameter, UninitializedTensorMixin)


ParameterState = OrderedDict[str, Tensor]
