"""One side of `benchmarks.trainer_overhead`: the same training, in a plain loop and through the trainer.

Started with "facula" or "torch". For each line with the name of a program it runs that and answers with a line of JSON:
seconds a step, for each window of 50 steps, and seconds from the last step of an epoch to the first of the next.
"""

import importlib
import io
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

STEPS, EPOCHS, BATCH = 300, 3, 8
#: Steps in one figure: as many as there are between two rows of a log, so that each figure has its share of one.
WINDOW = 50


class Terminal(io.TextIOBase):
    """A terminal that shows nothing: where progress bars draw."""

    def write(self, text: str) -> int:
        """Take the text."""
        return len(text)

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def libraries(side: str) -> SimpleNamespace:
    """Return the framework ``T`` and what the trainer's library has under the same names on both sides."""
    found = SimpleNamespace(T=importlib.import_module(side))
    base = "facula_lightning" if side == "facula" else "pytorch_lightning"
    fabric = "facula_lightning" if side == "facula" else "lightning_fabric"
    for name in ("LightningModule", "Trainer"):
        setattr(found, name, getattr(importlib.import_module(base), name))
    found.Fabric = importlib.import_module(fabric).Fabric
    found.CSVLogger = importlib.import_module(f"{base}.loggers").CSVLogger
    return found


