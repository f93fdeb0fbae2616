"""LightningArgumentParser: jsonargparse's parser that knows the trainer's classes, optimizers and schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facula.optim import Optimizer

from facula_lightning.callbacks.callback import Callback
from facula_lightning.cli.library import jsonargparse, parser_base
from facula_lightning.cli.types import LRSchedulerTypeTuple
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.module import LightningModule
from facula_lightning.trainer.trainer import Trainer
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser
else:
    ArgumentParser = parser_base()

#: A class, or those of which any subclass will do.
ClassOrClasses = type[Any] | tuple[type[Any], ...]


class LightningArgumentParser(ArgumentParser):
    """A parser to which the arguments of models, data, trainers, callbacks, optimizers and schedulers can be added."""

    def __init__(
        self,
        *args: Any,
        description: str = "Lightning Trainer command line tool",
        env_prefix: str = "PL",
        default_env: bool = False,
        **kwargs: Any,
    ) -> None:
        jsonargparse()
        super().__init__(*args, description=description, env_prefix=env_prefix, default_env=default_env, **kwargs)
        self.callback_keys: list[str] = []
        # The class and the link of each optimizer and scheduler, by its key.
        self._optimizers: dict[str, tuple[ClassOrClasses, str]] = {}
        self._lr_schedulers: dict[str, tuple[ClassOrClasses, str]] = {}

    def add_lightning_class_args(
        self,
        lightning_class: Callable[..., Trainer | LightningModule | LightningDataModule | Callback] | type[Any],
        nested_key: str,
        subclass_mode: bool = False,
        required: bool = True,
    ) -> list[str]:
        """Add the arguments of a class, or of a function that returns one's object, below a key; return their names.

        With ``subclass_mode`` the class is chosen by ``class_path``, and its arguments are below ``init_args``.
        MisconfigurationException for a class that is no Trainer, LightningModule, LightningDataModule or Callback.
        """
        kind: Any = lightning_class
        if callable(kind) and not isinstance(kind, type):
            kind = jsonargparse().class_from_function(kind)
        known = (Trainer, LightningModule, LightningDataModule, Callback)
        if not (isinstance(kind, type) and issubclass(kind, known)):
            raise MisconfigurationException(
                f"Cannot add arguments from: {lightning_class}. Expected a callable that returns, or a subclass of,"
                " Trainer, LightningModule, LightningDataModule or Callback."
            )
        if issubclass(kind, Callback):
            self.callback_keys.append(nested_key)
        if subclass_mode:
            names = self.add_subclass_arguments(kind, nested_key, fail_untyped=False, required=required)
        else:
            # A trainer is made last, when the callbacks from elsewhere are there.
            late = issubclass(kind, Trainer)
            names = self.add_class_arguments(
                kind, nested_key, fail_untyped=False, instantiate=not late, sub_configs=True
            )
        added: list[str] = names
        return added

    def add_optimizer_args(
        self,
        optimizer_class: type[Optimizer] | tuple[type[Optimizer], ...] = (Optimizer,),
        nested_key: str = "optimizer",
        link_to: str = "AUTOMATIC",
    ) -> None:
        """Add the arguments of an optimizer below a key; a tuple of classes lets any subclass of them be chosen.

        ``link_to`` names the model's argument that gets the optimizer; "AUTOMATIC" is the model's ``configure_optimizers``.
        """
        self._add_late(optimizer_class, (Optimizer,), nested_key, "params")
        self._optimizers[nested_key] = (optimizer_class, link_to)

    def add_lr_scheduler_args(
        self,
        lr_scheduler_class: type[Any] | tuple[type[Any], ...] = LRSchedulerTypeTuple,
        nested_key: str = "lr_scheduler",
        link_to: str = "AUTOMATIC",
    ) -> None:
        """Add the arguments of a scheduler below a key, as `add_optimizer_args` does those of an optimizer."""
        self._add_late(lr_scheduler_class, LRSchedulerTypeTuple, nested_key, "optimizer")
        self._lr_schedulers[nested_key] = (lr_scheduler_class, link_to)

    def _add_late(self, kind: ClassOrClasses, bases: tuple[type, ...], nested_key: str, first: str) -> None:
        """Add the arguments of a class whose ``first`` argument is known only when the model has been made."""
        for each in kind if isinstance(kind, tuple) else (kind,):
            if not (isinstance(each, type) and issubclass(each, bases)):
                names = " or ".join(base.__name__ for base in bases)
                raise AssertionError(f"expected subclasses of {names} for {nested_key!r}, got {each!r}")
        options: dict[str, Any] = {"instantiate": False, "fail_untyped": False, "skip": {first}}
        if isinstance(kind, tuple):
            self.add_subclass_arguments(kind, nested_key, **options)
        else:
            self.add_class_arguments(kind, nested_key, sub_configs=True, **options)
