"""Images for facula: data sets, transforms, models, reading and writing."""

from facula_vision import datasets, io, models, ops, transforms, tv_tensors, utils

__all__ = ["datasets", "io", "models", "ops", "transforms", "tv_tensors", "utils"]

__version__ = "0.1.0"
