"""Making objects of configurations: classes by their path, modules with what they were configured with."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeVar

from facula_lightning.cli.library import instantiate, jsonargparse
from facula_lightning.hparams import given_hyperparameters

if TYPE_CHECKING:
    from facula_lightning.cli.command_line import LightningCLI

T = TypeVar("T")

#: How a checkpoint says that `instantiate_module` makes the module again.
INSTANTIATOR = "facula_lightning.cli.instantiate_module"


def class_path(kind: type) -> str:
    """Return the path by which a class is found."""
    return f"{kind.__module__}.{kind.__name__}"


def with_class_path(kind: type, init_args: Any) -> dict[str, Any]:
    """Return the description of an object: its class and what it is made with."""
    if hasattr(init_args, "as_dict"):
        init_args = init_args.as_dict()
    return {"class_path": class_path(kind), "init_args": init_args or {}}


def instantiate_class(args: Any | tuple[Any, ...], init: dict[str, Any]) -> Any:
    """Return an object of the class ``init["class_path"]``, made with ``args`` and the keywords ``init["init_args"]``.

    >>> import facula
    >>> weight = facula.nn.Parameter(facula.ones(1))
    >>> instantiate_class([weight], {"class_path": "facula.optim.SGD", "init_args": {"lr": 0.1}}).defaults["lr"]
    0.1
    """
    module, name = init["class_path"].rsplit(".", 1)
    kind = getattr(importlib.import_module(module), name)
    return kind(*(args if isinstance(args, tuple) else (args,)), **init.get("init_args", {}))


def instantiate_module(class_type: type[T], config: dict[str, Any]) -> T:
    """Return an object of ``class_type``, or of the subclass ``config["_class_path"]``, from a plain configuration.

    What is described by ``class_path`` and ``init_args`` in it is made too: so a checkpoint's hyper-parameters, saved by
    a model that `LightningCLI` had made, make that model again.
    """
    parser = jsonargparse().ArgumentParser(exit_on_error=False)
    saved = {**config, "_instantiator": INSTANTIATOR}
    if "_class_path" in config:
        parser.add_subclass_arguments(class_type, "module", fail_untyped=False)
        others = {key: value for key, value in config.items() if key != "_class_path"}
        config = {"class_path": config["_class_path"], "dict_kwargs": others}
    else:
        parser.add_class_arguments(class_type, "module", fail_untyped=False)
    with given_hyperparameters(class_type, saved):
        made: T = instantiate(parser, parser.parse_object({"module": config})).module
    return made


class ModuleInstantiator:
    """Makes the model or the data of a command line, and lets ``save_hyperparameters`` find what was configured."""

    def __init__(self, cli: LightningCLI, key: str) -> None:
        self.cli = cli
        self.key = key

    def __call__(
        self, class_type: type[T], *args: Any, applied_instantiation_links: dict[str, Any], **kwargs: Any
    ) -> T:
        """Return the object."""
        hparams = self.cli.plain_config().get(self.key, {}) or {}
        if "class_path" in hparams:
            if hparams["class_path"].rpartition(".")[2] != class_type.__name__:
                # An argument of the model is a module of its own.
                return class_type(*args, **kwargs)
            # Kept flat, so that they are the same with and without the choice of a subclass.
            chosen = hparams["class_path"]
            hparams = {"_class_path": chosen, **(hparams.get("init_args") or {}), **(hparams.get("dict_kwargs") or {})}
        for target, value in applied_instantiation_links.items():
            if target.startswith(f"{self.key}."):
                _set_nested(hparams, target.removeprefix(f"{self.key}.").removeprefix("init_args."), value)
        with given_hyperparameters(class_type, {**hparams, "_instantiator": INSTANTIATOR}):
            return class_type(*args, **kwargs)


def _set_nested(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        tree = tree[parent]
    tree[last] = value
