"""A command line for a model: every argument of it, of its data and of the trainer is an option.

Needs the package jsonargparse (``pip install 'facula-lightning[cli]'``); what is here says so when it is used without.
"""

from facula_lightning.cli.command_line import LightningCLI
from facula_lightning.cli.instantiation import instantiate_class, instantiate_module
from facula_lightning.cli.parser import LightningArgumentParser
from facula_lightning.cli.save_config import SaveConfigCallback
from facula_lightning.cli.types import (
    ArgsType,
    LRSchedulerCallable,
    LRSchedulerType,
    LRSchedulerTypeTuple,
    LRSchedulerTypeUnion,
    OptimizerCallable,
    ReduceLROnPlateau,
)

__all__ = ["ArgsType", "LRSchedulerCallable", "LRSchedulerType", "LRSchedulerTypeTuple", "LRSchedulerTypeUnion"]
__all__ += ["LightningArgumentParser", "LightningCLI", "OptimizerCallable", "ReduceLROnPlateau"]
__all__ += ["SaveConfigCallback", "instantiate_class", "instantiate_module"]
