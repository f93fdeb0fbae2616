"""AsyncCheckpointIO: writing checkpoints while training goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula import Tensor

from facula_lightning.checkpointing.io import MapLocation, PathLike
from facula_lightning.plugins.io.checkpoint_io import CheckpointIO
from facula_lightning.plugins.io.torch_plugin import TorchCheckpointIO
from facula_lightning.utilities.data import apply_to_collection

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


class AsyncCheckpointIO(CheckpointIO):
    """Lets another `CheckpointIO` write in a thread, one checkpoint after the other, as they were when they were saved.

    An error of the thread is raised by the next call.
    """

    def __init__(self, checkpoint_io: CheckpointIO | None = None) -> None:
        self.checkpoint_io = checkpoint_io or TorchCheckpointIO()
        self._executor: ThreadPoolExecutor | None = None
        self._last: list[Future[None]] = []

    def save_checkpoint(self, checkpoint: dict[str, Any], path: PathLike, storage_options: Any | None = None) -> None:
        """Copy the checkpoint, and have the copy written."""
        self._raise_errors()
        # Training goes on to change the tensors.
        held: Any = apply_to_collection(checkpoint, Tensor, lambda tensor: tensor.detach().clone())
        self._submit(self.checkpoint_io.save_checkpoint, held, path, storage_options)

    def load_checkpoint(
        self, path: PathLike, map_location: MapLocation = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the checkpoint at ``path``, after all that were saved before are written."""
        self._wait()
        return self.checkpoint_io.load_checkpoint(path, map_location, weights_only)

    def remove_checkpoint(self, path: PathLike) -> None:
        """Delete the checkpoint at ``path``, after all that were saved before are written."""
        self._submit(self.checkpoint_io.remove_checkpoint, path)

    def teardown(self) -> None:
        """Wait until everything is written."""
        try:
            self._wait()
        finally:
            if self._executor is not None:
                self._executor.shutdown()
                self._executor = None
            self.checkpoint_io.teardown()

    def _submit(self, function: Any, *arguments: object) -> None:
        if self._executor is None:
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._last.append(self._executor.submit(function, *arguments))

    def _wait(self) -> None:
        waiting, self._last = self._last, []
        for each in waiting:
            each.result()

    def _raise_errors(self) -> None:
        done = [each for each in self._last if each.done()]
        self._last = [each for each in self._last if not each.done()]
        for each in done:
            each.result()
