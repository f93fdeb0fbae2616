"""Stand-ins for a program's objects: they have its hooks, which write down that they were called and do nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import facula

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.gradient_accumulation_scheduler import GradientAccumulationScheduler
from facula_lightning.callbacks.model_checkpoint import ModelCheckpoint
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.loggers.logger import Logger
from facula_lightning.module import LightningModule
from facula_lightning.trainer.call import is_overridden

if TYPE_CHECKING:
    from facula_lightning.plan.make import Recorder

LOADER_HOOKS = ("train_dataloader", "val_dataloader", "test_dataloader", "predict_dataloader")
_STEPS = ("training_step", "validation_step", "test_step", "predict_step")
_STAGES = ("validation", "test", "predict")
#: Hooks that a module has whether or not the program overrides them.
_MODULE_HOOKS = (
    *("configure_callbacks", "prepare_data", "setup", "configure_model", "configure_optimizers", "teardown"),
    *("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer"),
    *("on_fit_start", "on_fit_end", "on_train_start", "on_train_end", "on_train_epoch_start", "on_train_epoch_end"),
    *("on_train_batch_start", "on_train_batch_end"),
    *(f"on_{stage}_{when}" for stage in _STAGES for when in ("start", "end", "epoch_start", "epoch_end")),
    *(f"on_{stage}_batch_{when}" for stage in _STAGES for when in ("start", "end")),
    *("on_validation_model_zero_grad", "on_validation_model_eval", "on_test_model_eval", "on_predict_model_eval"),
    *("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step"),
    *("optimizer_step", "optimizer_zero_grad", "backward", "configure_gradient_clipping", "lr_scheduler_step"),
    *("on_save_checkpoint", "on_load_checkpoint"),
)
_CALLBACK_HOOKS = (
    *("setup", "teardown", "on_fit_start", "on_fit_end", "on_sanity_check_start", "on_sanity_check_end"),
    *("on_train_start", "on_train_end", "on_train_epoch_start", "on_train_epoch_end"),
    *("on_train_batch_start", "on_train_batch_end"),
    *(f"on_{stage}_{when}" for stage in _STAGES for when in ("start", "end", "epoch_start", "epoch_end")),
    *(f"on_{stage}_batch_{when}" for stage in _STAGES for when in ("start", "end")),
    *("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step"),
    *("state_dict", "load_state_dict", "on_save_checkpoint", "on_load_checkpoint"),
)
#: Callbacks that decide on the schedule; copies of them run with the plan.
_DECIDING = (ModelCheckpoint, GradientAccumulationScheduler)


class Loader:
    """A loader with a length, whose batches are one number."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[facula.Tensor]:
        return iter([facula.ones(1, 1)] * self.length)


