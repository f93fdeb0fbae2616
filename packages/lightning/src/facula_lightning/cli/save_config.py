"""SaveConfigCallback: the configuration of a run, kept beside its logs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.cli.library import with_unset

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from facula_lightning.cli.parser import LightningArgumentParser
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer.trainer import Trainer


class SaveConfigCallback(Callback):
    """Writes the configuration of a `LightningCLI` into the folder of the logs when a run begins.

    RuntimeError when the file is there already, unless ``overwrite`` is set. ``multifile`` writes as many files as were
    read. A subclass that overrides ``save_config`` can write elsewhere too, or, with ``save_to_log_dir=False``, only there.
    """

    def __init__(
        self,
        parser: LightningArgumentParser,
        config: Namespace | Any,
        config_filename: str = "config.yaml",
        overwrite: bool = False,
        multifile: bool = False,
        save_to_log_dir: bool = True,
    ) -> None:
        self.parser = parser
        self.config = config
        self.config_filename = config_filename
        self.overwrite = overwrite
        self.multifile = multifile
        self.save_to_log_dir = save_to_log_dir
        self.already_saved = False
        if not save_to_log_dir and type(self).save_config is SaveConfigCallback.save_config:
            raise ValueError(
                "`save_to_log_dir=False` only makes sense with a subclass of SaveConfigCallback that implements"
                " `save_config`: otherwise nothing would be saved"
            )

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write the configuration, once."""
        if self.already_saved:
            return
        if self.save_to_log_dir:
            self._save_to_log_dir(trainer)
        if trainer.is_global_zero:
            self.save_config(trainer, pl_module, stage)
        self.already_saved = True

    def _save_to_log_dir(self, trainer: Trainer) -> None:
        folder = trainer.log_dir
        if folder is None:
            raise RuntimeError("the logger has no folder into which the configuration could be saved")
        path = os.path.join(folder, self.config_filename)
        if not self.overwrite:
            # The first process looks, and all fail together.
            exists = trainer.strategy.broadcast(trainer.is_global_zero and os.path.isfile(path))
            if exists:
                raise RuntimeError(
                    f"{type(self).__name__} expected {path} to NOT exist. Aborting to avoid overwriting results of a"
                    " previous run. You can delete the previous config file, set"
                    " `LightningCLI(save_config_callback=None)` to disable config saving, or set"
                    ' `LightningCLI(save_config_kwargs={"overwrite": True})` to overwrite the config file.'
                )
        if trainer.is_global_zero:
            os.makedirs(folder, exist_ok=True)
            self.parser.save(self.config, path, overwrite=self.overwrite, multifile=self.multifile, **with_unset())

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Save the configuration elsewhere too; called in the first process only, and for subclasses to write."""
