"""Runs of a trainer in which every hook writes down its name: the same programs for facula's trainer and for Lightning.

    python hook_recorder.py > recorded_hooks.json

records Lightning's order (it needs ``torch`` and ``pytorch-lightning``, 2.6.6 when the file was made).
"""

import inspect
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

_STAGES = ("validation", "test", "predict")
MODULE_HOOKS = [
    *("configure_callbacks", "prepare_data", "setup", "configure_model", "configure_optimizers", "teardown"),
    *("train_dataloader", "val_dataloader", "test_dataloader", "predict_dataloader"),
    *("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer"),
    *("training_step", "validation_step", "test_step", "predict_step"),
    *("on_fit_start", "on_fit_end", "on_train_start", "on_train_end", "on_train_epoch_start", "on_train_epoch_end"),
    *("on_train_batch_start", "on_train_batch_end"),
    *(f"on_{stage}_{when}" for stage in _STAGES for when in ("start", "end", "epoch_start", "epoch_end")),
    *(f"on_{stage}_batch_{when}" for stage in _STAGES for when in ("start", "end")),
    *("on_validation_model_zero_grad", "on_validation_model_eval", "on_validation_model_train"),
    *("on_test_model_eval", "on_test_model_train", "on_predict_model_eval"),
    *("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step"),
    *("optimizer_step", "optimizer_zero_grad", "backward", "configure_gradient_clipping", "lr_scheduler_step"),
    *("on_save_checkpoint", "on_load_checkpoint"),
]
CALLBACK_HOOKS = [
    *("setup", "teardown", "on_fit_start", "on_fit_end", "on_sanity_check_start", "on_sanity_check_end"),
    *("on_train_start", "on_train_end", "on_train_epoch_start", "on_train_epoch_end"),
    *("on_train_batch_start", "on_train_batch_end"),
    *(f"on_{stage}_{when}" for stage in _STAGES for when in ("start", "end", "epoch_start", "epoch_end")),
    *(f"on_{stage}_batch_{when}" for stage in _STAGES for when in ("start", "end")),
    *("on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step"),
    *("state_dict", "load_state_dict", "on_save_checkpoint", "on_load_checkpoint", "on_exception"),
]
DATA_HOOKS = ["prepare_data", "setup", "teardown", "train_dataloader", "val_dataloader", "state_dict"]


def recording(base: type, names: list[str], calls: list[str], prefix: str = "") -> type:
    """Return a subclass that writes down the name of each of these methods when it is called, then does as its parent."""

    def recorded(name: str) -> Callable:
        parent = getattr(base, name)

        def method(self: object, *args: object, **kwargs: object) -> object:
            calls.append(prefix + name)
            return parent(self, *args, **kwargs)

        # Trainers look at what a step's parameters are called. With __wrapped__ they would see the parent's method.
        method.__signature__ = inspect.signature(parent)
        method.__name__ = name
        return method

    return type(base.__name__, (base,), {name: recorded(name) for name in names})


def classes(L: SimpleNamespace, T: ModuleType) -> SimpleNamespace:
    """Return the module, the data module and the callback of these programs, for one of the two libraries."""

    class Model(L.LightningModule):
        def __init__(self, manual: bool = False, interval: str = "epoch", loaders: int = 1, silent: bool = False):
            super().__init__()
            self.automatic_optimization = not manual
            self.interval, self.loaders, self.silent = interval, loaders, silent
            self.layer = T.nn.Linear(4, 2)

        def training_step(self, batch, batch_idx):
            if self.silent:
                return None
            loss = self.layer(batch).sum()
            if not self.automatic_optimization:
                optimizer = self.optimizers()
                optimizer.zero_grad()
                self.manual_backward(loss)
                optimizer.step()
            return loss

        def validation_step(self, batch, batch_idx, dataloader_idx=0):
            return {"x": self.layer(batch).sum()}

        def test_step(self, batch, batch_idx):
            return {"y": self.layer(batch).sum()}

        def predict_step(self, batch, batch_idx):
            return self.layer(batch)

        def configure_optimizers(self):
            optimizer = T.optim.SGD(self.parameters(), lr=0.1)
            scheduler = T.optim.lr_scheduler.StepLR(optimizer, step_size=1)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": self.interval}}

        def _loader(self):
            return T.utils.data.DataLoader(T.randn(16, 4), batch_size=2)

        def train_dataloader(self):
            return self._loader()

        def val_dataloader(self):
            return self._loader() if self.loaders == 1 else [self._loader() for _ in range(self.loaders)]

        test_dataloader = predict_dataloader = train_dataloader

    class Skipping(Model):
        def on_train_batch_start(self, batch, batch_idx):
            return -1 if batch_idx == 1 else None

    class Failing(Model):
        def training_step(self, batch, batch_idx):
            raise ZeroDivisionError("on purpose")

    class Data(L.LightningDataModule):
        def train_dataloader(self):
            return T.utils.data.DataLoader(T.randn(16, 4), batch_size=2)

        def val_dataloader(self):
            return T.utils.data.DataLoader(T.randn(16, 4), batch_size=2)

    class Watch(L.Callback):
        def state_dict(self):
            return {"some": "state"}

    return SimpleNamespace(Model=Model, Skipping=Skipping, Failing=Failing, Data=Data, Watch=Watch)


