"""From `self.log` to loggers, progress bar and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor

from facula_lightning.loops.progress import EPOCH_END, EPOCH_START, FINISHED
from facula_lightning.trainer.results import OTHER_AXES, REDUCTIONS, LoggedMetric, LoggedNumber, Results
from facula_lightning.utilities.data import extract_batch_size
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer

# For each hook: (on_step by default, on_epoch by default, whether on_step may be asked for, whether on_epoch may).
_BY_STEP = (True, False, True, True)
_BY_EPOCH = (False, True, True, True)
_EPOCH_ONLY = (False, True, False, True)
HOOKS: dict[str, tuple[bool, bool, bool, bool]] = {
    **dict.fromkeys(
        (
            *("training_step", "on_train_batch_start", "on_train_batch_end", "on_before_backward", "backward"),
            *("on_after_backward", "on_before_optimizer_step", "optimizer_step", "configure_gradient_clipping"),
            *("clip_gradients", "on_before_zero_grad", "optimizer_zero_grad", "lr_scheduler_step"),
        ),
        _BY_STEP,
    ),
    **dict.fromkeys(("on_train_start", "on_train_epoch_start", "on_train_epoch_end"), _EPOCH_ONLY),
}
for _stage in ("validation", "test"):
    HOOKS |= dict.fromkeys((f"{_stage}_step", f"on_{_stage}_batch_start", f"on_{_stage}_batch_end"), _BY_EPOCH)
    HOOKS |= dict.fromkeys((f"on_{_stage}_start", f"on_{_stage}_epoch_start", f"on_{_stage}_epoch_end"), _EPOCH_ONLY)


class Logging:
    """Collects logged numbers and hands them on."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.current_hook: str | None = None
        self.results: Results | None = None
        self.batch: object = None
        self.dataloader_idx: int | None = None
        self._callback: dict[str, Tensor] = {}
        self._logged: dict[str, Tensor | float] = {}
        self._progress_bar: dict[str, float] = {}

    # Looking

    @property
    def callback_metrics(self) -> dict[str, Tensor]:
        """The newest value of everything that was logged."""
        self._look()
        return self._callback

    @property
    def logged_metrics(self) -> dict[str, Tensor | float]:
        """The newest value of everything that was logged for the loggers, whether a row was due or not."""
        self._look()
        return self._logged

    @property
    def progress_bar_metrics(self) -> dict[str, float]:
        """The newest value of everything that was logged for the progress bar."""
        self._look()
        return self._progress_bar

    def _look(self) -> None:
        """Take in what was logged since metrics were last published: hooks are to see it at once.

        What takes all processes to compute is published where all of them are, and not looked for here.
        """
        results = self.results
        if not results:
            return
        loop = self.trainer.fit_loop
        if results is loop.results:
            on_step = loop.position not in (EPOCH_START, EPOCH_END, FINISHED)
        elif self.batch is None:
            on_step = False
        else:
            return  # callbacks see numbers of evaluation by epoch only
        if on_step or results.gather is None:
            self._take(results.metrics(on_step, alone=True))

    def _take(self, metrics: dict[str, dict[str, Tensor]]) -> None:
        self._callback.update(metrics["callback"])
        for numbers in by_axis(metrics).values():
            self._logged.update(numbers)
        if metrics["pbar"]:
            self._progress_bar.update({key: value.item() for key, value in metrics["pbar"].items()})

    # Taking in

    def log(
        self,
        name: str,
        value: object,
        prog_bar: bool,
        logger: bool,
        on_step: bool | None,
        on_epoch: bool | None,
        reduce_fx: str | Callable[[Tensor], Tensor],
        enable_graph: bool,
        add_dataloader_idx: bool,
        batch_size: int | None,
        sync_dist: bool = False,
        sync_dist_group: object = None,
        metric_attribute: str | None = None,
        x: str | None = None,
    ) -> None:
        """Take in one number: see `LightningModule.log`."""
        if not isinstance(name, str):
            raise TypeError(f"`self.log(name={name!r})` expects the name to be a string, got {type(name).__name__}")
        hook = self.current_hook
        if self.results is None or hook is None:
            raise MisconfigurationException(
                "You are trying to `self.log()` but the loop's result collection is not registered yet."
                " This is most likely because you are trying to log in a `predict` hook, but it doesn't support logging"
            )
        index = self.dataloader_idx if add_dataloader_idx else None
        key = (hook, name) if index is None else (hook, name, index)
        asked = (prog_bar, logger, on_step, on_epoch, reduce_fx, x)
        item = self.results.items.get(key)
        if item is None or item.asked != asked:
            # Not as it was logged with the last batch: everything is looked at.
            on_step, on_epoch = self._when(hook, name, on_step, on_epoch)
            x = _axis(name, x)
            if callable(getattr(value, "update", None)) and callable(getattr(value, "compute", None)):
                attribute = metric_attribute or self._attribute_of(name, value)
                given = LoggedMetric(name, prog_bar, logger, on_step, on_epoch, attribute, index, x)
                self._take_metric(key, value, given)
                return
            item = self._item(key, prog_bar, logger, on_step, on_epoch, _reduction_name(reduce_fx), index, x)
            item.asked = asked
        tensor = self._as_tensor(name, value, enable_graph)
        if batch_size is None:
            needs_size = item.on_epoch and item.reduce_fx == "mean" and self.batch is not None
            batch_size = extract_batch_size(self.batch) if needs_size else 1
        strategy = self.trainer.strategy
        if strategy.is_distributed:
            if self.trainer.training and not self.trainer._optimization.weight:
                # What a process repeats where nothing was left for it does not count.
                item.value, item.fresh = tensor, True
            else:
                item.update(tensor, batch_size)
            # In evaluation processes may have different numbers of batches: there the numbers meet at the end.
            if sync_dist and item.on_step and self.trainer.training:
                item.value = strategy.reduce(tensor, sync_dist_group, item.reduce_fx)
            return
        item.update(tensor, batch_size)

    def _when(self, hook: str, name: str, on_step: bool | None, on_epoch: bool | None) -> tuple[bool, bool]:
        """Return whether a number is logged by step and by epoch, after a look at whether it may be."""
        if "/dataloader_idx_" in name:
            raise MisconfigurationException(
                f"You called `self.log` with the key `{name}` but it should not contain information like `dataloader_idx`"
            )
        if hook not in HOOKS:
            raise MisconfigurationException(f"You can't `self.log()` inside `{hook}`.")
        step_default, epoch_default, step_allowed, epoch_allowed = HOOKS[hook]
        on_step = step_default if on_step is None else on_step
        on_epoch = epoch_default if on_epoch is None else on_epoch
        for chosen, allowed, argument in ((on_step, step_allowed, "on_step"), (on_epoch, epoch_allowed, "on_epoch")):
            if chosen and not allowed:
                raise MisconfigurationException(
                    f"You can't `self.log({name!r}, ..., {argument}=True)` inside `{hook}`."
                )
        if not on_step and not on_epoch:
            raise MisconfigurationException("`self.log(on_step=False, on_epoch=False)` is not useful.")
        return on_step, on_epoch

    def _item(
        self,
        key: tuple[Any, ...],
        prog_bar: bool,
        logger: bool,
        on_step: bool,
        on_epoch: bool,
        reduction: str,
        index: int | None,
        x: str | None,
    ) -> LoggedNumber:
        """Return the number of a key, new or as it was logged before."""
        assert self.results is not None
        hook, name = key[:2]
        item = self.results.items.get(key)
        if item is None:
            item = LoggedNumber(name, prog_bar, logger, on_step, on_epoch, reduction, index, x)
            self.results.items[key] = item
        elif item.settings() != (prog_bar, logger, on_step, on_epoch, reduction, x):
            raise MisconfigurationException(
                f"You called `self.log({name}, ...)` twice in `{hook}` with different arguments. This is not allowed"
            )
        return item

    def _attribute_of(self, name: str, metric: object) -> str:
        """Return under which attribute of the module a metric is."""
        module: Any = self.trainer._module
        for attribute, each in module.named_modules():
            if each is metric:
                return str(attribute)
        for attribute, each in vars(module).items():
            if each is metric:
                return attribute
        raise MisconfigurationException(
            f"Could not find the `LightningModule` attribute for the metric logged as {name!r}. You can fix this by setting an"
            " attribute for the metric in your `LightningModule`."
        )

    def _take_metric(self, key: tuple[str | int, ...], metric: object, given: LoggedMetric) -> None:
        assert self.results is not None
        known = self.results.objects.setdefault(key, given)
        if known.settings() != given.settings():
            raise MisconfigurationException(
                f"You called `self.log({given.name}, ...)` twice in `{key[0]}` with different arguments. This is not allowed"
            )
        known.metric, known.fresh = metric, True

    def _as_tensor(self, name: str, value: Any, enable_graph: bool) -> Tensor:
        if isinstance(value, Tensor):
            if value.numel() != 1:
                raise ValueError(
                    f"`self.log({name}, {value})` was called, but the tensor must have a single element."
                    " You can try doing `self.log(" + name + ", tensor.mean())`"
                )
            tensor = value if enable_graph else value.detach()
            return tensor.squeeze() if tensor.ndim else tensor
        if isinstance(value, (bool, int, float)) or type(value).__module__ == "numpy":
            return facula.tensor(float(value), dtype=facula.get_default_dtype())
        raise ValueError(
            f"`self.log({name}, {value})` was called, but `{type(value).__name__}` values cannot be logged"
        )

    # Handing on

    def publish(self, metrics: dict[str, dict[str, Tensor]], to_loggers: bool = True, step: int | None = None) -> None:
        """Give metrics to callbacks, progress bar and, if asked, loggers."""
        self._take(metrics)
        if to_loggers:
            self.write_all(metrics, step)

    def write_all(self, metrics: dict[str, dict[str, Tensor]], step: int | None = None) -> None:
        """Give the loggers what is theirs of metrics, each over its axis."""
        for axis, numbers in by_axis(metrics).items():
            self.write(numbers, step, axis)

    def write(self, metrics: Mapping[str, Tensor | float], step: int | None = None, x: str = "step") -> None:
        """Give metrics to the loggers, at the number of batches whose optimizer stepped, to be drawn over an axis."""
        if not metrics:
            return
        self._logged.update(metrics)
        if not self.trainer.loggers:
            return
        loop = self.trainer.fit_loop
        numbers = {key: value.item() if isinstance(value, Tensor) else value for key, value in metrics.items()}
        if step is None:
            given = numbers.pop("step", None) if x == "step" else None
            step = loop.batches_that_stepped if given is None else int(given)
        epoch = numbers.get("epoch", self.trainer.current_epoch)
        if x == "step":
            # Over another axis it would be in the way of the epochs recorded over the step.
            numbers["epoch"] = epoch
        axes = {"step": step, "epoch": epoch, "samples": loop.seen.samples, "tokens": loop.seen.tokens}
        if axes[x] is None:
            raise MisconfigurationException(
                f"`self.log({next(iter(metrics))!r}, ..., x={x!r})` expects batches whose {x} can be counted."
                f" Override `LightningModule.{x}_of(batch)` to count them."
            )
        for logger in self.trainer.loggers:
            logger.log_record(numbers, axes, x)
            if not logger.writes_by_itself:
                logger.save()

    def state_dict(self) -> dict[str, Any]:
        """Return the newest metrics of each kind."""
        return {
            "callback": dict(self._callback),
            "logged": dict(self._logged),
            "progress_bar": dict(self._progress_bar),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._callback = dict(state["callback"])
        self._logged = dict(state["logged"])
        self._progress_bar = dict(state["progress_bar"])

    def reset(self) -> None:
        """Forget all metrics."""
        self._callback = {}
        self._logged = {}
        self._progress_bar = {}


def by_axis(metrics: Mapping[str, dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    """Return what of published metrics is for the loggers, by the axis that it is drawn over."""
    return {"step": metrics["log"], **{axis: metrics[axis] for axis in OTHER_AXES if axis in metrics}}


def _axis(name: str, x: str | None) -> str | None:
    """Return the axis that was asked for, None where it is the step."""
    if x is None or x == "step":
        return None
    if x not in OTHER_AXES:
        raise ValueError(f"`self.log({name!r}, ..., x={x!r})` expects the axis to be one of {('step', *OTHER_AXES)}")
    return x


def _reduction_name(reduce_fx: str | Callable[[Tensor], Tensor]) -> str:
    name = reduce_fx if isinstance(reduce_fx, str) else getattr(reduce_fx, "__name__", repr(reduce_fx))
    name = {"avg": "mean", "average": "mean", "amin": "min", "amax": "max"}.get(name.lower(), name.lower())
    if name not in REDUCTIONS:
        raise MisconfigurationException(
            f"Only `self.log(..., reduce_fx={{{','.join(sorted(REDUCTIONS))}}})` are supported. Found: {name}"
        )
    return name
