"""WandbLogger: a thin adapter to Weights & Biases."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from facula import Tensor

from facula_lightning.loggers.folders import as_mapping
from facula_lightning.loggers.logger import Logger
from facula_lightning.utilities.imports import imported

if TYPE_CHECKING:
    from facula_lightning.callbacks.checkpoint import Checkpoint


class WandbLogger(Logger):
    """Records to Weights & Biases; the package ``wandb`` is imported with the first record.

    ``experiment`` is a run that was begun elsewhere; further options go to ``wandb.init``. With ``log_model`` checkpoints are
    uploaded when the run ends, or ("all") whenever one is saved. The horizontal axis is ``trainer/global_step``, or what was
    asked for with ``self.log(..., x=)``: then "epoch", "samples" or "tokens" is recorded too.
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self,
        name: str | None = None,
        save_dir: str | os.PathLike[str] = ".",
        version: str | None = None,
        offline: bool = False,
        dir: str | os.PathLike[str] | None = None,
        id: str | None = None,
        anonymous: bool | None = None,
        project: str | None = None,
        log_model: str | bool = False,
        experiment: Any = None,
        prefix: str = "",
        checkpoint_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if offline and log_model:
            raise ValueError(
                f"Providing log_model={log_model} and offline={offline} is an invalid configuration since model checkpoints"
                " cannot be uploaded in offline mode."
            )
        self._save_dir = os.fspath(dir if dir is not None else save_dir)
        self._options = {
            "name": name,
            "project": project or os.environ.get("WANDB_PROJECT", "lightning_logs"),
            "dir": self._save_dir,
            "id": version or id,
            "resume": "allow",
            "anonymous": "allow" if anonymous else None,
            **({"mode": "offline"} if offline else {}),
            **kwargs,
        }
        self._experiment = experiment
        self._prefix = prefix
        self._log_model = log_model
        self._checkpoint_name = checkpoint_name
        self._checkpoints: dict[str, float | None] = {}
        self._uploaded: dict[str, float | None] = {}
        self._axis_of: dict[str, str] = {}

    @property
    def experiment(self) -> Any:
        """The run."""
        if self._experiment is None:
            wandb = imported("wandb", "WandbLogger", "wandb")
            self._experiment = wandb.run if wandb.run is not None else wandb.init(**self._options)
            if callable(getattr(self._experiment, "define_metric", None)):
                self._experiment.define_metric("trainer/global_step")
                self._experiment.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return self._experiment

    @property
    def name(self) -> str | None:
        """The project."""
        return self._options["project"]

    @property
    def version(self) -> str | None:
        """The identifier of the run, where it has begun or was given."""
        return self._options["id"] if self._experiment is None else self._experiment.id

    @property
    def save_dir(self) -> str:
        """The folder of local files."""
        return self._save_dir

    def watch(self, model: object, log: str | None = "gradients", log_freq: int = 100, log_graph: bool = True) -> None:
        """Have the run watch a model."""
        self.experiment.watch(model, log=log, log_freq=log_freq, log_graph=log_graph)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record numbers at a step."""
        numbers: dict[str, Any] = {
            (f"{self._prefix}{self.LOGGER_JOIN_CHAR}{key}" if self._prefix else key): (
                value.item() if isinstance(value, Tensor) else value
            )
            for key, value in metrics.items()
        }
        if step is not None:
            numbers["trainer/global_step"] = step
        self.experiment.log(numbers)

    def log_record(self, metrics: dict[str, float], axes: Mapping[str, float | None], x: str = "step") -> None:
        """Record numbers; the run is told of each, once, when it is to be drawn over another axis than the step."""
        step, place = axes["step"], axes[x]
        if x != "step" and place is not None:
            start = f"{self._prefix}{self.LOGGER_JOIN_CHAR}" if self._prefix else ""
            for key in metrics:
                if key not in ("epoch", x) and self._axis_of.get(key) != x:
                    self.experiment.define_metric(f"{start}{key}", step_metric=f"{start}{x}")
                    self._axis_of[key] = x
            metrics = {"epoch": axes["epoch"] or 0, x: place, **metrics}
        self.log_metrics(metrics=metrics, step=None if step is None else int(step))

    def log_hyperparams(self, params: Mapping[str, object] | Namespace) -> None:
        """Record hyper-parameters."""
        self.experiment.config.update(as_mapping(params), allow_val_change=True)

    def log_table(
        self,
        key: str,
        columns: list[str] | None = None,
        data: list[list[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """Record a table."""
        wandb = imported("wandb", "WandbLogger", "wandb")
        self.log_metrics({key: wandb.Table(columns=columns, data=data, dataframe=dataframe)}, step)

    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Record images; options are lists with one entry for each."""
        wandb = imported("wandb", "WandbLogger", "wandb")
        options = [{name: values[at] for name, values in kwargs.items()} for at in range(len(images))]
        shown: Any = [wandb.Image(image, **option) for image, option in zip(images, options, strict=True)]
        self.log_metrics({key: shown}, step)

    def after_save_checkpoint(self, checkpoint_callback: Checkpoint) -> None:
        """Remember a checkpoint to upload, or upload it."""
        path = str(getattr(checkpoint_callback, "best_model_path", ""))
        if self._log_model and path:
            self._checkpoints[path] = getattr(checkpoint_callback, "best_model_score", None)
            if self._log_model == "all":
                self._upload()

    def finalize(self, status: str) -> None:
        """Upload what is to be uploaded, where the run ended well."""
        if status == "success" and self._experiment is not None:
            self._upload()

    def _upload(self) -> None:
        wandb = imported("wandb", "WandbLogger", "wandb")
        for path, score in self._checkpoints.items():
            if path in self._uploaded or not os.path.exists(path):
                continue
            artifact = wandb.Artifact(
                name=self._checkpoint_name or f"model-{self.experiment.id}",
                type="model",
                metadata={
                    "score": float(score) if score is not None else None,
                    "original_filename": os.path.basename(path),
                },
            )
            artifact.add_file(path, name="model.ckpt")
            self.experiment.log_artifact(artifact, aliases=["latest", "best"])
            self._uploaded[path] = score
