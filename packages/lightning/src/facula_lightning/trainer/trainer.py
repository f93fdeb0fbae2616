"""Trainer: runs a LightningModule on data."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import facula

from facula_lightning.callbacks.callback import Callback
from facula_lightning.checkpointing.connector import CheckpointConnector
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.loggers.logger import DummyLogger, Logger
from facula_lightning.loops.evaluation import EvaluationLoop
from facula_lightning.loops.fit import FitLoop
from facula_lightning.loops.prediction import PredictionLoop
from facula_lightning.module import LightningModule
from facula_lightning.plugins.precision import Precision
from facula_lightning.strategies.resolve import resolve_strategy
from facula_lightning.trainer import flags
from facula_lightning.trainer.call import call_both, call_callbacks, call_data, call_module, is_overridden
from facula_lightning.trainer.callbacks import attach_model_callbacks, configure_callbacks
from facula_lightning.trainer.data import DataSource
from facula_lightning.trainer.distribution import launched, prepares_data, share_loggers, split_plugins
from facula_lightning.trainer.facts import RunFacts
from facula_lightning.trainer.logging import Logging
from facula_lightning.trainer.optimization import Optimization
from facula_lightning.trainer.plugins import resolve_plugins, split_layer_sync
from facula_lightning.trainer.signals import noting_signals
from facula_lightning.utilities.exceptions import MisconfigurationException, TunerExit
from facula_lightning.utilities.init import new_layers
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn
from facula_lightning.utilities.seed import isolate_rng

if TYPE_CHECKING:
    from facula_lightning.accelerators import Accelerator
    from facula_lightning.plan import Plan
    from facula_lightning.plugins.environments import ClusterEnvironment
    from facula_lightning.plugins.io import CheckpointIO
    from facula_lightning.plugins.layer_sync import LayerSync
    from facula_lightning.plugins.precision.resolve import PrecisionInput
    from facula_lightning.profilers import Profiler
    from facula_lightning.strategies import Strategy

    Plugin = Precision | ClusterEnvironment | CheckpointIO | LayerSync

Result = TypeVar("Result")


class Trainer(RunFacts):
    """Runs fit, validate, test and predict, in one process or several; the arguments and defaults are Lightning's.

    >>> trainer = Trainer(max_epochs=3, gradient_clip_val=1.0, logger=False, enable_checkpointing=False)
    >>> trainer.max_epochs
    3
    """

    def __init__(
        self,
        *,
        accelerator: str | Accelerator = "auto",
        strategy: str | Strategy = "auto",
        devices: list[int] | str | int = "auto",
        num_nodes: int = 1,
        precision: PrecisionInput | None = None,
        logger: Logger | Sequence[Logger] | bool | None = None,
        callbacks: list[Callback] | Callback | None = None,
        fast_dev_run: int | bool = False,
        max_epochs: int | None = None,
        min_epochs: int | None = None,
        max_steps: int = -1,
        min_steps: int | None = None,
        max_time: str | timedelta | dict[str, int] | None = None,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        limit_test_batches: int | float | None = None,
        limit_predict_batches: int | float | None = None,
        overfit_batches: int | float = 0.0,
        val_check_interval: int | float | str | timedelta | dict[str, int] | None = None,
        check_val_every_n_epoch: int | None = 1,
        num_sanity_val_steps: int | None = None,
        log_every_n_steps: int | None = None,
        enable_checkpointing: bool | None = None,
        enable_progress_bar: bool | None = None,
        enable_model_summary: bool | None = None,
        accumulate_grad_batches: int = 1,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
        deterministic: bool | Literal["warn"] | None = None,
        benchmark: bool | None = None,
        inference_mode: bool = True,
        use_distributed_sampler: bool = True,
        profiler: Profiler | str | None = None,
        detect_anomaly: bool = False,
        barebones: bool = False,
        plugins: Plugin | list[Plugin] | None = None,
        sync_batchnorm: bool = False,
        reload_dataloaders_every_n_epochs: int = 0,
        default_root_dir: str | os.PathLike[str] | None = None,
        enable_autolog_hparams: bool = True,
        model_registry: str | None = None,
    ) -> None:
        if model_registry:
            raise MisconfigurationException(f"`Trainer(model_registry={model_registry!r})` is not supported yet")
        if deterministic not in (None, False, True, "warn"):
            raise ValueError(f"`deterministic` should be a bool, None or 'warn', got {deterministic!r}")
        if not isinstance(accumulate_grad_batches, int) or accumulate_grad_batches < 1:
            raise MisconfigurationException(
                f"`accumulate_grad_batches` should be a positive integer, got {accumulate_grad_batches!r}"
            )
        if reload_dataloaders_every_n_epochs < 0:
            raise MisconfigurationException(
                f"`reload_dataloaders_every_n_epochs` should be an int >= 0, got {reload_dataloaders_every_n_epochs!r}."
            )
        if barebones:
            on = {
                "logger": logger, "enable_checkpointing": enable_checkpointing, "enable_progress_bar": enable_progress_bar,
                "enable_model_summary": enable_model_summary, "fast_dev_run": fast_dev_run, "profiler": profiler,
                "log_every_n_steps": log_every_n_steps, "num_sanity_val_steps": num_sanity_val_steps,
                "detect_anomaly": detect_anomaly,
            }  # fmt: skip
            for name, value in on.items():
                if value:
                    raise ValueError(
                        f"`Trainer(barebones=True, {name}={value!r})` was passed, but barebones turns it off"
                    )
            logger = enable_checkpointing = enable_progress_bar = enable_model_summary = False
            num_sanity_val_steps = 0
        self.barebones = barebones
        self._profiler = flags.resolve_profiler(profiler)
        self._environment, others = split_plugins(plugins)
        self.strategy = resolve_strategy(strategy, accelerator, devices, num_nodes, self._environment)
        self.device = self.strategy.root_device
        self.num_nodes = num_nodes
        self.use_distributed_sampler = use_distributed_sampler
        self.sync_batchnorm = sync_batchnorm
        self.layer_sync, others = split_layer_sync(others, sync_batchnorm)
        self.precision_plugin, self.checkpoint_io = resolve_plugins(others, precision, self.device.type)
        # Then steps need no context and batches no conversion.
        self.has_plain_precision = type(self.precision_plugin) is Precision
        self.gradient_clip_val, self.gradient_clip_algorithm = flags.resolve_clipping(
            gradient_clip_val, gradient_clip_algorithm
        )
        self.default_root_dir = os.fspath(default_root_dir) if default_root_dir is not None else os.getcwd()
        self.fast_dev_run = fast_dev_run
        duration = flags.resolve_time(max_time, "max_time")
        self.max_epochs, self.max_steps = flags.resolve_epochs_and_steps(max_epochs, max_steps, duration is not None)
        self.min_epochs, self.min_steps = min_epochs, min_steps
        self.limit_train_batches = flags.resolve_limit(limit_train_batches, "limit_train_batches")
        self.limit_val_batches = flags.resolve_limit(limit_val_batches, "limit_val_batches")
        self.limit_test_batches = flags.resolve_limit(limit_test_batches, "limit_test_batches")
        self.limit_predict_batches = flags.resolve_limit(limit_predict_batches, "limit_predict_batches")
        self.overfit_batches = flags.resolve_limit(overfit_batches, "overfit_batches")
        if self.overfit_batches:
            self.limit_train_batches = self.limit_val_batches = self.overfit_batches
        self.check_val_every_n_epoch = check_val_every_n_epoch
        self.val_check_interval = flags.resolve_interval(val_check_interval, check_val_every_n_epoch)
        sanity = 2 if num_sanity_val_steps is None else num_sanity_val_steps
        self.num_sanity_val_steps: int | float = math.inf if sanity == -1 else sanity
        self.log_every_n_steps = 50 if log_every_n_steps is None else log_every_n_steps
        self.accumulate_grad_batches = accumulate_grad_batches
        self.inference_mode = inference_mode
        self.deterministic = deterministic
        self.detect_anomaly = detect_anomaly
        self.reload_dataloaders_every_n_epochs = reload_dataloaders_every_n_epochs
        self.enable_autolog_hparams = enable_autolog_hparams
        if fast_dev_run:
            self._apply_fast_dev_run(int(fast_dev_run))

        self.training_stage: str | None = None
        self.sanity_checking = False
        self.validating = False
        self.should_stop = False
        self.interrupted = False
        self.received_sigterm = self.received_requeue = False
        self.is_last_batch = False
        self._status, self._method = "initializing", None
        self.lightning_module: LightningModule | None = None
        self.datamodule: LightningDataModule | None = None
        self.ckpt_path: str | None = None
        self._resumed_weights: dict[str, Any] | None = None
        self._data = DataSource(self)
        self._logging = Logging(self)
        self._optimization = Optimization(self)
        self._checkpoints = CheckpointConnector(self)
        self.fit_loop = FitLoop(self)
        self.validate_loop = EvaluationLoop(self, "validation")
        self.test_loop = EvaluationLoop(self, "test")
        self.predict_loop = PredictionLoop(self)
        self.callbacks: list[Callback] = configure_callbacks(
            callbacks, enable_checkpointing, enable_progress_bar, enable_model_summary, duration
        )
        self._own_callbacks = list(self.callbacks)
        self.loggers: list[Logger] = self._make_loggers(logger)

    def _apply_fast_dev_run(self, batches: int) -> None:
        if batches < 0:
            raise MisconfigurationException(
                f"fast_dev_run={batches!r} is not a valid configuration. It should be >= 0."
            )
        self.max_steps, self.max_epochs = batches, 1
        self.num_sanity_val_steps = 0
        self.val_check_interval, self.check_val_every_n_epoch = 1.0, 1
        self.limit_train_batches = self.limit_val_batches = batches
        self.limit_test_batches = self.limit_predict_batches = batches
        rank_zero_info(
            f"Running in `fast_dev_run` mode: will run one loop of {batches} batch(es). Logging is suppressed."
        )

    def _make_loggers(self, logger: object) -> list[Logger]:
        if logger is False or logger == []:
            return []
        if self.fast_dev_run:
            return [DummyLogger()]
        if logger is None or logger is True:
            from facula_lightning.loggers.csv_logs import CSVLogger

            return [CSVLogger(self.default_root_dir)]
        loggers: list[Any] = list(logger) if isinstance(logger, (list, tuple)) else [logger]
        for each in loggers:
            if not isinstance(each, Logger):
                raise TypeError(f"expected a Logger, a list of them or a bool for `logger`, got {type(each).__name__}")
        return loggers

    # The four entry points

    @launched
    def fit(
        self,
        model: LightningModule,
        train_dataloaders: object = None,
        val_dataloaders: object = None,
        datamodule: LightningDataModule | None = None,
        ckpt_path: str | os.PathLike[str] | None = None,
        weights_only: bool | None = None,
    ) -> None:
        """Train the model, from ``ckpt_path`` on when it is given (a file, or "last", "best" or "hpc")."""
        if isinstance(train_dataloaders, LightningDataModule):
            train_dataloaders, datamodule = None, train_dataloaders
        if datamodule is not None and (train_dataloaders is not None or val_dataloaders is not None):
            raise MisconfigurationException(
                "You cannot pass `train_dataloader` or `val_dataloaders` to `trainer.fit(datamodule=...)`"
            )
        self.should_stop = False
        with self._running("fit", model, datamodule):
            self._data.given = {"train": train_dataloaders, "val": val_dataloaders}
            self._check_fit(model)
            path = self._checkpoints.resolve_path(ckpt_path, "fit")
            self._run("fit", path, self._fit)

    @launched
    def validate(
        self,
        model: LightningModule | None = None,
        dataloaders: object = None,
        ckpt_path: str | os.PathLike[str] | None = None,
        verbose: bool = True,
        datamodule: LightningDataModule | None = None,
        weights_only: bool | None = None,
    ) -> list[dict[str, float]]:
        """Return what one pass over the validation data logged, a dictionary for each loader."""
        return self._evaluate("validate", self.validate_loop, model, dataloaders, ckpt_path, verbose, datamodule)

    @launched
    def test(
        self,
        model: LightningModule | None = None,
        dataloaders: object = None,
        ckpt_path: str | os.PathLike[str] | None = None,
        verbose: bool = True,
        datamodule: LightningDataModule | None = None,
        weights_only: bool | None = None,
    ) -> list[dict[str, float]]:
        """Return what one pass over the test data logged, a dictionary for each loader."""
        return self._evaluate("test", self.test_loop, model, dataloaders, ckpt_path, verbose, datamodule)

    @launched
    def predict(
        self,
        model: LightningModule | None = None,
        dataloaders: object = None,
        datamodule: LightningDataModule | None = None,
        return_predictions: bool | None = None,
        ckpt_path: str | os.PathLike[str] | None = None,
        weights_only: bool | None = None,
    ) -> list[Any] | None:
        """Return the predictions for each batch; with several loaders, a list of such lists."""
        given_model = model is not None
        model = self._model_or_last(model)
        dataloaders, datamodule = self._separate(dataloaders, datamodule, "predict")
        with self._running("predict", model, datamodule):
            self._data.given = {"predict": dataloaders}
            self._check_data("predict", "predict_step")
            self.predict_loop.return_predictions = return_predictions is not False
            path = self._checkpoints.resolve_path(ckpt_path, "predict", given_model)
            return self._run("predict", path, self.predict_loop.run)

    def _evaluate(
        self,
        name: str,
        loop: EvaluationLoop,
        model: LightningModule | None,
        dataloaders: object,
        ckpt_path: str | os.PathLike[str] | None,
        verbose: bool,
        datamodule: LightningDataModule | None,
    ) -> list[dict[str, float]]:
        given_model = model is not None
        model = self._model_or_last(model)
        dataloaders, datamodule = self._separate(dataloaders, datamodule, name)
        with self._running(name, model, datamodule):
            loop.loaders = []
            loop.verbose = verbose
            self._data.given = {loop.kind: dataloaders}
            self._check_data(loop.kind, f"{loop.stage}_step")
            path = self._checkpoints.resolve_path(ckpt_path, name, given_model)

            def evaluate() -> list[dict[str, float]]:
                self._logging.reset()
                return loop.run()

            return self._run(name, path, evaluate)

    # Running

    @contextmanager
    def _running(self, name: str, model: object, datamodule: LightningDataModule | None) -> Iterator[None]:
        """Attach the model, and let callbacks know of an exception."""
        if not isinstance(model, LightningModule):
            raise TypeError(f"`model` must be a `LightningModule`, got `{type(model).__qualname__}`")
        self._status, self._method = "running", name
        self.training_stage = name
        self.lightning_module = model
        self.datamodule = datamodule
        model.trainer = self
        if datamodule is not None:
            datamodule.trainer = self
        try:
            with noting_signals(self):
                yield
            self._status = "finished"
        except TunerExit:
            self.strategy.teardown()
            self._call_stage_hook("teardown", name)
            self._status = "finished"
        except KeyboardInterrupt as error:
            rank_zero_info("Detected KeyboardInterrupt, attempting graceful shutdown ...")
            self._interrupt(error)
            raise SystemExit(1) from error
        except BaseException as error:
            self._interrupt(error)
            raise
        finally:
            self.checkpoint_io.teardown()
            self.training_stage = None
            self.validating = self.sanity_checking = False
            self._logging.results = None
            self._logging.current_hook = None

    def _interrupt(self, error: BaseException) -> None:
        self._status = "interrupted"
        if self._profiler is not None:
            self._profiler.teardown(self.training_stage)
        self.interrupted = True
        call_callbacks(self, "on_exception", error)
        if self.datamodule is not None:
            self.datamodule.on_exception(error)
        for logger in self.loggers:
            logger.finalize("failed")

    def _run(self, name: str, path: str | None, body: Callable[[], Result]) -> Result:
        """Do what is common to all four: set up, run ``body``, tear down."""
        module = self._module
        self.ckpt_path = path
        self.callbacks = attach_model_callbacks(self, self._own_callbacks)
        if self.datamodule is not None and prepares_data(self, self.datamodule):
            self.datamodule.prepare_data()
        if prepares_data(self, module):
            call_module(self, "prepare_data")
        self.strategy.barrier("prepare_data")
        checkpoint = None if path is None else self._checkpoints.read(path)
        if checkpoint is not None and name == "fit":
            self._checkpoints.restore_loggers(checkpoint)
            share_loggers(self)
        if self._profiler is not None:
            # Only now is the folder known of a run that goes on.
            self._profiler.setup(name, self.local_rank if self.world_size > 1 else None, self.log_dir)
        for logger in self.loggers:
            _ = logger.experiment
        self._convert(module)
        self._call_stage_hook("setup", name)
        call_module(self, "configure_model")
        if self.layer_sync is not None and self.strategy.is_distributed:
            self.layer_sync.apply(module)
        self._convert(module)
        if checkpoint is not None:
            self._checkpoints.restore_module(checkpoint)
            self._checkpoints.restore_callbacks(checkpoint)
        if name == "fit":
            self._optimization = Optimization(self, self.global_step)
            self._optimization.configure()
            if checkpoint is not None:
                self._checkpoints.restore_training(checkpoint)
                self._resumed_weights = checkpoint["state_dict"]
        self._log_hyperparams()
        self.strategy.setup(module, name == "fit")
        result = body()
        self.strategy.teardown()
        self._call_stage_hook("teardown", name)
        if self._profiler is not None:
            self._profiler.describe()
        for logger in self.loggers:
            logger.finalize("success")
        self._logging.current_hook = None
        return result

    def _fit(self) -> None:
        context = facula.autograd.set_detect_anomaly(True) if self.detect_anomaly else nullcontext()
        if not self.fit_loop.resuming:
            self._logging.reset()
        with context:
            call_both(self, "on_fit_start")
            with isolate_rng():
                self._check_sanity()
            self._resumed_weights = None
            self.fit_loop.run()
            call_both(self, "on_fit_end")

    def _check_sanity(self) -> None:
        """Run a few validation batches, so that a mistake there shows before an epoch has been trained."""
        if not self.enable_validation or not self.num_sanity_val_steps:
            return
        metrics = self._logging.state_dict()
        self.sanity_checking = True
        call_callbacks(self, "on_sanity_check_start")
        self.fit_loop.validation.run()
        call_callbacks(self, "on_sanity_check_end")
        self.sanity_checking = False
        self._logging.load_state_dict(metrics)
        if self._resumed_weights is not None:
            # What hooks of validation did to the module was done before the checkpoint was saved.
            self._module.load_state_dict(self._resumed_weights, strict=False)

    def _call_stage_hook(self, hook: str, name: str) -> None:
        """Call ``setup`` or ``teardown`` of the data module, the callbacks and the module."""
        datamodule = self.datamodule
        if datamodule is not None and self._profiler is None:
            getattr(datamodule, hook)(name)
        elif datamodule is not None and self._profiler is not None:
            with self._profiler.profile(f"[LightningDataModule]{type(datamodule).__name__}.{hook}"):
                getattr(datamodule, hook)(name)
        call_both(self, hook, name)

    def _convert(self, module: LightningModule) -> None:
        module.to(self.device)
        self.precision_plugin.convert_module(module)

    def _transfer(self, batch: object, dataloader_idx: int) -> object:
        """Return a batch on the device, through the hooks for it."""
        batch = call_data(self, "on_before_batch_transfer", batch, dataloader_idx)
        batch = call_data(self, "transfer_batch_to_device", batch, self.device, dataloader_idx)
        if not self.has_plain_precision:
            batch = self.precision_plugin.convert_input(batch)
        return call_data(self, "on_after_batch_transfer", batch, dataloader_idx)

    def _log_hyperparams(self) -> None:
        if not self.enable_autolog_hparams:
            return
        owners = [self.lightning_module, self.datamodule]
        all_given = [dict(each.hparams_initial) for each in owners if each is not None and each._log_hyperparams]
        for given in all_given:
            given.pop("_class_path", None)  # how a command line keeps the model's class
        if len(all_given) == 2 and self.loggers:
            of_model, of_data = all_given
            differing = sorted(key for key in of_model.keys() & of_data.keys() if _differ(of_model[key], of_data[key]))
            if differing:
                raise RuntimeError(
                    f"Error while merging hparams: the keys {differing} are present in both the LightningModule's and"
                    " LightningDataModule's hparams but have different values."
                )
        for logger in self.loggers:
            if all_given:
                logger.log_hyperparams({key: value for given in all_given for key, value in given.items()})
            logger.log_graph(self.lightning_module)
            logger.save()

    # Checks

    def _model_or_last(self, model: LightningModule | None) -> LightningModule:
        if model is not None:
            return model
        if self.lightning_module is None:
            raise TypeError("A `LightningModule` must be given when `fit` has not been called with one before")
        return self.lightning_module

    @staticmethod
    def _separate(
        dataloaders: object, datamodule: LightningDataModule | None, name: str
    ) -> tuple[object, LightningDataModule | None]:
        if isinstance(dataloaders, LightningDataModule):
            return None, dataloaders
        if dataloaders is not None and datamodule is not None:
            raise MisconfigurationException(f"You cannot pass both `trainer.{name}(dataloaders=..., datamodule=...)`")
        return dataloaders, datamodule

    def _check_fit(self, model: LightningModule) -> None:
        self._check_data("train", "training_step")
        if not is_overridden("configure_optimizers", model):
            raise MisconfigurationException(
                "No `configure_optimizers()` method defined. Lightning `Trainer` expects as minimum"
                " `training_step()`, `train_dataloader()` and `configure_optimizers()` to be defined."
            )
        has_step, has_data = is_overridden("validation_step", model), self._data.has("val")
        if has_data and not has_step:
            rank_zero_warn("You passed in a `val_dataloader` but have no `validation_step`. Skipping val loop.")
        if has_step and not has_data and self.limit_val_batches:
            rank_zero_warn("You defined a `validation_step` but have no `val_dataloader`. Skipping val loop.")
        if not model.automatic_optimization:
            for name, default in (("gradient_clip_val", None), ("accumulate_grad_batches", 1)):
                value = getattr(self, name)
                if value not in (default, 0):
                    raise MisconfigurationException(
                        f"Automatic behaviour of `Trainer({name}={value})` is not supported for manual optimization."
                        f" Remove `Trainer({name}=...)` or switch to automatic optimization."
                    )
        self.fit_loop.fetcher = None
        self.fit_loop.validation.loaders = []

    def _check_data(self, kind: str, step: str) -> None:
        if step != "predict_step" and not is_overridden(step, self.lightning_module):
            raise MisconfigurationException(f"No `{step}()` method defined to run `Trainer.{self.training_stage}`.")
        if not self._data.has(kind):
            raise MisconfigurationException(
                f"No `{kind}_dataloader()` method defined and no dataloaders were passed to run `Trainer.{self.training_stage}`."
            )

    # Saving

    def save_checkpoint(
        self, filepath: str | os.PathLike[str], weights_only: bool | None = None, storage_options: object = None
    ) -> None:
        """Write a checkpoint of the run to ``filepath``, whole or not at all; with ``weights_only`` only the model."""
        if self.lightning_module is None:
            raise AttributeError(
                "Saving a checkpoint is only possible if a model is attached to the Trainer. Did you call"
                " `Trainer.save_checkpoint()` before calling `Trainer.{fit,validate,test,predict}`?"
            )
        with nullcontext() if self._profiler is None else self._profiler.profile("save_checkpoint"):
            self._checkpoints.save(filepath, bool(weights_only), storage_options)

    def plan(
        self,
        model: LightningModule,
        data: object = None,
        val_dataloaders: object = None,
        stage: str = "fit",
        epochs: int | None = None,
    ) -> Plan:
        """Return what a run would do, without doing it: its hooks in order, who overrides them, and its schedule.

        ``data`` is what the run would be given, loaders or a data module. The trainer's own loops run on stand-ins for the
        model, its callbacks and its data; of the program only what tells the length of the data, the callbacks and the
        optimizers is called. ``epochs`` limits what is looked at.

        >>> from facula_lightning import LightningModule
        >>> class Model(LightningModule):
        ...     def training_step(self, batch): ...
        ...     def configure_optimizers(self): return facula.optim.SGD([facula.nn.Parameter(facula.ones(1))], 0.1)
        >>> trainer = Trainer(max_epochs=2, accumulate_grad_batches=2, logger=False, enable_checkpointing=False)
        >>> plan = trainer.plan(Model(), [1, 2, 3])
        >>> [(event.epoch, event.batch, event.step) for event in plan.due("step")]
        [(0, 2, 1), (0, 3, 2), (1, 2, 3), (1, 3, 4)]
        """
        from facula_lightning.plan import make_plan

        return make_plan(self, model, data, val_dataloaders, stage, epochs)

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print, in the first process only, without tearing the progress bar."""
        if not self.is_global_zero:
            return
        bar = self.progress_bar_callback
        if bar is not None:
            bar.print(*args, **kwargs)
        else:
            print(*args, **kwargs)

    def init_module(self, empty_init: bool | None = None) -> AbstractContextManager[None]:
        """Return the context in which new layers get the trainer's type; with ``empty_init`` no weights are drawn."""
        return new_layers(self.precision_plugin, empty_init)


def _differ(value: object, other: object) -> bool:
    """Return whether two hyper-parameters of the same name are not the same; tensors are where they are one object."""
    if type(value) is not type(other):
        return True
    return value is not other if isinstance(value, facula.Tensor) else bool(value != other)
