"""What a trainer knows of its run: where it is, its data, its loggers, callbacks and metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor
from facula.amp import GradScaler
from facula.optim import Optimizer

from facula_lightning.callbacks.checkpoint import Checkpoint
from facula_lightning.callbacks.early_stopping import EarlyStopping
from facula_lightning.callbacks.progress import ProgressBar
from facula_lightning.loggers.logger import Logger
from facula_lightning.module import LightningModule
from facula_lightning.optimizer import LRSchedulerConfig
from facula_lightning.trainer.call import is_overridden

if TYPE_CHECKING:
    from facula_lightning.accelerators.accelerator import Accelerator
    from facula_lightning.callbacks.callback import Callback
    from facula_lightning.loops.evaluation import EvaluationLoop
    from facula_lightning.loops.fit import FitLoop
    from facula_lightning.loops.prediction import PredictionLoop
    from facula_lightning.plugins.precision import Precision
    from facula_lightning.profilers import Profiler
    from facula_lightning.strategies.strategy import Strategy
    from facula_lightning.trainer.data import DataSource
    from facula_lightning.trainer.logging import Logging
    from facula_lightning.trainer.optimization import Optimization
    from facula_lightning.trainer.states import TrainerState


class RunFacts:
    """The read-only side of `Trainer`."""

    # What `Trainer` sets.
    accumulate_grad_batches: int
    callbacks: list[Callback]
    default_root_dir: str
    device: facula.device
    fit_loop: FitLoop
    lightning_module: LightningModule | None
    limit_val_batches: int | float
    loggers: list[Logger]
    max_epochs: int
    max_steps: int
    precision_plugin: Precision
    predict_loop: PredictionLoop
    received_requeue: bool
    received_sigterm: bool
    sanity_checking: bool
    test_loop: EvaluationLoop
    training_stage: str | None
    validate_loop: EvaluationLoop
    validating: bool
    _data: DataSource
    _logging: Logging
    _optimization: Optimization
    _profiler: Profiler | None
    #: How far `_method`, the method that runs or ran last, is.
    _status: str
    _method: str | None

    @property
    def state(self) -> TrainerState:
        """What the trainer is doing: its status, its method that runs or ran last, and the stage within it."""
        from facula_lightning.trainer.states import state_of

        running = self.training_stage is not None
        return state_of(self._status, self._method, running, self.validating, self.sanity_checking)

    @property
    def _module(self) -> LightningModule:
        """The module, for what is done only while there is one."""
        assert self.lightning_module is not None
        return self.lightning_module

    @property
    def current_epoch(self) -> int:
        """Number of epochs completed, which is the number of the running one counted from 0."""
        return self.fit_loop.epoch_progress.current.completed

    @property
    def global_step(self) -> int:
        """Number of steps that all optimizers made."""
        return self._optimization.steps

    @property
    def model(self) -> facula.nn.Module | None:
        """The module, as the strategy has wrapped it: while several processes train it, `DistributedDataParallel`."""
        return self.strategy.model or self.lightning_module

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers."""
        return self._optimization.optimizers

    @property
    def lr_scheduler_configs(self) -> list[LRSchedulerConfig]:
        """The learning rate schedulers and their plans."""
        return self._optimization.schedulers

    @property
    def callback_metrics(self) -> dict[str, Tensor]:
        """The newest value of everything that was logged, for callbacks."""
        return self._logging.callback_metrics

    @property
    def logged_metrics(self) -> dict[str, Tensor | float]:
        """What the loggers were given."""
        return self._logging.logged_metrics

    @property
    def progress_bar_metrics(self) -> dict[str, float]:
        """What was logged with ``prog_bar=True``."""
        return self._logging.progress_bar_metrics

    @property
    def enable_validation(self) -> bool:
        """Whether fit validates."""
        return (
            self._data.has("val")
            and is_overridden("validation_step", self.lightning_module)
            and self.limit_val_batches > 0
        )

    @property
    def training(self) -> bool:
        """Whether the trainer is training, not validating."""
        return self.training_stage == "fit" and not self.validating and not self.sanity_checking

    @property
    def testing(self) -> bool:
        """Whether the trainer is testing."""
        return self.training_stage == "test"

    @property
    def predicting(self) -> bool:
        """Whether the trainer is predicting."""
        return self.training_stage == "predict"

    @property
    def evaluating(self) -> bool:
        """Whether the trainer is validating, the sanity check included, or testing."""
        return self.training_stage in ("validate", "test") or self.validating or self.sanity_checking

    @property
    def num_training_batches(self) -> int | float:
        """Number of batches in a training epoch."""
        return self.fit_loop.max_batches

    @property
    def num_val_batches(self) -> list[int | float]:
        """Number of validation batches of each loader."""
        loop = self.validate_loop if self.training_stage == "validate" else self.fit_loop.validation
        return loop.batches

    @property
    def num_sanity_val_batches(self) -> list[int | float]:
        """Number of batches of each loader that the sanity check uses."""
        return self.fit_loop.validation.sanity_batches

    @property
    def num_test_batches(self) -> list[int | float]:
        """Number of test batches of each loader."""
        return self.test_loop.batches

    @property
    def num_predict_batches(self) -> list[int | float]:
        """Number of batches of each loader to predict."""
        return self.predict_loop.batches

    @property
    def train_dataloader(self) -> object:
        """The training loader, or the collection of those that are read together."""
        loaders = [] if self.fit_loop.fetcher is None else [self.fit_loop.fetcher.loader]
        return self._loaders_as_given("train", loaders)

    @property
    def val_dataloaders(self) -> object:
        """The validation loader, or the collection of them."""
        return self._loaders_as_given("val", self.fit_loop.validation.loaders or self.validate_loop.loaders)

    @property
    def test_dataloaders(self) -> object:
        """The test loader, or the collection of them."""
        return self._loaders_as_given("test", self.test_loop.loaders)

    @property
    def predict_dataloaders(self) -> object:
        """The loader to predict for, or the collection of them."""
        return self._loaders_as_given("predict", self.predict_loop.loaders)

    def _loaders_as_given(self, kind: str, loaders: list[Iterable[Any]]) -> object:
        if not loaders:
            return None
        return self._data.collections.get(kind, loaders[0] if len(loaders) == 1 else loaders)

    @property
    def estimated_stepping_batches(self) -> int | float:
        """Number of optimizer steps that fit will make, as far as can be known beforehand."""
        if self.max_epochs == -1 and self.max_steps == -1:
            return math.inf
        self.fit_loop.setup_data()
        if self.max_epochs == -1:
            return self.max_steps
        steps = math.ceil(self.num_training_batches / self.accumulate_grad_batches) * max(self.max_epochs, 1)
        return min(steps, self.max_steps) if self.max_steps != -1 else steps

    @property
    def logger(self) -> Logger | None:
        """The first logger."""
        return self.loggers[0] if self.loggers else None

    @property
    def log_dir(self) -> str | None:
        """The folder of the first logger, or the default folder."""
        if self.loggers:
            return getattr(self.loggers[0], "log_dir", None) or self.loggers[0].save_dir
        return self.default_root_dir

    @property
    def profiler(self) -> Profiler:
        """What records how long hooks and steps take; a PassThroughProfiler where nothing does."""
        from facula_lightning.profilers import PassThroughProfiler

        return PassThroughProfiler() if self._profiler is None else self._profiler

    @property
    def checkpoint_callbacks(self) -> list[Checkpoint]:
        """All callbacks that save checkpoints."""
        return [each for each in self.callbacks if isinstance(each, Checkpoint)]

    @property
    def checkpoint_callback(self) -> Checkpoint | None:
        """The first callback that saves checkpoints."""
        found = self.checkpoint_callbacks
        return found[0] if found else None

    @property
    def early_stopping_callbacks(self) -> list[EarlyStopping]:
        """All callbacks that stop early."""
        return [each for each in self.callbacks if isinstance(each, EarlyStopping)]

    @property
    def early_stopping_callback(self) -> EarlyStopping | None:
        """The first callback that stops early."""
        found = self.early_stopping_callbacks
        return found[0] if found else None

    @property
    def progress_bar_callback(self) -> ProgressBar | None:
        """The progress bar."""
        return next((each for each in self.callbacks if isinstance(each, ProgressBar)), None)

    strategy: Strategy
    num_nodes = 1

    @property
    def is_global_zero(self) -> bool:
        """Whether this is the first process."""
        return self.strategy.is_global_zero

    @property
    def global_rank(self) -> int:
        """The number of this process among all."""
        return self.strategy.global_rank

    @property
    def local_rank(self) -> int:
        """The number of this process on its machine."""
        return self.strategy.local_rank

    @property
    def node_rank(self) -> int:
        """The number of this process's machine."""
        return self.strategy.node_rank

    @property
    def world_size(self) -> int:
        """How many processes there are."""
        return self.strategy.world_size

    @property
    def num_devices(self) -> int:
        """How many devices a machine's processes have."""
        return len(getattr(self.strategy, "parallel_devices", ())) or 1

    @property
    def accelerator(self) -> Accelerator | None:
        """The kind of device."""
        return self.strategy.accelerator

    @property
    def distributed_sampler_kwargs(self) -> dict[str, int] | None:
        """What a `DistributedSampler` for this process is made with; None with one process."""
        return getattr(self.strategy, "distributed_sampler_kwargs", None)

    @property
    def precision(self) -> str:
        """The name of the precision."""
        return self.precision_plugin.precision

    @property
    def scaler(self) -> GradScaler | None:
        """What scales losses, in 16-mixed precision."""
        return getattr(self.precision_plugin, "scaler", None)

    @property
    def device_ids(self) -> list[int]:
        """The numbers of the devices."""
        devices = getattr(self.strategy, "parallel_devices", None) or [self.device]
        return [at if each.index is None else each.index for at, each in enumerate(devices)]
