"""JSONLLogger: one JSON object a line."""

from __future__ import annotations

import json
import math
import os
import time
from argparse import Namespace
from collections.abc import Mapping
from typing import IO, Any

from facula import Tensor

from facula_lightning.loggers.folders import FolderLogger, as_mapping, flattened
from facula_lightning.utilities.rank_zero import rank_zero_warn


class JSONLLogger(FolderLogger):
    """Writes ``save_dir/name/version_N/metrics.jsonl``: the metrics of each record and where it is on each axis.

    The axes of a record are explicit: ``step``, ``epoch``, ``samples``, ``tokens`` (null where they are not known) and
    ``wall_time`` (seconds since 1970) are fields beside ``metrics``, so that a metric may have any name; ``x`` names the
    axis to draw it over. Numbers that are not finite are the strings "nan", "inf" and "-inf", which JSON
    lacks. Hyper-parameters are in ``hparams.json``.

    >>> JSONLLogger("logs", name="trial", version=3).log_dir.endswith("version_3")
    True
    """

    writes_by_itself = True
    FILE, HPARAMS_FILE = "metrics.jsonl", "hparams.json"

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
        self._waiting: list[str] = []
        self._records = 0
        self._hparams: dict[str, object] = {}
        self._file: IO[str] | None = None
        self._goes_on_at: int | None = None

    @property
    def path(self) -> str:
        """The file of records."""
        return os.path.join(self.log_dir, self.FILE)

    @property
    def experiment(self) -> IO[str]:
        """The open file."""
        if self._file is None:
            os.makedirs(self.log_dir, exist_ok=True)
            if self._goes_on_at is not None:
                self._cut(self._goes_on_at)
                self._goes_on_at = None
            elif os.path.isfile(self.path):
                rank_zero_warn(f"{self.path} exists: new records are appended to it")
            self._file = open(self.path, "a", encoding="utf-8")
        return self._file

    def _cut(self, records: int) -> None:
        """Cut off what was written after so many records."""
        if not os.path.isfile(self.path):
            if records:
                rank_zero_warn(f"The log {self.path} is gone: it begins anew at record {records}")
            return
        with open(self.path, "rb+") as file:
            for _ in range(records):
                file.readline()
            file.truncate()

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write a record."""
        numbers = dict(metrics)
        self.log_record(numbers, {"step": step, "epoch": numbers.pop("epoch", None)})

    def log_record(self, metrics: dict[str, float], axes: Mapping[str, float | None], x: str = "step") -> None:
        """Write a record."""
        numbers = {key: value.item() if isinstance(value, Tensor) else value for key, value in metrics.items()}
        numbers.pop("epoch", None)  # it is among the axes
        step, epoch = axes.get("step"), axes.get("epoch")
        record = {
            "step": self._records if step is None else step,
            "epoch": epoch.item() if isinstance(epoch, Tensor) else epoch,
            "samples": axes.get("samples"),
            "tokens": axes.get("tokens"),
            "wall_time": round(time.time(), 3),
            "x": x,
            "metrics": {key: _as_json(value) for key, value in self._prefixed(numbers).items()},
        }
        self._waiting.append(json.dumps(record) + "\n")
        self._records += 1
        if len(self._waiting) >= self._flush_every:
            self.flush()

    def log_hyperparams(self, params: Mapping[str, object] | Namespace) -> None:
        """Write hyper-parameters, whole or not at all."""
        self._hparams.update(flattened(as_mapping(params)))
        os.makedirs(self.log_dir, exist_ok=True)
        path = os.path.join(self.log_dir, self.HPARAMS_FILE)
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            json.dump({key: _as_json(value) for key, value in self._hparams.items()}, file, indent=2)
        os.replace(f"{path}.tmp", path)

    def save(self) -> None:
        """Write the records that wait."""
        if self._waiting:
            self.flush()

    def flush(self) -> None:
        """Write the records that wait."""
        self.experiment.writelines(self._waiting)
        self.experiment.flush()
        self._waiting = []

    def finalize(self, status: str) -> None:
        """Write everything and close the file; what is logged later opens it again."""
        if self._waiting or self._file is not None:
            self.flush()
            self.experiment.close()
            # The file is our own, and goes on where it ends.
            self._file, self._goes_on_at = None, self._records

    def state_dict(self) -> dict[str, Any]:
        """Return the version and how many records it has."""
        return {"save_dir": self.save_dir, "name": self.name, "version": self.version, "records": self._records}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on in the same version, after the records there were by then; a logger of another name or version does not."""
        if not self._is_continued(state_dict):
            return
        self._version = state_dict["version"]
        self._records = self._goes_on_at = state_dict["records"]
        self._file, self._waiting = None, []


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
