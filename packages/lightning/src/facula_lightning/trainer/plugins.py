"""The trainer's plugins: what takes the place of its own parts."""

from __future__ import annotations

from facula_lightning.plugins.io import CheckpointIO, TorchCheckpointIO
from facula_lightning.plugins.layer_sync import LayerSync, TorchSyncBatchNorm
from facula_lightning.plugins.precision import Precision, make_precision
from facula_lightning.utilities.exceptions import MisconfigurationException


def resolve_plugins(plugins: object, precision: str | int | None, device: str) -> tuple[Precision, CheckpointIO]:
    """Return the precision and the checkpoint files' plugin in ``plugins``, or those that there are without.

    Raises ValueError for a precision given twice, MisconfigurationException for what is no plugin or two of a kind.
    """
    given = list(plugins) if isinstance(plugins, (list, tuple)) else [] if plugins is None else [plugins]
    precisions = [each for each in given if isinstance(each, Precision)]
    files = [each for each in given if isinstance(each, CheckpointIO)]
    for each in given:
        if each not in precisions and each not in files:
            raise MisconfigurationException(
                f"Found invalid type for plugin {each}. Expected one of: Precision, CheckpointIO, got {type(each).__name__}."
            )
    for name, found in (("Precision", precisions), ("CheckpointIO", files)):
        if len(found) > 1:
            raise MisconfigurationException(
                f"Received multiple values for {name} flags in `plugins`. Expected one value at most."
            )
    if precisions and precision is not None:
        raise ValueError(f"Received both `precision={precision}` and `plugins={precisions[0]}`. Choose one.")
    return (
        precisions[0] if precisions else make_precision(precision, device),
        files[0] if files else TorchCheckpointIO(),
    )


def split_layer_sync(plugins: object, sync_batchnorm: bool) -> tuple[LayerSync | None, object]:
    """Return what exchanges layers for such as know of other processes, where there is such, and the other plugins."""
    given = list(plugins) if isinstance(plugins, (list, tuple)) else [] if plugins is None else [plugins]
    found = [each for each in given if isinstance(each, LayerSync)]
    if len(found) > 1 or (found and sync_batchnorm and not isinstance(found[0], TorchSyncBatchNorm)):
        raise MisconfigurationException(
            "Received multiple values for LayerSync flags in `plugins` and `sync_batchnorm`. Expected one value at most."
        )
    if not found:
        return (TorchSyncBatchNorm() if sync_batchnorm else None), plugins
    return found[0], [each for each in given if each is not found[0]]
