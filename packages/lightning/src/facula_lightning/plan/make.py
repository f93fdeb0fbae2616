"""Making a plan: the trainer's own loops run, on stand-ins that write down what is called."""

from __future__ import annotations

import copy
import logging
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import facula

from facula_lightning.callbacks.callback import Callback
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.loops.combined import CombinedBatches
from facula_lightning.module import LightningModule
from facula_lightning.optimizer import read_configuration
from facula_lightning.plan import shadows
from facula_lightning.plan.plan import Call, Event, Plan
from facula_lightning.plugins.precision import Precision
from facula_lightning.strategies.single_device import SingleDeviceStrategy
from facula_lightning.trainer.apart import apart
from facula_lightning.trainer.call import is_overridden
from facula_lightning.trainer.data import combine
from facula_lightning.trainer.named import is_named, read_named
from facula_lightning.trainer.sharding import shard
from facula_lightning.utilities.data import as_loaders, sized_len
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.seed import isolate_rng

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer

_KINDS = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",), "predict": ("predict",)}
_MOST_BATCHES = 20_000


class Recorder:
    """What the stand-ins write to, and what they need to know of the program."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.trainer: Trainer | None = None
        self.lengths: dict[str, list[int]] = {}
        self.module_callbacks: list[Callback] = []
        self.optimization: tuple[int, list[dict[str, Any]]] = (0, [])
        self.named: dict[str, dict[str, Any]] = {}
        self.monitors: dict[str, str] = {}
        self.validates = False
        self.logs = False
        self._logged = 0

    def call(self, hook: str, owner: str, overridden: bool) -> None:
        """Write down a call."""
        self.plan.calls.append(Call(hook, owner, overridden))
        if hook == "optimizer_step":
            assert self.trainer is not None
            step = self.trainer.global_step + 1
            self.event("step", "", step)

    def event(self, kind: str, what: str = "", step: int | None = None) -> None:
        """Write down an event, unless it belongs to the sanity check."""
        trainer = self.trainer
        assert trainer is not None
        if trainer.sanity_checking:
            return
        loop = trainer.fit_loop
        count = trainer.global_step if step is None else step
        self.plan.events.append(Event(kind, trainer.current_epoch, loop.batch_progress.current.ready, count, what))

    def validation_begins(self) -> None:
        """Write down that a validation is due, in a fit."""
        if self.trainer is not None and self.trainer.training_stage == "fit":
            self.event("validation")

    def loaders(self, kind: str) -> Any:
        """Return loaders as long as the program's."""
        made = [shadows.Loader(length) for length in self.lengths[kind]]
        return made[0] if len(made) == 1 else made

    def log_monitored(self, module: LightningModule) -> None:
        """Log what callbacks and schedulers look at, better every time."""
        self._logged += 1
        for name, mode in self.monitors.items():
            module.log(name, float(self._logged if mode == "max" else -self._logged), batch_size=1)


def make_plan(
    trainer: Trainer, model: LightningModule, data: object, val: object, stage: str, epochs: int | None
) -> Plan:
    """Return the plan of a run: see `Trainer.plan`."""
    if stage not in _KINDS:
        raise ValueError(f"`stage` should be one of {', '.join(_KINDS)}, got {stage!r}")
    if not isinstance(model, LightningModule):
        raise TypeError(f"`model` must be a `LightningModule`, got `{type(model).__qualname__}`")
    plan = Plan(stage)
    recorder = Recorder(plan)
    quiet = logging.getLogger("facula_lightning")
    level = quiet.level
    with isolate_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quiet.setLevel(logging.ERROR)
        try:
            datamodule = data if isinstance(data, LightningDataModule) else None
            given = {"val" if stage == "validate" else "train" if stage == "fit" else stage: data, "val": val}
            if stage == "validate":
                given["val"] = data
            _measure(recorder, trainer, model, datamodule, {} if datamodule is not None else given, stage)
            _look_at(recorder, trainer, model, stage)
            shadow = _shadow_trainer(trainer, model, recorder, epochs)
            _run(shadow, recorder, model, datamodule, given, stage)
        finally:
            quiet.setLevel(level)
    plan.epochs, plan.global_step = shadow.current_epoch, shadow.global_step
    if stage == "fit" and not model.automatic_optimization:
        plan.notes.append(
            "optimization is manual: what `training_step` calls is its own affair, taken to step every optimizer once"
        )
    if recorder.monitors:
        plan.notes.append(f"{', '.join(map(repr, recorder.monitors))} is taken to become better every time")
    if isinstance(trainer.val_check_interval, timedelta) and recorder.validates:
        plan.notes.append(f"validation is due after {trainer.val_check_interval} each, which no plan can foresee")
    if shadow.max_epochs != trainer.max_epochs:
        plan.notes.append(f"only the first {shadow.max_epochs} of {trainer.max_epochs} epochs are shown")
    return plan