#: For each program: the trainer's settings, then what differs from fitting a plain model.
PROGRAMS: dict[str, dict] = {
    "fit": {},
    "fit, manual optimization": {"model": {"manual": True}},
    "fit, no sanity check": {"num_sanity_val_steps": 0},
    "fit, no validation": {"limit_val_batches": 0},
    "fit, two epochs": {"max_epochs": 2},
    "fit, two epochs, validation every second": {"max_epochs": 2, "check_val_every_n_epoch": 2},
    "fit, accumulating": {"limit_train_batches": 3, "accumulate_grad_batches": 2},
    "fit, manual, several batches": {"limit_train_batches": 3, "model": {"manual": True}},
    "fit, validation within the epoch": {"limit_train_batches": 3, "val_check_interval": 2},
    "fit, validation after a fraction": {"limit_train_batches": 4, "val_check_interval": 0.5},
    "fit, validation across epochs": {
        **{"limit_train_batches": 2, "val_check_interval": 3, "check_val_every_n_epoch": None, "max_epochs": 3},
    },
    "fit, clipping": {"gradient_clip_val": 1.0},
    "fit, schedulers by step": {"limit_train_batches": 2, "model": {"interval": "step"}},
    "fit, steps limited": {"limit_train_batches": 4, "max_steps": 3, "max_epochs": -1},
    "fit, fast_dev_run": {"fast_dev_run": 2},
    "fit, two validation loaders": {"model": {"loaders": 2}},
    "fit, loaders reloaded": {"max_epochs": 3, "reload_dataloaders_every_n_epochs": 2},
    "fit, no loss": {"limit_train_batches": 2, "model": {"silent": True}},
    "fit, rest of the epoch skipped": {"limit_train_batches": 3, "class": "Skipping"},
    "fit, failing": {"class": "Failing"},
    "fit, data module": {"data": True},
    "fit, no checkpoint": {"enable_checkpointing": False},
    "fit, accumulating, validation within the window": {
        **{"limit_train_batches": 5, "accumulate_grad_batches": 3, "val_check_interval": 2, "max_epochs": 2},
    },
    "fit, accumulating, steps limited": {
        **{"limit_train_batches": 4, "accumulate_grad_batches": 3, "max_steps": 3, "max_epochs": -1},
    },
    "fit, accumulating, schedulers by step, clipping by value": {
        **{"limit_train_batches": 3, "accumulate_grad_batches": 2, "model": {"interval": "step"}},
        **{"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"},
    },
    "fit, two loaders, within the epoch": {
        **{"model": {"loaders": 2}, "limit_train_batches": 4, "val_check_interval": 2, "limit_val_batches": 2},
    },
    "fit, manual, validation within the epoch, two epochs": {
        **{"limit_train_batches": 3, "val_check_interval": 2, "max_epochs": 2, "model": {"manual": True}},
    },
    "fit, manual, steps limited": {
        "limit_train_batches": 3,
        "max_steps": 4,
        "max_epochs": 5,
        "model": {"manual": True},
    },
    "fit, data module, two epochs, reloaded": {
        **{"data": True, "max_epochs": 2, "reload_dataloaders_every_n_epochs": 1},
    },
    "fit, overfitting": {"overfit_batches": 2, "max_epochs": 2},
    "fit, epochs and steps demanded": {"min_epochs": 2, "max_epochs": 3, "min_steps": 2, "limit_train_batches": 2},
    "fit, barebones": {"barebones": True, "logger": None, "enable_progress_bar": None, "enable_model_summary": None},
    "fit, all sanity batches": {"num_sanity_val_steps": -1, "limit_val_batches": 3},
    "fit, no training batches": {"limit_train_batches": 0},
    "fit, mixed precision": {"precision": "bf16-mixed", "limit_train_batches": 2, "gradient_clip_val": 0.1},
    "resume by steps, manual": {
        **{"limit_train_batches": 4, "max_epochs": 2, "resume": "step", "model": {"manual": True}},
    },
    "test from a checkpoint": {"stage": "test", "resume": "epoch"},
    "predict from a checkpoint": {"stage": "predict", "resume": "epoch"},
    "validate, data module": {"stage": "validate", "data": True},
    "validate, two loaders": {"stage": "validate", "model": {"loaders": 2}, "limit_val_batches": 2},
    "test, fast_dev_run": {"stage": "test", "fast_dev_run": 2},
    "resume after an epoch": {"max_epochs": 2, "resume": "epoch"},
    "resume by steps": {"limit_train_batches": 4, "max_epochs": 2, "resume": "step"},
    "validate": {"stage": "validate"},
    "validate, several batches": {"stage": "validate", "limit_val_batches": 2},
    "test": {"stage": "test"},
    "predict": {"stage": "predict"},
    "predict, several batches": {"stage": "predict", "limit_predict_batches": 2},
    "validate from a checkpoint": {"stage": "validate", "resume": "epoch"},
}


