"""CSVLogger: metrics and hyper-parameters in local files."""

from __future__ import annotations

import csv
import os
import shutil
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from facula import Tensor

from facula_lightning.loggers.folders import FolderLogger, as_mapping
from facula_lightning.loggers.yaml import to_yaml
from facula_lightning.utilities.rank_zero import rank_zero_warn


class ExperimentWriter:
    """Writes one version: ``metrics.csv``, a row for each call, and ``hparams.yaml``."""

    NAME_METRICS_FILE = "metrics.csv"
    NAME_HPARAMS_FILE = "hparams.yaml"

    def __init__(self, log_dir: str, position: dict[str, Any] | None = None) -> None:
        self.log_dir = log_dir
        self.metrics: list[dict[str, float]] = []
        self.metrics_keys: list[str] = []
        self.rows = 0
        self.hparams: dict[str, object] = {}
        self._hparams_wait = True
        self.metrics_file_path = os.path.join(log_dir, self.NAME_METRICS_FILE)
        if position is not None:
            self._go_to(position)
        elif os.path.isdir(log_dir) and os.listdir(log_dir):
            rank_zero_warn(
                f"Experiment logs directory {log_dir} exists and is not empty."
                " Previous log files in this directory will be deleted when the new ones are saved!"
            )
            if os.path.isfile(self.metrics_file_path):
                os.unlink(self.metrics_file_path)
        os.makedirs(log_dir, exist_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """Return how many rows and which columns there are, with those that wait to be written."""
        keys = sorted({*self.metrics_keys, *(key for row in self.metrics for key in row)})
        return {"rows": self.rows + len(self.metrics), "keys": keys}

    def _go_to(self, position: dict[str, Any]) -> None:
        """Cut off the rows that were written after a position; the file as it was is kept beside it."""
        self.metrics_keys = list(position["keys"])
        self.rows = position["rows"]
        if not os.path.isfile(self.metrics_file_path):
            if self.rows:
                rank_zero_warn(f"The log {self.metrics_file_path} is gone: it begins anew at row {self.rows}")
            self.metrics_keys, self.rows = [], 0
            return
        with open(self.metrics_file_path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if len(rows) > self.rows:
            number = 1
            stem = os.path.splitext(self.metrics_file_path)[0]
            while os.path.exists(kept := f"{stem}.before_resume_{number}.csv"):
                number += 1
            shutil.copyfile(self.metrics_file_path, kept)
        if self.rows == 0:
            os.unlink(self.metrics_file_path)
        else:
            self._write([{key: row[key] for key in self.metrics_keys} for row in rows[: self.rows]])

    def log_hparams(self, params: Mapping[str, object]) -> None:
        """Take in hyper-parameters."""
        self.hparams.update(params)
        self._hparams_wait = True

    def log_metrics(self, metrics_dict: Mapping[str, Tensor | float], step: int | None = None) -> None:
        """Take in a row."""
        row = {key: value.item() if isinstance(value, Tensor) else value for key, value in metrics_dict.items()}
        row["step"] = len(self.metrics) if step is None else step
        self.metrics.append(row)

    def save(self) -> None:
        """Write what waits: new rows are appended; a new column makes the file be written again."""
        if self._hparams_wait:
            # Once only: closing a file that was written over may wait for the disk.
            with open(os.path.join(self.log_dir, self.NAME_HPARAMS_FILE), "w", encoding="utf-8") as file:
                file.write(to_yaml(self.hparams))
            self._hparams_wait = False
        if not self.metrics:
            return
        new = {key for row in self.metrics for key in row} - set(self.metrics_keys)
        exists = os.path.isfile(self.metrics_file_path)
        if new:
            self.metrics_keys = sorted({*self.metrics_keys, *new})
            if exists:
                self._rewrite()
        with open(self.metrics_file_path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=self.metrics_keys)
            if not exists:
                writer.writeheader()
            writer.writerows(self.metrics)
        self.rows += len(self.metrics)
        self.metrics = []

    def _rewrite(self) -> None:
        with open(self.metrics_file_path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self._write(rows)

    def _write(self, rows: list[dict[str, str]]) -> None:
        """Write the file again, whole or not at all."""
        temporary = f"{self.metrics_file_path}.tmp"
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=self.metrics_keys)
            writer.writeheader()
            writer.writerows(rows)
        os.replace(temporary, self.metrics_file_path)


class CSVLogger(FolderLogger):
    """Writes ``save_dir/name/version_N/metrics.csv`` and ``hparams.yaml``; N is the first free number.

    >>> CSVLogger("logs", name="trial", version=3).log_dir.endswith("version_3")
    True
    """

    writes_by_itself = True

    def __init__(
        self,
        save_dir: str | os.PathLike[str],
        name: str | None = "lightning_logs",
        version: int | str | None = None,
        prefix: str = "",
        flush_logs_every_n_steps: int = 100,
    ) -> None:
        super().__init__(save_dir, name, version, prefix)
        self._flush_every = flush_logs_every_n_steps
        self._experiment: ExperimentWriter | None = None
        self._position: dict[str, Any] | None = None

    @property
    def experiment(self) -> ExperimentWriter:
        """The writer of this version."""
        if self._experiment is None:
            self._experiment = ExperimentWriter(self.log_dir, self._position)
            self._position = None
        return self._experiment

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record numbers at a step."""
        self.experiment.log_metrics(self._prefixed(metrics), step)
        if len(self.experiment.metrics) >= self._flush_every:
            self.experiment.save()

    def log_record(self, metrics: dict[str, float], axes: Mapping[str, float | None], x: str = "step") -> None:
        """Record numbers at a step, with their place on the axis ``x`` in a column of that name."""
        step, place = axes["step"], axes[x]
        if x != "step" and place is not None:
            metrics = {"epoch": axes["epoch"] or 0, x: place, **metrics}
        self.log_metrics(metrics=metrics, step=None if step is None else int(step))

    def state_dict(self) -> dict[str, Any]:
        """Return the version and how much of it is written."""
        return {"save_dir": self.save_dir, "name": self.name, "version": self.version, **self.experiment.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on in the same version, after the rows that were written by then.

        A logger that was given another folder, name or version begins there.
        """
        version = state_dict["version"]
        if state_dict["name"] != self.name or self._version not in (None, version):
            return
        folder = version if isinstance(version, str) else f"version_{version}"
        # The whole folder may have been moved since.
        moved = os.path.isfile(os.path.join(self.root_dir, folder, ExperimentWriter.NAME_METRICS_FILE))
        if not moved and os.path.realpath(state_dict["save_dir"]) != os.path.realpath(self.save_dir):
            return
        self._version = version
        self._position = {"rows": state_dict["rows"], "keys": state_dict["keys"]}
        self._experiment = None

    def log_hyperparams(self, params: Mapping[str, object] | Namespace) -> None:
        """Record hyper-parameters."""
        self.experiment.log_hparams(as_mapping(params))

    def save(self) -> None:
        """Write the rows that wait, and the hyper-parameters."""
        self.experiment.save()

    def finalize(self, status: str) -> None:
        """Write everything."""
        if self._experiment is not None:
            self._experiment.save()
