"""Finding a learning rate and a batch size."""

from facula_lightning.tuner.lr_finder import LRFinder
from facula_lightning.tuner.tuner import Tuner
from facula_lightning.utilities.memory import find_executable_batch_size, is_oom_error

__all__ = ["LRFinder", "Tuner", "find_executable_batch_size", "is_oom_error"]
