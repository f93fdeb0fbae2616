"""What makes a module lazy: its parameters get their shapes from the first input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula.nn.parameter import is_lazy

# To a type checker the mixin is a module; at run time the class beside it is.
if TYPE_CHECKING:
    from facula.nn.module import Module as _Module
else:
    _Module = object


class LazyMixin(_Module):
    """Base, beside the module it becomes, of modules whose sizes come from the first input.

    A subclass names ``cls_to_become`` and defines ``initialize_parameters(input)``.
    """

    cls_to_become: type | None = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._lazy_handle = self.register_forward_pre_hook(type(self)._infer, with_kwargs=True)

    def has_uninitialized_params(self) -> bool:
        """Return whether a parameter or buffer has no shape yet."""
        return any(is_lazy(each) for each in (*self._parameters.values(), *self._buffers.values()))

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give parameters their shapes, from the first input."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def _infer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Before the first forward: initialise, and become the module proper."""
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        self._lazy_handle.remove()
        del self._lazy_handle
        if self.cls_to_become is not None:
            self.__class__ = self.cls_to_become
