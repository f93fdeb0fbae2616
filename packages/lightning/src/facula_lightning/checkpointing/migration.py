"""Checkpoints of PyTorch Lightning, of its newest version and of older ones, as this trainer's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from facula.serialization import safe_globals

from facula_lightning.utilities.attribute_dict import AttributeDict
from facula_lightning.version import __version__

_VERSION = "pytorch-lightning_version"
# Before version 1.5, and before 0.10, a callback's state had no name of its own.
_EARLY_STOPPING = {
    "early_stop_callback_wait": "wait_count",
    "early_stop_callback_patience": "patience",
}
_MODEL_CHECKPOINT = {
    "checkpoint_callback_best_model_score": "best_model_score",
    "checkpoint_callback_best_model_path": "best_model_path",
    # The names of version 0.8.
    "checkpoint_callback_best": "best_model_score",
}
_NO_PROGRESS = {"ready": 0, "started": 0, "processed": 0, "completed": 0}


class _Name(str):
    """A class that an old checkpoint names, and nothing more: it cannot be called."""


class _Bag(dict[str, Any]):
    """An object of which a checkpoint holds the attributes."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.update(state)


_CALLBACKS = {
    "ModelCheckpoint": "model_checkpoint",
    "EarlyStopping": "early_stopping",
    "Timer": "timer",
    "LearningRateMonitor": "lr_monitor",
    "GPUStatsMonitor": "gpu_stats_monitor",
}


def known_classes() -> AbstractContextManager[None]:
    """Return the context in which the classes that Lightning's checkpoints name may be read, as plain data."""
    allowed: list[Any] = []
    for package in ("pytorch_lightning", "lightning.pytorch"):
        allowed.append((AttributeDict, f"{package}.utilities.parsing.AttributeDict"))
        for name, module in _CALLBACKS.items():
            allowed.append((_Name(name), f"{package}.callbacks.{module}.{name}"))
    for package in ("lightning_fabric", "lightning.fabric"):
        allowed.append((AttributeDict, f"{package}.utilities.data.AttributeDict"))
    allowed.append((_Bag, "argparse.Namespace"))
    return safe_globals(allowed)


def migrate(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint as this trainer writes it; one that it wrote, or that is of no trainer, is returned as it is."""
    theirs = _VERSION in checkpoint or "checkpoint_callback_best" in checkpoint
    if not theirs:
        return checkpoint
    migrated = dict(checkpoint)
    migrated["migrated_from"] = f"pytorch-lightning {migrated.pop(_VERSION, 'before 0.9')}"
    migrated["facula-lightning_version"] = __version__
    _migrate_hyper_parameters(migrated)
    _migrate_callbacks(migrated)
    if "optimizer_states" not in migrated:
        return migrated
    migrated.setdefault("lr_schedulers", [])
    migrated["loops"] = {"fit_loop": _migrate_loops(migrated)}
    migrated["metrics"] = {"callback": {}, "logged": {}, "progress_bar": {}}
    if "native_amp_scaling_state" in migrated:
        migrated["MixedPrecision"] = migrated.pop("native_amp_scaling_state")
    for name in ("NativeMixedPrecisionPlugin", "MixedPrecisionPlugin"):
        if name in migrated:
            migrated["MixedPrecision"] = migrated.pop(name)
    return migrated


def _migrate_hyper_parameters(checkpoint: dict[str, Any]) -> None:
    for name in ("hparams", "module_arguments"):
        if name in checkpoint and "hyper_parameters" not in checkpoint:
            given = checkpoint.pop(name)
            checkpoint["hyper_parameters"] = dict(given) if isinstance(given, Mapping) else given
    if isinstance(checkpoint.get("hyper_parameters"), Mapping):
        checkpoint["hyper_parameters"] = dict(checkpoint["hyper_parameters"])


def _migrate_callbacks(checkpoint: dict[str, Any]) -> None:
    callbacks = {str(key): value for key, value in (checkpoint.get("callbacks") or {}).items()}
    for names, callback in ((_EARLY_STOPPING, "EarlyStopping"), (_MODEL_CHECKPOINT, "ModelCheckpoint")):
        found = {new: checkpoint.pop(old) for old, new in names.items() if old in checkpoint}
        if found:
            callbacks[callback] = {**found, **callbacks.get(callback, {})}
    checkpoint["callbacks"] = callbacks


def _migrate_loops(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return the state of the training loop; adds to the checkpoint what each process has of its own."""
    theirs = (checkpoint.get("loops") or {}).get("fit_loop") or {}
    epochs = _progress(theirs.get("epoch_progress"), checkpoint.get("epoch", 0))
    batches = _progress(theirs.get("epoch_loop.batch_progress"), 0)
    steps = checkpoint.get("global_step", 0)
    stepped = (theirs.get("epoch_loop.state_dict") or {}).get("_batches_that_stepped", steps)
    last = bool((theirs.get("epoch_loop.batch_progress") or {}).get("is_last_batch", True))
    current, epoch = batches["current"], epochs["current"]
    position = "finished"
    if epoch["processed"] > epoch["completed"]:
        position = "epoch_end"
    elif current["ready"] and epoch["ready"] > epoch["processed"]:
        position = "batch_end" if current["processed"] > current["completed"] else "validation_end"
    place: dict[str, Any] = {
        **{"batches": current["ready"], "loader": None, "epoch_rng": None, "ahead_rng": None},
        **{"epoch_generators": [], "generators": []},
    }
    checkpoint["ranks"] = [
        {
            **{"rng": None, "validation_generators": [], "results": [], "validation_results": [], "gradients": {}},
            "module_metrics": {},
            "buffers": {},
            "weight": 1.0,
            **{"fetcher": place if position in ("batch_end", "validation_end") else None, "pending": None},
        }
    ]
    return {
        "state_dict": {"position": position, "stopped": False},
        "epoch_progress": epochs,
        "epoch_loop.batch_progress": {**batches, "is_last_batch": last},
        "epoch_loop.state_dict": {"_batches_that_stepped": stepped},
        "optimizer_steps": steps,
    }


def _progress(given: object, count: int) -> dict[str, dict[str, int]]:
    """Return a counter of Lightning, or one that counted to ``count`` where there is none."""
    found: dict[str, dict[str, int]] = {}
    for kind in ("total", "current"):
        counts = given.get(kind, {}) if isinstance(given, Mapping) else dict.fromkeys(_NO_PROGRESS, count)
        found[kind] = {name: counts.get(name, 0) for name in _NO_PROGRESS}
    return found
