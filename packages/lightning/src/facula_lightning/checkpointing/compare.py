"""Checkpoint files compared, verified and converted."""

from __future__ import annotations

import os
from typing import Any

import facula
from facula import Tensor

from facula_lightning.checkpointing.files import read_checkpoint, read_tree, write_checkpoint
from facula_lightning.checkpointing.io import PathLike
from facula_lightning.checkpointing.manifest import compare_with_manifest, leaves
from facula_lightning.checkpointing.safetensors import write_safetensors_checkpoint


def verify(path: PathLike) -> list[str]:
    """Return what is wrong with a checkpoint file, a sentence for each; empty when all of it is as it was written.

    A file without hashes, such as PyTorch Lightning's, is read whole, and said to have none.
    """
    try:
        tree, manifest = read_tree(path)
    except Exception as error:
        return [f"it cannot be read: {error}"]
    if manifest is None:
        return ["it can be read, but holds no hashes to compare with"]
    return compare_with_manifest(tree, manifest)


def diff(first: PathLike, second: PathLike) -> list[str]:
    """Return in what two checkpoints differ, a line for each place."""
    left, right = (dict(leaves(read_tree(each)[0])) for each in (first, second))
    lines = [f"- {place}: {_shown(left[place])}" for place in left if place not in right]
    lines += [f"+ {place}: {_shown(right[place])}" for place in right if place not in left]
    for place in left:
        if place in right and not _same(left[place], right[place]):
            lines.append(f"~ {place}: {_change(left[place], right[place])}")
    return lines


def convert(source: PathLike, target: PathLike) -> None:
    """Write the checkpoint in ``source`` to ``target``, in the format that its ending names.

    That is safetensors for ``.safetensors``, else PyTorch's. What PyTorch Lightning wrote becomes this trainer's own.
    """
    checkpoint = read_checkpoint(source)
    if os.fspath(target).endswith(".safetensors"):
        write_safetensors_checkpoint(checkpoint, target)
    else:
        write_checkpoint(checkpoint, target)


def _same(left: Any, right: Any) -> bool:
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return type(left) is type(right) and (left == right or (left != left and right != right))
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    return facula.equal(left, right) or bool(facula.allclose(left, right, rtol=0, atol=0, equal_nan=True))


def _change(left: Any, right: Any) -> str:
    alike = isinstance(left, Tensor) and isinstance(right, Tensor) and left.shape == right.shape
    if alike and left.dtype == right.dtype and left.is_floating_point():
        away = (left.double() - right.double()).abs()
        return f"{_shown(left)}, up to {away.max().item():.6g} apart"
    return f"{_shown(left)} -> {_shown(right)}"


def _shown(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).rpartition('.')[2]} {list(value.shape)}" if value.ndim else f"{value.item()!r}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
