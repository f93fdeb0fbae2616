"""TQDMProgressBar: bars drawn by tqdm."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.progress.plain import PlainProgressBar, in_notebook, is_terminal, readable
from facula_lightning.callbacks.progress.progress_bar import ProgressBar
from facula_lightning.utilities.imports import imported

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer

_REDRAW_SECONDS = 0.1


class TQDMProgressBar(ProgressBar):
    """Bars drawn by tqdm, which has to be installed: of the epoch, and below it of validation.

    ``refresh_rate`` is in batches, 0 turns the bars off; they are redrawn ten times a second at most. They begin
    ``process_position`` lines further down. With ``leave``, each epoch's bar stays. In a log file, plain lines stand in for
    the bars, as `PlainProgressBar` writes them. Subclasses may make the bars otherwise, in ``init_train_tqdm()`` and the
    like.
    """

    shows_validation = True
    BAR_FORMAT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"

    def __init__(self, refresh_rate: int = 1, process_position: int = 0, leave: bool = False) -> None:
        super().__init__()
        imported("tqdm", "TQDMProgressBar", "tqdm")
        self._refresh_rate = _resolve(refresh_rate)
        self._process_position = process_position
        self._leave = leave
        self._bars: dict[str, Any] = {}
        self._drawn = 0.0
        self._lines = PlainProgressBar()

    @property
    def refresh_rate(self) -> int:
        """After how many batches a bar is drawn."""
        return self._refresh_rate

    @property
    def process_position(self) -> int:
        """How many lines further down the bars begin."""
        return self._process_position

    @property
    def is_enabled(self) -> bool:
        """Whether the bars are drawn."""
        return self._enabled and self._refresh_rate > 0

    # The bars themselves

    @property
    def train_progress_bar(self) -> Any:
        """The epoch's bar; TypeError before there is one."""
        return self._bar("train")

    @property
    def val_progress_bar(self) -> Any:
        """The bar of validation, or of the check before training; TypeError before there is one."""
        return self._bar("val")

    @property
    def test_progress_bar(self) -> Any:
        """The bar of testing; TypeError before there is one."""
        return self._bar("test")

    @property
    def predict_progress_bar(self) -> Any:
        """The bar of prediction; TypeError before there is one."""
        return self._bar("predict")

    def _bar(self, stage: str) -> Any:
        if stage not in self._bars:
            raise TypeError(f"The `{type(self).__name__}._{stage}_progress_bar` reference has not been set yet.")
        return self._bars[stage]

    def init_sanity_tqdm(self) -> Any:
        """Return a bar for the check before training."""
        return self._make(self.sanity_check_description, leave=False)

    def init_train_tqdm(self) -> Any:
        """Return a bar for training."""
        return self._make(self.train_description, leave=True, smoothing=0)

    def init_validation_tqdm(self) -> Any:
        """Return a bar for validation, below the epoch's where there is one."""
        below = self._trainer is not None and self._trainer.training_stage == "fit"
        return self._make(self.validation_description, leave=not below, below=below)

    def init_test_tqdm(self) -> Any:
        """Return a bar for testing."""
        return self._make(self.test_description, leave=True)

    def init_predict_tqdm(self) -> Any:
        """Return a bar for prediction."""
        return self._make(self.predict_description, leave=True, smoothing=0)

    def _make(self, title: str, leave: bool, below: bool = False, **more: Any) -> Any:
        widgets = in_notebook() and importlib.util.find_spec("ipywidgets") is not None
        tqdm = imported("tqdm.notebook" if widgets else "tqdm", "TQDMProgressBar", "tqdm").tqdm
        return tqdm(
            desc=title, position=2 * self._process_position + below, disable=self.is_disabled, leave=leave,
            dynamic_ncols=True, file=sys.stdout, bar_format=self.BAR_FORMAT, **more,
        )  # fmt: skip

    # Drawing

    @property
    def _writes_lines(self) -> bool:
        return not is_terminal(sys.stdout) and not in_notebook()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remember whose numbers to show."""
        super().setup(trainer, pl_module, stage)
        self._lines.setup(trainer, pl_module, stage)
        # What a subclass shows stands in the lines too.
        self._lines.get_metrics = self.get_metrics  # type: ignore[method-assign]

    def begin(self, stage: str, title: str, total: int | float) -> None:
        """Start a bar."""
        if self.is_disabled:
            return
        if self._writes_lines:
            if stage != "val" or self.trainer.training_stage != "fit":
                self._lines.begin(stage, title, total)
            return
        known = None if math.isinf(total) else total
        bar = self._bars.get(stage)
        if bar is None:
            sanity = stage == "val" and self.trainer.sanity_checking
            make = {
                "train": self.init_train_tqdm, "test": self.init_test_tqdm, "predict": self.init_predict_tqdm,
                "val": self.init_sanity_tqdm if sanity else self.init_validation_tqdm,
            }  # fmt: skip
            bar = self._bars[stage] = make[stage]()
        bar.reset(total=known)
        bar.total = known
        bar.set_description(title)

    def advance(self, stage: str, count: int) -> None:
        """Show that ``count`` batches are done."""
        bar = self._bars.get(stage)
        if bar is None:
            self._lines.advance(stage, count)
            return
        last = count == bar.total
        now = time.monotonic()
        if (count % self._refresh_rate == 0 and now - self._drawn >= _REDRAW_SECONDS) or last:
            self._drawn = now
            self._show(stage, bar, count)

    def _show(self, stage: str, bar: Any, count: int) -> None:
        bar.n = count
        if stage == "train":
            bar.set_postfix(self._shown(), refresh=False)
        bar.refresh()

    def _shown(self) -> dict[str, str]:
        metrics = self.get_metrics(self.trainer, self.trainer._module)
        return {name: readable(value) for name, value in metrics.items()}

    def finish(self, stage: str) -> None:
        """End a bar."""
        self._lines.finish(stage)
        bar = self._bars.pop(stage, None)
        if bar is not None:
            if stage == "train":
                # What was logged by epoch.
                bar.set_postfix(self._shown())
            bar.close()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show what was logged by epoch; the bar goes on with the next epoch, unless it is to stay."""
        if self._leave or "train" not in self._bars:
            self.finish("train")
        else:
            self._bars["train"].set_postfix(self._shown())

    def print(self, *args: object, sep: str = " ", **kwargs: Any) -> None:
        """Print above the bars."""
        bar = next(iter(self._bars.values()), None)
        if bar is None:
            print(*args, sep=sep, **kwargs)
        else:
            bar.write(sep.join(map(str, args)), **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        # Bars do not leave their process.
        return {**self.__dict__, "_bars": {}, "_lines": PlainProgressBar()}


def _resolve(refresh_rate: int) -> int:
    if os.environ.get("COLAB_GPU") and refresh_rate == 1:
        # More than that has crashed browsers.
        return 20
    return max(int(os.environ.get("TQDM_MINITERS", 0)), refresh_rate) if refresh_rate else 0