class LogRecorder(Logger):
    """Writes down when a row is due."""

    name, version = "", ""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write down the event."""
        self.recorder.event("log", f"at step {step}")

    def log_hyperparams(self, params: Any) -> None:
        """Do nothing."""


class _Scheduler:
    """A learning rate scheduler that does nothing."""

    def __init__(self, optimizer: facula.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, metric: object = None) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


def _recording(hook: str, owner: str, overridden: bool, does: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        self.__dict__["_recorder"].call(hook, owner, overridden)
        return does(self, *arguments, **keywords)

    method.__name__ = hook
    return method


def shadow_callback(callback: Callback, recorder: Recorder) -> Callback:
    """Return a copy of a callback that writes down its calls; it does nothing unless it decides on the schedule."""
    kind = type(callback)
    decides = isinstance(callback, _DECIDING)
    methods: dict[str, Any] = {}
    for hook in _CALLBACK_HOOKS:
        own = getattr(callback, hook)
        if getattr(own, "__func__", None) is getattr(Callback, hook):
            continue
        nothing = _empty_state if hook == "state_dict" else _nothing
        does = getattr(kind, hook) if decides and hook != "load_state_dict" else nothing
        methods[hook] = _recording(hook, kind.__name__, True, does)
    if isinstance(callback, ModelCheckpoint):
        methods["_link"] = staticmethod(_nothing)
    shadow = copy.copy(callback)
    shadow.__dict__.update(
        {name: copy.copy(value) for name, value in vars(callback).items() if isinstance(value, dict)}
    )
    for hook in methods:
        shadow.__dict__.pop(hook, None)
    shadow.__class__ = type(kind.__name__, (kind,), methods)
    shadow.__dict__["_recorder"] = recorder
    return shadow


def _nothing(*arguments: Any, **keywords: Any) -> None:
    return None


def _empty_state(*arguments: Any) -> dict[str, Any]:
    return {}


def shadow_datamodule(datamodule: LightningDataModule, recorder: Recorder) -> LightningDataModule:
    """Return a data module that writes down the calls of the hooks that another overrides."""
    methods: dict[str, Any] = {}
    for hook in (
        *("prepare_data", "setup", "teardown", "state_dict", *LOADER_HOOKS),
        *("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer"),
    ):
        overridden = is_overridden(hook, datamodule)
        if not overridden and hook not in ("prepare_data", "setup", "teardown", "state_dict"):
            continue
        methods[hook] = _recording(hook, type(datamodule).__name__, overridden, _data_behaviour(hook))
    shadow: LightningDataModule = type("Data", (LightningDataModule,), methods)()
    shadow.__dict__["_recorder"] = recorder
    return shadow


def _data_behaviour(hook: str) -> Callable[..., Any]:
    if hook in LOADER_HOOKS:
        return lambda self: self.__dict__["_recorder"].loaders(hook.removesuffix("_dataloader"))
    if hook.endswith("_transfer") or hook == "transfer_batch_to_device":
        return lambda self, batch, *arguments: batch
    return _empty_state if hook == "state_dict" else _nothing


def shadow_module(module: LightningModule, recorder: Recorder) -> LightningModule:
    """Return a module with one weight that writes down its calls and whose optimizers are as many as the other's."""
    owner = type(module).__name__
    methods: dict[str, Any] = {}
    for hook in (*_MODULE_HOOKS, *_STEPS, *LOADER_HOOKS, "on_validation_model_train", "on_test_model_train"):
        overridden = is_overridden(hook, module)
        if not overridden and hook not in _MODULE_HOOKS:
            continue
        methods[hook] = _recording(hook, owner, overridden, _module_behaviour(hook))
    shadow: LightningModule = type(owner, (_Shadow,), methods)()
    shadow.automatic_optimization = module.automatic_optimization
    shadow.__dict__["_recorder"] = recorder
    return shadow


class _Shadow(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = facula.nn.Parameter(facula.zeros(1))


def _module_behaviour(hook: str) -> Callable[..., Any]:
    if hook in LOADER_HOOKS or hook.endswith("_transfer") or hook == "transfer_batch_to_device":
        return _data_behaviour(hook)
    if hook in (
        "optimizer_step",
        "optimizer_zero_grad",
        "backward",
        "configure_gradient_clipping",
        "lr_scheduler_step",
    ):
        default: Callable[..., Any] = getattr(LightningModule, hook)
        return default
    own: dict[str, Callable[..., Any]] = {
        "training_step": _training_step,
        "validation_step": _evaluation_step,
        "test_step": _evaluation_step,
        "configure_callbacks": lambda self: self.__dict__["_recorder"].module_callbacks,
        "configure_optimizers": _configure_optimizers,
        "on_validation_model_eval": lambda self: self.__dict__["_recorder"].validation_begins(),
    }
    return own.get(hook, _nothing)


def _training_step(self: Any, batch: Any, batch_idx: int) -> Any:
    recorder = self.__dict__["_recorder"]
    if recorder.logs:
        self.log("metric", 0.0, on_step=True, on_epoch=True, batch_size=1)
    if not recorder.validates:
        recorder.log_monitored(self)
    if recorder.named:
        return {name: self.weight.sum() for name in recorder.named}
    if self.automatic_optimization:
        return self.weight.sum()
    # As most programs do that step by themselves.
    self.trainer._optimization.steps += recorder.optimization[0]
    recorder.event("step")
    return None


def _evaluation_step(self: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
    recorder = self.__dict__["_recorder"]
    if recorder.logs:
        self.log("validation_metric", 0.0, batch_size=1)
    recorder.log_monitored(self)


def _configure_optimizers(self: Any) -> Any:
    recorder = self.__dict__["_recorder"]
    optimizers, schedulers = recorder.optimization
    made = [facula.optim.SGD([self.weight], lr=0.0) for _ in range(optimizers)]
    plans = []
    for each in schedulers:
        settings = dict(each)
        plans.append({**settings, "scheduler": _Scheduler(made[settings.pop("optimizer")])})
        plans[-1].pop("optimizer")
    if recorder.named:
        found = {name: {**each, "optimizer": one} for (name, each), one in zip(recorder.named.items(), made)}
        for plan in plans:
            next(each for each in found.values() if each["optimizer"] is plan["scheduler"].optimizer)[
                "lr_scheduler"
            ] = plan
        return found
    return (made, plans) if made else None