def record(L: SimpleNamespace, T: ModuleType, program: str, folder: Path) -> list[str]:
    """Return the names of the hooks a program calls, in order; those of the callback begin with ``cb.``."""
    own = classes(L, T)
    settings = dict(PROGRAMS[program])
    calls: list[str] = []
    model_class = recording(getattr(own, settings.pop("class", "Model")), MODULE_HOOKS, calls)
    callback_class = recording(own.Watch, CALLBACK_HOOKS, calls, "cb.")
    options = settings.pop("model", {})
    stage, resume = settings.pop("stage", "fit"), settings.pop("resume", None)
    data = recording(own.Data, DATA_HOOKS, calls, "data.")() if settings.pop("data", False) else None
    usual = {
        **{"max_epochs": 1, "logger": False, "enable_progress_bar": False, "enable_model_summary": False},
        **{f"limit_{name}_batches": 1 for name in ("train", "val", "test", "predict")},
        **{"default_root_dir": folder, "accelerator": "cpu", "devices": 1},
    }
    settings = {**usual, **settings}
    checkpoint = None
    if resume is not None:
        first = {**settings, "max_epochs": 1} if resume == "epoch" else {**settings, "max_steps": 2}
        trainer = L.Trainer(**first, callbacks=[callback_class()])
        trainer.fit(model_class(**options))
        checkpoint = trainer.checkpoint_callback.best_model_path
        calls.clear()
    trainer = L.Trainer(**settings, callbacks=[callback_class()])
    try:
        getattr(trainer, stage)(model_class(**options), datamodule=data, ckpt_path=checkpoint)
    except ZeroDivisionError:
        calls.append("raised")
    return calls


def _record_lightning() -> None:
    import warnings

    import pytorch_lightning
    import torch

    warnings.simplefilter("ignore")
    L = SimpleNamespace(
        **{name: getattr(pytorch_lightning, name) for name in ("LightningModule", "LightningDataModule", "Trainer")},
        Callback=pytorch_lightning.Callback,
    )
    recorded = {"recorded from": f"pytorch-lightning {pytorch_lightning.__version__}"}
    for program in PROGRAMS:
        with tempfile.TemporaryDirectory() as folder:
            recorded[program] = " ".join(record(L, torch, program, Path(folder)))
    json.dump(recorded, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    _record_lightning()
