"""MLFlowLogger: a thin adapter to MLflow."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from facula import Tensor

from facula_lightning.loggers.folders import as_mapping, flattened
from facula_lightning.loggers.logger import Logger
from facula_lightning.utilities.imports import imported

if TYPE_CHECKING:
    from facula_lightning.callbacks.checkpoint import Checkpoint


class MLFlowLogger(Logger):
    """Records to MLflow; the package ``mlflow`` is imported with the first record.

    The tracking server is ``tracking_uri``, or the variable ``MLFLOW_TRACKING_URI``, or files in ``save_dir``. With
    ``log_model`` checkpoints are uploaded when the run ends, or ("all") whenever one is saved.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        experiment_name: str = "lightning_logs",
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: Mapping[str, Any] | None = None,
        save_dir: str | None = "./mlruns",
        log_model: str | bool = False,
        prefix: str = "",
        artifact_location: str | None = None,
        run_id: str | None = None,
        synchronous: bool | None = None,
    ) -> None:
        tracking_uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        self._tracking_uri = tracking_uri or f"file:{save_dir}"
        self._experiment_name = experiment_name
        self._experiment_id: str | None = None
        self._run_id = run_id
        self._artifact_location = artifact_location
        self._prefix = prefix
        self._log_model = log_model
        self._log_options = {} if synchronous is None else {"synchronous": synchronous}
        self.tags = {**(tags or {}), **({"mlflow.runName": run_name} if run_name is not None else {})}
        self._client: Any = None
        self._checkpoints: list[str] = []

    @property
    def experiment(self) -> Any:
        """The client, with a run begun."""
        if self._client is None:
            tracking = imported("mlflow.tracking", "MLFlowLogger", "mlflow")
            client = tracking.MlflowClient(self._tracking_uri)
            if self._run_id is None:
                known = client.get_experiment_by_name(self._experiment_name)
                self._experiment_id = (
                    client.create_experiment(self._experiment_name, artifact_location=self._artifact_location)
                    if known is None
                    else known.experiment_id
                )
                self._run_id = client.create_run(experiment_id=self._experiment_id, tags=self.tags).info.run_id
            else:
                self._experiment_id = client.get_run(self._run_id).info.experiment_id
            self._client = client
        return self._client

    @property
    def run_id(self) -> str | None:
        """The identifier of the run."""
        assert self.experiment is not None
        return self._run_id

    @property
    def experiment_id(self) -> str | None:
        """The identifier of the experiment."""
        assert self.experiment is not None
        return self._experiment_id

    @property
    def name(self) -> str | None:
        """The identifier of the experiment."""
        return self.experiment_id

    @property
    def version(self) -> str | None:
        """The identifier of the run."""
        return self.run_id

    @property
    def save_dir(self) -> str | None:
        """The folder of files, where the tracking server is one."""
        scheme = "file:"
        return self._tracking_uri.removeprefix(scheme) if self._tracking_uri.startswith(scheme) else None

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record numbers at a step."""
        milliseconds = int(time.time() * 1000)
        for key, value in metrics.items():
            name = f"{self._prefix}{self.LOGGER_JOIN_CHAR}{key}" if self._prefix else key
            number = value.item() if isinstance(value, Tensor) else value
            if not isinstance(number, str):
                self.experiment.log_metric(
                    self.run_id, name, number, timestamp=milliseconds, step=step or 0, **self._log_options
                )

    def log_hyperparams(self, params: Mapping[str, object] | Namespace) -> None:
        """Record hyper-parameters; of long texts the first 250 characters, the most that MLflow takes everywhere."""
        for key, value in flattened(as_mapping(params)).items():
            self.experiment.log_param(self.run_id, key, str(value)[:250], **self._log_options)

    def after_save_checkpoint(self, checkpoint_callback: Checkpoint) -> None:
        """Remember a checkpoint to upload, or upload it."""
        path = str(getattr(checkpoint_callback, "best_model_path", ""))
        if self._log_model and path and path not in self._checkpoints:
            self._checkpoints.append(path)
            if self._log_model == "all":
                self._upload()

    def finalize(self, status: str = "success") -> None:
        """Upload what is to be uploaded and end the run."""
        if self._client is None:
            return
        ended = {"success": "FINISHED", "failed": "FAILED", "finished": "FINISHED"}.get(status, status)
        if ended == "FINISHED":
            self._upload()
        if self.experiment.get_run(self.run_id):
            self.experiment.set_terminated(self.run_id, ended)

    def _upload(self) -> None:
        for path in self._checkpoints:
            if os.path.exists(path):
                self.experiment.log_artifact(self.run_id, path, "model/checkpoints")
        self._checkpoints = []
