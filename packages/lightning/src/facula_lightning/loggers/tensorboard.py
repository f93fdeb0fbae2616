"""TensorBoardLogger: event files that TensorBoard reads."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from facula import Tensor

from facula_lightning.loggers.folders import FolderLogger, as_mapping, flattened
from facula_lightning.loggers.yaml import to_yaml
from facula_lightning.utilities.rank_zero import rank_zero_warn

if TYPE_CHECKING:
    from facula.utils.tensorboard import SummaryWriter


class TensorBoardLogger(FolderLogger):
    """Writes event files and ``hparams.yaml`` into ``save_dir/name/version_N``, or a folder ``sub_dir`` of it.

    The package ``tensorboard`` is imported with the first record. ``default_hp_metric`` records ``hp_metric`` with the
    hyper-parameters, so that they appear before there is any result; further options go to `facula.utils.tensorboard.SummaryWriter`.

    >>> TensorBoardLogger("logs", name="trial", version=3).log_dir.endswith("version_3")
    True
    """

    NAME_HPARAMS_FILE = "hparams.yaml"

    def __init__(
        self,
        save_dir: str | os.PathLike[str],
        name: str | None = "lightning_logs",
        version: int | str | None = None,
        log_graph: bool = False,
        default_hp_metric: bool = True,
        prefix: str = "",
        sub_dir: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(save_dir, name, version, prefix)
        self._log_graph = log_graph
        self._default_hp_metric = default_hp_metric
        self._sub_dir = None if sub_dir is None else os.fspath(sub_dir)
        self._options = kwargs
        self._experiment: SummaryWriter | None = None
        self.hparams: dict[str, object] = {}
        self._purged_from: int | None = None
        self._last_step = -1

    @property
    def log_dir(self) -> str:
        """The folder of this version."""
        folder = super().log_dir
        if self._sub_dir is not None:
            folder = os.path.join(folder, self._sub_dir)
        return os.path.expanduser(os.path.expandvars(folder))

    @property
    def sub_dir(self) -> str | None:
        """The folder within the version."""
        return self._sub_dir

    @property
    def experiment(self) -> SummaryWriter:
        """The writer, whose other methods (``add_image``, ``add_histogram``…) may be called too."""
        if self._experiment is None:
            from facula.utils.tensorboard import SummaryWriter

            os.makedirs(self.log_dir, exist_ok=True)
            # After a resume TensorBoard leaves out what was recorded at this step and later.
            options = {**self._options}
            if self._purged_from is not None:
                options.setdefault("purge_step", self._purged_from)
            self._experiment = SummaryWriter(log_dir=self.log_dir, **options)
        return self._experiment

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record numbers at a step; a dictionary of numbers is a chart of several."""
        for key, value in self._prefixed(metrics).items():
            if isinstance(value, dict):
                self.experiment.add_scalars(key, value, step)
                continue
            number = value.item() if isinstance(value, Tensor) else value
            self.experiment.add_scalar(key, number, step)
        if step is not None:
            self._last_step = max(self._last_step, step)

    def log_hyperparams(
        self,
        params: Mapping[str, object] | Namespace,
        metrics: Mapping[str, float] | float | None = None,
        step: int | None = None,
    ) -> None:
        """Record hyper-parameters, and the metrics that they are compared by."""
        given = as_mapping(params)
        self.hparams.update(given)
        if metrics is None:
            metrics = {"hp_metric": -1} if self._default_hp_metric else None
        elif not isinstance(metrics, Mapping):
            metrics = {"hp_metric": metrics}
        if not metrics:
            return
        self.log_metrics(dict(metrics), 0 if step is None else step)
        # Under this folder itself, and not one of its own as `add_hparams` makes by default.
        self.experiment.add_hparams(flattened(given), dict(metrics), run_name=".", global_step=step)

    def log_graph(self, model: object, input_array: object = None) -> None:
        """Say, where it was asked for, that the graph is not recorded."""
        if self._log_graph:
            rank_zero_warn("TensorBoardLogger does not record the model's graph: `log_graph=True` has no effect")

    def save(self) -> None:
        """Write ``hparams.yaml``, once."""
        path = os.path.join(self.log_dir, self.NAME_HPARAMS_FILE)
        if not os.path.isfile(path):
            os.makedirs(self.log_dir, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(to_yaml(self.hparams))

    def flush(self) -> None:
        """Write what waits."""
        self.experiment.flush()

    def finalize(self, status: str) -> None:
        """Write everything and close the file."""
        if self._experiment is not None:
            self._experiment.flush()
            self._experiment.close()
        if status == "success":
            self.save()

    def state_dict(self) -> dict[str, Any]:
        """Return the version and the last step recorded."""
        return {"save_dir": self.save_dir, "name": self.name, "version": self.version, "last_step": self._last_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on in the same version; TensorBoard leaves out what was recorded after the state was taken."""
        if not self._is_continued(state_dict):
            return
        self._version = state_dict["version"]
        self._last_step = state_dict["last_step"]
        self._purged_from = self._last_step + 1
        self._experiment = None
