"""Plain data: what may stand in a checkpoint beside tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import facula
import numpy as np

from facula_lightning.utilities.rank_zero import rank_zero_warn


class NotPlain(TypeError):
    """A value that a checkpoint cannot hold."""


def plain_hparams(hparams: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``hparams`` with paths as text and NumPy numbers as numbers; leaves out, with a warning, what is no data."""
    kept = {}
    for key, value in hparams.items():
        try:
            kept[key] = plain(value)
        except NotPlain:
            rank_zero_warn(
                f"The hyper-parameter {key!r} is a {type(value).__name__}, which a checkpoint cannot hold; it was left out."
                " Keep it out of the hyper-parameters with `save_hyperparameters(ignore=...)`."
            )
    return kept


def plain(value: object) -> Any:
    """Return ``value`` with everything in it that is no data made data, or raise NotPlain, naming the type."""
    if value is None or isinstance(value, (facula.Tensor, facula.dtype, facula.device)):
        return value
    if type(value) in (bool, int, float, complex, str, bytes):
        return value
    for kind in (int, float, str):
        # Members of an enumeration and other subclasses become what they are made of.
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return type(value)(plain(each) for each in value)
    raise NotPlain(f"a {type(value).__name__} is neither a tensor nor plain data")