def _measure(
    recorder: Recorder,
    trainer: Trainer,
    model: LightningModule,
    datamodule: LightningDataModule | None,
    given: dict[str, Any],
    stage: str,
) -> None:
    """Find out how long the loaders are; data modules and models are set up and asked for them."""
    for owner in (datamodule, model):
        needed = [f"{kind}_dataloader" for kind in _KINDS[stage] if given.get(kind) is None]
        if owner is not None and any(is_overridden(hook, owner) for hook in needed):
            owner.prepare_data()
            owner.setup(stage)
    for kind in _KINDS[stage]:
        loaders = given.get(kind)
        hook = f"{kind}_dataloader"
        if loaders is None:
            owner = datamodule if is_overridden(hook, datamodule) else model
            loaders = getattr(owner, hook)() if is_overridden(hook, owner) else None
        shared = trainer.strategy.is_distributed and trainer.use_distributed_sampler
        combined = combine(loaders, kind)
        parts = as_loaders(loaders) if combined is None else combined.flattened
        together = combined is not None and (kind == "train" or combined.mode != "sequential")
        if shared and (kind == "train" or not together):
            parts = [shard(each, trainer.strategy, kind == "train") for each in parts]
        if combined is not None and together:
            combined.flattened = parts
            share = (trainer.global_rank, trainer.world_size) if shared and kind != "train" else (0, 1)
            parts = [CombinedBatches(combined, share)]
        lengths = [sized_len(each) for each in parts]
        limit = getattr(trainer, f"limit_{kind}_batches")
        for index, length in enumerate(lengths):
            if length is None and not isinstance(limit, int):
                raise MisconfigurationException(
                    f"a loader of unknown length cannot be planned with: set `Trainer(limit_{kind}_batches)` to a number"
                )
            lengths[index] = limit if length is None else length
        recorder.lengths[kind] = [each for each in lengths if each is not None]


def _look_at(recorder: Recorder, trainer: Trainer, model: LightningModule, stage: str) -> None:
    """Find out about the model's optimizers, callbacks and what is monitored."""
    callbacks = model.configure_callbacks()
    own = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
    recorder.module_callbacks = [shadows.shadow_callback(each, recorder) for each in own]
    for each in (*trainer._own_callbacks, *own):
        monitor = getattr(each, "monitor", None)
        if isinstance(monitor, str):
            recorder.monitors[monitor] = getattr(each, "mode", "min")
    recorder.logs = bool(trainer.loggers)
    recorder.validates = bool(recorder.lengths.get("val")) and is_overridden("validation_step", model)
    if stage != "fit":
        return
    # The schedulers of a copy: some write to the groups of their optimizer.
    returned = copy.deepcopy(model).configure_optimizers()
    if is_named(returned):
        named, returned = read_named(returned)
        recorder.named = {
            name: {key: getattr(each, key) for key in ("frequency", "accumulate_grad_batches", "toggle")}
            for name, each in named.items()
        }
    optimizers, schedulers = read_configuration(model, returned, several=bool(recorder.named))
    plans = [
        {name: getattr(each, name) for name in ("interval", "frequency", "reduce_on_plateau", "monitor", "name")}
        | {"optimizer": optimizers.index(each.scheduler.optimizer)}
        for each in schedulers
    ]
    for plan in plans:
        if plan["reduce_on_plateau"] and plan["monitor"] is not None:
            recorder.monitors.setdefault(plan["monitor"], "min")
    recorder.optimization = len(optimizers), plans


def _shadow_trainer(trainer: Trainer, model: LightningModule, recorder: Recorder, epochs: int | None) -> Trainer:
    """Return a trainer with the same settings, and everything else its own."""
    shadow = apart(trainer)
    shadow.device = facula.device("cpu")
    shadow.strategy = SingleDeviceStrategy(shadow.device)
    shadow.precision_plugin, shadow.has_plain_precision = Precision(), True
    shadow.loggers = [shadows.LogRecorder(recorder)] if trainer.loggers else []
    shadow.lightning_module = shadow.datamodule = None
    shadow.callbacks = [shadows.shadow_callback(each, recorder) for each in trainer._own_callbacks]
    shadow._own_callbacks = list(shadow.callbacks)
    if epochs is not None and trainer.max_epochs in (None, -1):
        shadow.max_epochs = epochs
    elif epochs is not None:
        shadow.max_epochs = min(epochs, trainer.max_epochs)
    batches = recorder.lengths.get("train", [0])
    length = max(1, *batches) if batches else 1
    if shadow.max_steps == -1 and (shadow.max_epochs == -1 or shadow.max_epochs * length > _MOST_BATCHES):
        shadow.max_epochs = max(1, min(2, shadow.max_epochs if shadow.max_epochs > 0 else 2))

    def save_checkpoint(filepath: Any, weights_only: bool | None = None, storage_options: object = None) -> None:
        recorder.event("checkpoint", str(filepath).replace("\\", "/").rpartition("/")[2])
        shadow._checkpoints.collect(bool(weights_only))

    shadow.save_checkpoint = save_checkpoint  # type: ignore[method-assign]
    recorder.trainer = shadow
    return shadow


def _run(
    shadow: Trainer,
    recorder: Recorder,
    model: LightningModule,
    datamodule: LightningDataModule | None,
    given: dict[str, Any],
    stage: str,
) -> None:
    module = shadows.shadow_module(model, recorder)
    data = None if datamodule is None else shadows.shadow_datamodule(datamodule, recorder)
    loaders = {
        kind: recorder.loaders(kind)
        for kind in _KINDS[stage]
        if datamodule is None and given.get(kind) is not None and recorder.lengths[kind]
    }
    if stage == "fit":
        shadow.fit(module, loaders.get("train"), loaders.get("val"), datamodule=data)
    elif stage == "predict":
        shadow.predict(module, loaders.get("predict"), datamodule=data)
    elif stage == "validate":
        shadow.validate(module, loaders.get("val"), verbose=False, datamodule=data)
    else:
        shadow.test(module, loaders.get("test"), verbose=False, datamodule=data)
