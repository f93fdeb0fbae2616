"""Doing the batch of a crash capsule again."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import facula
from facula import Tensor

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.crash_capsule import CrashCapsule
from facula_lightning.checkpointing.io import PathLike, read_checkpoint
from facula_lightning.checkpointing.restore import construct_from_content
from facula_lightning.module import LightningModule
from facula_lightning.plugins.io import TorchCheckpointIO
from facula_lightning.utilities.data import apply_to_collection
from facula_lightning.utilities.seed import set_rng_states


@dataclass
class Replay:
    """What came of a replay: the error expected, the one that came, and the first submodule whose output was not finite."""

    expected: str
    found: str | None
    where: str | None
    exception: BaseException | None

    @property
    def reproduced(self) -> bool:
        """Whether the same error came."""
        return self.found == self.expected


def replay(path: PathLike, model: LightningModule | type[LightningModule] | None = None) -> Replay:
    """Return what happens when the batch of a capsule is done again, from the same state with the same random numbers.

    The model is made from its class and hyper-parameters, unless it, or its class, is given. Raises ValueError for a file
    that is no capsule or whose batch cannot be done again.
    """
    from facula_lightning.trainer import Trainer

    checkpoint = read_checkpoint(path)
    capsule = checkpoint.get("capsule")
    if not isinstance(capsule, dict):
        raise ValueError(f"{os.fspath(path)} is no capsule: it was saved by something else than `CrashCapsule`")
    error = capsule["exception"]
    expected = f"{error['type']}: {error['message']}"
    if not capsule["repeatable"]:
        raise ValueError(
            f"the failure in {os.fspath(path)} did not come within a batch, before its step, so none can be done again:"
            f" it was\n{error['traceback']}"
        )
    if model is None:
        model = _find_class(capsule["model"])
    if isinstance(model, type):
        model, _ = construct_from_content(model, checkpoint, {})
    # What the hooks of the transfer made of the batch is in the capsule.
    for hook in ("on_before_batch_transfer", "on_after_batch_transfer"):
        model.__dict__[hook] = _as_it_is
    watch = _Watch(capsule, model)
    callbacks: list[Callback] = [watch]
    if capsule["check_finite"]:
        callbacks.append(_Checks())
    trainer = Trainer(
        **capsule["trainer"], callbacks=callbacks, plugins=_Content(_prepared(checkpoint)), accelerator="auto",
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        max_epochs=-1, limit_val_batches=0, num_sanity_val_steps=0,
    )  # fmt: skip
    found, raised = None, None
    try:
        trainer.fit(model, _Repeated(capsule["batch"], capsule["batch_idx"] + 2), ckpt_path="capsule")
    except _Done:
        pass
    except Exception as exception:
        found, raised = f"{type(exception).__name__}: {exception}", exception
    finally:
        watch.remove()
    return Replay(expected, found, watch.where, raised)


def _prepared(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint that goes on with the batch, whatever the loader."""
    own = dict(checkpoint["ranks"][0])
    place: dict[str, Any] = {
        "loader": None,
        "epoch_rng": None,
        "ahead_rng": None,
        "epoch_generators": [],
        "generators": [],
    }
    own["fetcher"] = {**place, "batches": checkpoint["capsule"]["batch_idx"]}
    own["validation_generators"] = []
    return {**checkpoint, "ranks": [own], "callbacks": {}, "loggers": []}


class _Checks(CrashCapsule):
    """Checks what a capsule's callback checked, and writes nothing."""

    def on_exception(self, trainer: Any, pl_module: LightningModule, exception: BaseException) -> None:
        """Do nothing."""


class _Done(Exception):
    """The batch went well."""


class _Content(TorchCheckpointIO):
    """Has one checkpoint, in memory."""

    def __init__(self, checkpoint: dict[str, Any]) -> None:
        self.checkpoint = checkpoint

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Return the checkpoint."""
        return self.checkpoint


class _Repeated:
    """A loader of one batch, so many times."""

    def __init__(self, batch: Any, count: int) -> None:
        self.batch = batch
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        # Each time another copy: a step may write to its batch.
        for _ in range(self.count):
            yield apply_to_collection(self.batch, Tensor, lambda tensor: tensor.clone())


class _Watch(Callback):
    """Sets the generators at the batch's start, ends the run at its end, and looks at what submodules give."""

    def __init__(self, capsule: dict[str, Any], model: LightningModule) -> None:
        self.rng = capsule["rng"]
        self.where: str | None = None
        self.handles = [
            module.register_forward_hook(self._looking_at(name or type(model).__name__))
            for name, module in model.named_modules()
        ]

    def _looking_at(self, name: str) -> Any:
        def look(module: facula.nn.Module, arguments: Any, output: Any) -> None:
            if self.where is None and not _finite(output) and _finite(arguments):
                self.where = f"{name} ({type(module).__name__})"

        return look

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Set the generators."""
        set_rng_states(self.rng)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """End the run."""
        raise _Done


def _finite(value: Any) -> bool:
    good = True

    def look(tensor: Tensor) -> Tensor:
        nonlocal good
        if tensor.is_floating_point():
            good = good and bool(facula.isfinite(tensor.detach()).all())
        return tensor

    apply_to_collection(value, Tensor, look)
    return good


def _as_it_is(batch: Any, dataloader_idx: int) -> Any:
    return batch


def _find_class(model: dict[str, str]) -> type[LightningModule]:
    if model["module"] == "__main__" or "<locals>" in model["class"]:
        raise ValueError(
            f"the model {model['class']} is of no module that can be imported: name its file, `--model program.py:Class`"
        )
    return _of_module(importlib.import_module(model["module"]), model["class"])


def _of_module(module: object, name: str) -> type[LightningModule]:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not issubclass(found, LightningModule):
        raise ValueError(f"{getattr(module, '__name__', module)} has no LightningModule {name!r}")
    return found


def load_class(text: str) -> type[LightningModule]:
    """Return the class that ``module:Class`` or ``file.py:Class`` names."""
    place, _, name = text.rpartition(":")
    if not place:
        raise ValueError(f"expected module:Class or file.py:Class, got {text!r}")
    if not place.endswith(".py"):
        return _of_module(importlib.import_module(place), name)
    spec = importlib.util.spec_from_file_location("replayed_program", place)
    if spec is None or spec.loader is None:
        raise ValueError(f"the file {place} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return _of_module(module, name)