class Programs:
    """The programs of one side; each writes down when its steps begin."""

    def __init__(self, side: str, folder: str) -> None:
        self.L = libraries(side)
        T = self.T = self.L.T
        T.set_num_threads(1)
        T.manual_seed(0)
        self.folder = folder
        self.stamps: list[float] = []
        self.data = T.utils.data.TensorDataset(T.randn(STEPS * BATCH, 32), T.randn(STEPS * BATCH, 1))
        self.module_class = self.make_module_class()

    def make_module_class(self) -> type:
        """Return the class of the model; ``logged`` is what `self.log` is called with, None for not at all."""
        T, stamps, clock = self.T, self.stamps, time.perf_counter
        mse_loss = T.nn.functional.mse_loss

        class Line(self.L.LightningModule):  # type: ignore[misc, name-defined]
            def __init__(self, logged: dict[str, Any] | None) -> None:
                super().__init__()
                self.layer = T.nn.Linear(32, 1)
                self.logged = logged

            def training_step(self, batch: Any, batch_idx: int) -> Any:
                stamps.append(clock())
                x, y = batch
                loss = mse_loss(self.layer(x), y)
                if self.logged is not None:
                    self.log("loss", loss, **self.logged)
                return loss

            def configure_optimizers(self) -> Any:
                return T.optim.SGD(self.parameters(), lr=0.01)

        class Evaluated(Line):
            def validation_step(self, batch: Any, batch_idx: int) -> None:
                stamps.append(clock())
                x, y = batch
                loss = mse_loss(self.layer(x), y)
                if self.logged is not None:
                    self.log("loss", loss, **self.logged)

        self.evaluated_class = Evaluated
        return Line

    def loader(self) -> Any:
        """Return the loader of all programs."""
        return self.T.utils.data.DataLoader(self.data, batch_size=BATCH)

    def loop(self, window: int = 1, clip: float | None = None) -> None:
        """Train in a plain loop."""
        T, stamps, clock = self.T, self.stamps, time.perf_counter
        mse_loss = T.nn.functional.mse_loss
        model = self.module_class(None)
        optimizer = model.configure_optimizers()
        loader = self.loader()
        for _ in range(EPOCHS):
            for batch_idx, batch in enumerate(loader):
                stamps.append(clock())
                x, y = batch
                loss = mse_loss(model.layer(x), y)
                if window > 1:
                    loss = loss / window
                loss.backward()
                if (batch_idx + 1) % window == 0 or batch_idx + 1 == STEPS:
                    if clip is not None:
                        T.nn.utils.clip_grad_norm_(model.parameters(), clip)
                    optimizer.step()
                    optimizer.zero_grad()

    def evaluation_loop(self) -> None:
        """Evaluate in a plain loop."""
        T, stamps, clock = self.T, self.stamps, time.perf_counter
        mse_loss = T.nn.functional.mse_loss
        model = self.module_class(None)
        model.eval()
        with T.inference_mode():
            for batch in self.loader():
                stamps.append(clock())
                x, y = batch
                mse_loss(model.layer(x), y)

    def trainer(self, logged: dict[str, Any] | None = None, **settings: Any) -> Any:
        """Return a trainer with everything off that is not asked for."""
        off = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
        if logged is not None:
            settings.setdefault("logger", self.L.CSVLogger(self.folder))
        return self.L.Trainer(**{**off, "max_epochs": EPOCHS, "accelerator": "cpu", "devices": 1, **settings})

    def fit(self, logged: dict[str, Any] | None = None, **settings: Any) -> None:
        """Train through the trainer."""
        self.trainer(logged, **settings).fit(self.module_class(logged), self.loader())

    def fit_with_defaults(self) -> None:
        """Train with what a trainer does when nothing is turned off, and a log, a bar and checkpoints are written."""
        trainer = self.L.Trainer(
            max_epochs=EPOCHS, accelerator="cpu", devices=1, default_root_dir=self.folder,
            logger=self.L.CSVLogger(self.folder),
        )  # fmt: skip
        trainer.fit(self.module_class({"prog_bar": True}), self.loader())

    def validate(self, logged: dict[str, Any] | None = None) -> None:
        """Evaluate through the trainer."""
        self.trainer(logged).validate(self.evaluated_class(logged), self.loader(), verbose=False)

    def fabric(self) -> None:
        """Train in a loop of one's own that Fabric takes part in."""
        stamps, clock = self.stamps, time.perf_counter
        mse_loss = self.T.nn.functional.mse_loss
        fabric = self.L.Fabric(accelerator="cpu", devices=1)
        fabric.launch()
        layer = self.T.nn.Linear(32, 1)
        layer, optimizer = fabric.setup(layer, self.T.optim.SGD(layer.parameters(), lr=0.01))
        loader = fabric.setup_dataloaders(self.loader())
        for _ in range(EPOCHS):
            for batch in loader:
                stamps.append(clock())
                x, y = batch
                loss = mse_loss(layer(x), y)
                fabric.backward(loss)
                optimizer.step()
                optimizer.zero_grad()

    def by_name(self) -> dict[str, Callable[[], None]]:
        """Return all programs."""
        return {
            "loop": self.loop,
            "loop, accumulating": lambda: self.loop(window=4),
            "loop, clipping": lambda: self.loop(clip=1.0),
            "evaluation loop": self.evaluation_loop,
            "trainer": self.fit,
            "trainer, logging": lambda: self.fit({}),
            "trainer, logging by epoch too": lambda: self.fit({"on_epoch": True}),
            "trainer, progress bar": lambda: self.fit(enable_progress_bar=True),
            "trainer, accumulating": lambda: self.fit(accumulate_grad_batches=4),
            "trainer, clipping": lambda: self.fit(gradient_clip_val=1.0),
            "trainer, all defaults": self.fit_with_defaults,
            "validate": self.validate,
            "validate, logging": lambda: self.validate({}),
            "fabric": self.fabric,
        }


def figures(stamps: list[float]) -> dict[str, list[float]]:
    """Return seconds a step, for each window of steps, and seconds between the epochs."""
    epochs = [stamps[start : start + STEPS] for start in range(0, len(stamps), STEPS)]
    windows = [
        (epoch[at + WINDOW] - epoch[at]) / WINDOW for epoch in epochs for at in range(0, len(epoch) - WINDOW, WINDOW)
    ]
    return {"step": windows, "between": [after[0] - before[-1] for before, after in zip(epochs, epochs[1:])]}


def main() -> None:
    """Answer until the input ends."""
    answers = sys.stdout
    sys.stdout = sys.stderr = Terminal()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(sys.argv[1], folder)
        by_name = programs.by_name()
        for line in sys.stdin:
            programs.stamps.clear()
            by_name[line.strip()]()
            print(json.dumps(figures(programs.stamps)), file=answers, flush=True)


if __name__ == "__main__":
    main()
