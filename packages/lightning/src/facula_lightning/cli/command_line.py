"""LightningCLI: a program that is run from the command line, or from configuration files."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from functools import partial, update_wrapper
from types import MethodType
from typing import Any

from facula.optim import Optimizer

# Classes are chosen by their names among those that have been imported.
import facula_lightning.plugins.environments
import facula_lightning.profilers
import facula_lightning.strategies.ddp  # noqa: F401
from facula_lightning import callbacks, loggers
from facula_lightning.callbacks.callback import Callback
from facula_lightning.checkpointing.io import read_checkpoint
from facula_lightning.cli.instantiation import ModuleInstantiator, instantiate_class, with_class_path
from facula_lightning.cli.library import Instantiators, instantiate, jsonargparse, with_unset
from facula_lightning.cli.parser import ClassOrClasses, LightningArgumentParser
from facula_lightning.cli.save_config import SaveConfigCallback
from facula_lightning.cli.types import ArgsType, LRSchedulerTypeTuple, ReduceLROnPlateau
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.module import LightningModule
from facula_lightning.trainer.call import is_overridden
from facula_lightning.trainer.trainer import Trainer
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_warn
from facula_lightning.utilities.seed import seed_everything
from facula_lightning.version import __version__


class LightningCLI:
    """Makes a model, its data and a trainer of the command line, and calls the trainer's method that it names.

    ``program.py fit --model.width 8 --trainer.max_epochs 3 --optimizer Adam --optimizer.lr 0.01 --config more.yaml``

    Without ``model_class`` (or with ``subclass_mode_model``) the model's class is chosen by ``--model``, and so with the
    data. ``trainer_defaults`` take the place of the trainer's; callbacks among them are always there. ``parser_kwargs`` go to
    the parser, and those below the name of a subcommand to that subcommand's; ``{"default_env": True}`` reads variables as
    PL_FIT__TRAINER__MAX_EPOCHS too. ``args`` are read in place of the command line. With ``run=False`` there are no
    subcommands, and nothing is called. With ``auto_configure_optimizers`` there are ``--optimizer`` and ``--lr_scheduler``
    unless `add_arguments_to_parser` adds its own. With ``load_from_checkpoint_support`` ``save_hyperparameters`` keeps what was
    configured, so that ``load_from_checkpoint`` makes the objects that the model was given, too.
    """

    def __init__(
        self,
        model_class: type[LightningModule] | Callable[..., LightningModule] | None = None,
        datamodule_class: type[LightningDataModule] | Callable[..., LightningDataModule] | None = None,
        save_config_callback: type[SaveConfigCallback] | None = SaveConfigCallback,
        save_config_kwargs: dict[str, Any] | None = None,
        trainer_class: type[Trainer] | Callable[..., Trainer] = Trainer,
        trainer_defaults: dict[str, Any] | None = None,
        seed_everything_default: bool | int = True,
        parser_kwargs: dict[str, Any] | dict[str, dict[str, Any]] | None = None,
        parser_class: type[LightningArgumentParser] = LightningArgumentParser,
        subclass_mode_model: bool = False,
        subclass_mode_data: bool = False,
        args: ArgsType = None,
        run: bool = True,
        auto_configure_optimizers: bool = True,
        load_from_checkpoint_support: bool = True,
    ) -> None:
        jsonargparse()
        self.save_config_callback = save_config_callback
        self.save_config_kwargs = save_config_kwargs or {}
        self.trainer_class = trainer_class
        self.trainer_defaults = trainer_defaults or {}
        self.seed_everything_default = seed_everything_default
        self.parser_kwargs = parser_kwargs or {}
        self.parser_class = parser_class
        self.auto_configure_optimizers = auto_configure_optimizers
        self.load_from_checkpoint_support = load_from_checkpoint_support
        self.model_class = model_class
        self.subclass_mode_model = subclass_mode_model or model_class is None
        self.datamodule_class = datamodule_class
        self.subclass_mode_data = subclass_mode_data or datamodule_class is None
        self._model_class: Any = model_class or LightningModule
        self._datamodule_class: Any = datamodule_class or LightningDataModule

        self.config: Any
        self.config_init: Any
        self.model: LightningModule
        self.datamodule: LightningDataModule | None = None
        self.trainer: Trainer
        self._subcommand_parsers: dict[str, LightningArgumentParser] = {}
        self._subcommand_method_arguments: dict[str, list[str]] = {}

        names = self.subcommands()
        main = {key: value for key, value in self.parser_kwargs.items() if key not in names}
        each = {key: value for key, value in self.parser_kwargs.items() if key in names}
        self.setup_parser(run, main, each)
        self.parse_arguments(self.parser, args)
        self.subcommand: str | None = self.config["subcommand"] if run else None
        self._take_hyperparameters_of_checkpoint()
        self._set_seed()
        self.before_instantiate_classes()
        self.instantiate_classes()
        self.after_instantiate_classes()
        if self.subcommand is not None:
            self._run_subcommand(self.subcommand)

    # The parser

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Return a parser that reads configuration files."""
        kwargs.setdefault("dump_header", [f"facula_lightning=={__version__}"])
        parser = self.parser_class(**kwargs)
        parser.add_argument(
            "-c",
            "--config",
            action=jsonargparse().ActionConfigFile,
            help="Path to a configuration file in json or yaml format.",
        )
        return parser

    def setup_parser(
        self, add_subcommands: bool, main_kwargs: dict[str, Any], subparser_kwargs: dict[str, Any]
    ) -> None:
        """Make the parser, with subcommands or without."""
        _import_named_classes()
        self.parser = self.init_parser(**main_kwargs)
        if add_subcommands:
            self._add_subcommands(self.parser, **subparser_kwargs)
        else:
            self._add_arguments(self.parser)

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what belongs to no class: the seed."""
        parser.add_argument(
            "--seed_everything",
            type=bool | int,
            default=self.seed_everything_default,
            help="A number seeds all generators with it before anything is made; True takes PL_GLOBAL_SEED, False does not.",
        )

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the arguments of the trainer, the model and the data."""
        parser.add_lightning_class_args(self.trainer_class, "trainer")
        defaults = {f"trainer.{key}": value for key, value in self.trainer_defaults.items() if key != "callbacks"}
        parser.set_defaults(defaults)
        parser.add_lightning_class_args(self._model_class, "model", subclass_mode=self.subclass_mode_model)
        # The model may have loaders of its own.
        parser.add_lightning_class_args(
            self._datamodule_class,
            "data",
            subclass_mode=self.subclass_mode_data,
            required=self.datamodule_class is not None,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add further arguments, or link arguments to each other; for subclasses to write."""

    def _add_arguments(self, parser: LightningArgumentParser) -> None:
        self.add_default_arguments_to_parser(parser)
        self.add_core_arguments_to_parser(parser)
        self.add_arguments_to_parser(parser)
        if self.auto_configure_optimizers:
            if not parser._optimizers:
                parser.add_optimizer_args((Optimizer,))
            if not parser._lr_schedulers:
                parser.add_lr_scheduler_args(LRSchedulerTypeTuple)
        self.link_optimizers_and_lr_schedulers(parser)

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the trainer's methods that are subcommands, and which of their arguments are no options."""
        evaluation = {"model", "dataloaders", "datamodule"}
        return {
            "fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"},
            "validate": set(evaluation),
            "test": set(evaluation),
            "predict": set(evaluation),
        }

    def _add_subcommands(self, parser: LightningArgumentParser, **kwargs: Any) -> None:
        trainer_class: Any = self.trainer_class
        if not isinstance(trainer_class, type):
            trainer_class = jsonargparse().class_from_function(trainer_class)
        group = parser.add_subcommands()
        for name, skip in self.subcommands().items():
            documentation = inspect.getdoc(getattr(trainer_class, name))
            description = documentation.split("\n\n")[0] if documentation else None
            options = {"description": description, **kwargs.get(name, {})}
            child = self.init_parser(**options)
            self._add_arguments(child)
            self._subcommand_method_arguments[name] = child.add_method_arguments(trainer_class, name, skip=set(skip))
            self._subcommand_parsers[name] = child
            group.add_subcommand(name, child, help=description)

    @staticmethod
    def link_optimizers_and_lr_schedulers(parser: LightningArgumentParser) -> None:
        """Link the optimizers and schedulers that are arguments of the model to those."""
        for key, (kind, link_to) in {**parser._optimizers, **parser._lr_schedulers}.items():
            if link_to == "AUTOMATIC":
                continue
            if isinstance(kind, tuple):
                parser.link_arguments(key, link_to)
            else:
                parser.link_arguments(key, link_to, compute_fn=partial(with_class_path, kind))

    # The arguments

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Read the command line, or ``args``, into ``config``."""
        if args is not None and len(sys.argv) > 1:
            rank_zero_warn(
                "LightningCLI's args parameter is intended to run from within Python as if it were from the command line."
                " To prevent mistakes it is not recommended to provide both args and command line arguments, got:"
                f" sys.argv[1:]={sys.argv[1:]}, args={args}."
            )
        given: Any = args
        if isinstance(given, (dict, jsonargparse().Namespace)):
            self.config = parser.parse_object(given)
        else:
            self.config = parser.parse_args(given)

    def _take_hyperparameters_of_checkpoint(self) -> None:
        """Let the model be made as the one of ``--ckpt_path`` was."""
        if self.subcommand is None:
            return
        path = self.config[self.subcommand].get("ckpt_path")
        if not path or not os.path.isfile(path):
            return
        hparams = dict(read_checkpoint(path, "cpu").get(LightningModule.CHECKPOINT_HYPER_PARAMS_KEY) or {})
        hparams.pop("_instantiator", None)
        if not hparams:
            return
        if "_class_path" in hparams:
            hparams = {"class_path": hparams.pop("_class_path"), "dict_kwargs": hparams}
        try:
            self.config = self.parser.parse_object({self.subcommand: {"model": hparams}}, self.config)
        except SystemExit:
            sys.stderr.write("Parsing of ckpt_path hyperparameters failed!\n")
            raise

    def plain_config(self) -> dict[str, Any]:
        """Return the configuration of the subcommand as plain data, with what links filled in."""
        if not hasattr(self, "config_dump"):
            import yaml

            text = self.parser.dump(self.config, skip_link_targets=False, format="yaml", **with_unset())
            found = yaml.safe_load(text)
            self.config_dump: dict[str, Any] = found if self.subcommand is None else found[self.subcommand]
        return self.config_dump

    def _set_seed(self) -> None:
        seed = self._get(self.config, "seed_everything")
        if seed is False:
            return
        seed = seed_everything(workers=True) if seed is True else seed_everything(seed, workers=True)
        own = self.config[self.subcommand] if self.subcommand else self.config
        own["seed_everything"] = seed

    def _get(self, config: Any, key: str, default: Any = None) -> Any:
        """Return a value of a configuration, below the subcommand where there is one."""
        return config.get(str(self.subcommand), config).get(key, default)

    def _parser(self, subcommand: str | None) -> LightningArgumentParser:
        return self.parser if subcommand is None else self._subcommand_parsers[subcommand]

    # The objects

    def before_instantiate_classes(self) -> None:
        """Called before the objects are made; for subclasses to write."""

    def instantiate_classes(self) -> None:
        """Make the model, the data and the trainer."""
        self.config_init = instantiate(self.parser, self.config, self._instantiators())
        self.datamodule = self._get(self.config_init, "data")
        self.model = self._get(self.config_init, "model")
        self._add_configure_optimizers_method_to_model(self.subcommand)
        self.trainer = self.instantiate_trainer()

    def after_instantiate_classes(self) -> None:
        """Called when the objects have been made; for subclasses to write."""

    def _instantiators(self) -> Instantiators:
        if not self.load_from_checkpoint_support:
            return []
        return [
            (ModuleInstantiator(self, "model"), _returned_class(self._model_class), self.subclass_mode_model),
            (ModuleInstantiator(self, "data"), _returned_class(self._datamodule_class), self.subclass_mode_data),
        ]

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Return the trainer; ``kwargs`` take the place of what was configured."""
        callbacks = [self._get(self.config_init, key) for key in self._parser(self.subcommand).callback_keys]
        config = {**self._get(self.config_init, "trainer", default={}), **kwargs}
        return self._instantiate_trainer(config, callbacks)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        if "callbacks" not in config:
            rank_zero_warn(
                f"The `{getattr(self.trainer_class, '__qualname__', self.trainer_class)}` class does not expose the"
                " `callbacks` argument so they will not be included."
            )
            return self.trainer_class(**config)
        given = config["callbacks"]
        every = [] if given is None else list(given) if isinstance(given, list) else [given]
        every += callbacks
        always = self.trainer_defaults.get("callbacks", [])
        every += always if isinstance(always, list) else [always]
        if self.save_config_callback is not None and not config.get("fast_dev_run", False):
            own = self.config.get(str(self.subcommand), self.config)
            every.append(self.save_config_callback(self._parser(self.subcommand), own, **self.save_config_kwargs))
        return self.trainer_class(**{**config, "callbacks": every})

    # The optimizers

    @staticmethod
    def configure_optimizers(
        lightning_module: LightningModule, optimizer: Optimizer, lr_scheduler: Any | None = None
    ) -> Any:
        """Return what the model's ``configure_optimizers`` is to return; for subclasses to change."""
        if lr_scheduler is None:
            return optimizer
        if isinstance(lr_scheduler, ReduceLROnPlateau):
            monitored = {"scheduler": lr_scheduler, "monitor": lr_scheduler.monitor}
            return {"optimizer": optimizer, "lr_scheduler": monitored}
        return [optimizer], [lr_scheduler]

    def _add_configure_optimizers_method_to_model(self, subcommand: str | None) -> None:
        """Give the model the ``configure_optimizers`` that the command line describes."""
        parser = self._parser(subcommand)
        optimizers = _automatic(parser._optimizers)
        schedulers = _automatic(parser._lr_schedulers)
        if not self.auto_configure_optimizers or not optimizers:
            return
        if len(optimizers) > 1 or len(schedulers) > 1:
            raise MisconfigurationException(
                f"`{type(self).__name__}` expects at most one optimizer and one lr_scheduler to be 'AUTOMATIC', but found"
                f" {optimizers + schedulers}. Link them to arguments of the model (`link_to=...`) and implement its"
                " `configure_optimizers`."
            )
        described = self._described(optimizers[0], parser._optimizers)
        if not described:
            return
        scheduler_described = self._described(schedulers[0], parser._lr_schedulers) if schedulers else None
        if is_overridden("configure_optimizers", self.model):
            rank_zero_warn(
                f"`{type(self.model).__name__}.configure_optimizers` will be overridden by"
                f" `{type(self).__name__}.configure_optimizers`."
            )
        optimizer = instantiate_class(self.model.parameters(), described)
        scheduler = instantiate_class(optimizer, scheduler_described) if scheduler_described else None
        configure: Any = partial(self.configure_optimizers, optimizer=optimizer, lr_scheduler=scheduler)
        update_wrapper(configure, self.configure_optimizers)
        self.model.configure_optimizers = MethodType(configure, self.model)  # type: ignore[method-assign]

    def _described(self, key: str, register: dict[str, tuple[ClassOrClasses, str]]) -> Any:
        """Return the class and the arguments that were configured for an optimizer or a scheduler."""
        kind = register[key][0]
        found = self._get(self.config_init, key)
        return found if isinstance(kind, tuple) else with_class_path(kind, found)

    # The run

    def _run_subcommand(self, subcommand: str) -> None:
        """Call the trainer's method, or this object's of the same name, between ``before_`` and ``after_`` it."""
        before = getattr(self, f"before_{subcommand}", None)
        if callable(before):
            before()
        method = getattr(self, subcommand, None) or getattr(self.trainer, subcommand)
        method(**self._prepare_subcommand_kwargs(subcommand))
        after = getattr(self, f"after_{subcommand}", None)
        if callable(after):
            after()

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        names = self._subcommand_method_arguments[subcommand]
        kwargs = {key: value for key, value in self.config_init[subcommand].items() if key in names}
        kwargs["model"] = self.model
        if self.datamodule is not None:
            kwargs["datamodule"] = self.datamodule
        return kwargs


def _import_named_classes() -> None:
    """Import the callbacks and loggers, which otherwise wait until a program names them."""
    for package in (callbacks, loggers):
        for name in package.__all__:
            getattr(package, name)


def _automatic(register: dict[str, tuple[ClassOrClasses, str]]) -> list[str]:
    return [key for key, (_, link_to) in register.items() if link_to == "AUTOMATIC"]


def _returned_class(value: Any) -> type:
    """Return the class, or the one whose object a function returns."""
    if isinstance(value, type):
        return value
    found: type = inspect.signature(value, eval_str=True).return_annotation
    return found
