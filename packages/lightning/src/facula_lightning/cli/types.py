"""Names for annotations of models and command lines, and the scheduler that knows what it monitors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from facula.optim import Optimizer
from facula.optim.lr_scheduler import LRScheduler
from facula.optim.lr_scheduler import ReduceLROnPlateau as _ReduceLROnPlateau

from facula_lightning.cli.library import namespace_class

if TYPE_CHECKING:
    from jsonargparse import Namespace
else:
    Namespace = namespace_class()


class ReduceLROnPlateau(_ReduceLROnPlateau):
    """facula's ReduceLROnPlateau that remembers the name of the metric it is to watch."""

    def __init__(self, optimizer: Optimizer, monitor: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(optimizer, *args, **kwargs)
        self.monitor = monitor


#: Classes of schedulers that a command line offers. Whoever wants ReduceLROnPlateau means the one of this file.
LRSchedulerTypeTuple = (LRScheduler, ReduceLROnPlateau)
LRSchedulerTypeUnion = LRScheduler | ReduceLROnPlateau
LRSchedulerType = type[LRScheduler] | type[ReduceLROnPlateau]

#: What `LightningCLI` takes for a command line given in the program.
ArgsType = list[str] | dict[str, Any] | Namespace | None

#: For an argument of a model that makes an optimizer, or a scheduler, once it is given what belongs to it.
OptimizerCallable = Callable[[Iterable[Any]], Optimizer]
LRSchedulerCallable = Callable[[Optimizer], LRScheduler | ReduceLROnPlateau]
