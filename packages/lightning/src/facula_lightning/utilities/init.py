"""Making layers without drawing their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from facula import Tensor
from facula.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from facula_lightning.plugins.precision import Precision


class EmptyInit(TorchFunctionMode):
    """Context in which the functions of `facula.nn.init` leave a tensor as it is: weights are whatever was in memory.

    No random number is drawn. It is for models whose weights are read from a file afterwards.

    >>> import facula
    >>> with EmptyInit():
    ...     layer = facula.nn.Linear(1000, 1000)
    >>> tuple(layer.weight.shape)
    (1000, 1000)
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return the tensor that ``func`` would fill; of any other function what it returns."""
        given = kwargs or {}
        if getattr(func, "__module__", None) != "facula.nn.init":
            return func(*args, **given)
        tensor = given["tensor"] if "tensor" in given else args[0]
        return tensor if isinstance(tensor, Tensor) else func(*args, **given)


@contextmanager
def new_layers(precision: Precision, empty_init: bool | None) -> Iterator[None]:
    """Give layers made inside the context the type of a precision; with ``empty_init`` their weights are not drawn."""
    with precision.module_init_context(), EmptyInit() if empty_init else nullcontext():
        yield
