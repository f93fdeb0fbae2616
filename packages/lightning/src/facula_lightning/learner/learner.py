"""Learner: compile, fit, evaluate and predict for a plain network, and all of it in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from facula import Tensor, nn
from facula.optim import Optimizer

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.checkpoint import Checkpoint
from facula_lightning.callbacks.one_cycle import OneCycle
from facula_lightning.callbacks.progress import PlainProgressBar, ProgressBar
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.learner.data import as_dataset, as_loader, is_dataset, joined, part, split, unpack
from facula_lightning.learner.history import History
from facula_lightning.learner.losses import Loss, resolve_loss, takes_logits
from facula_lightning.learner.metrics import resolve_metrics
from facula_lightning.learner.optimizers import OptimizerLike, make_optimizer
from facula_lightning.learner.pictures import draw_results
from facula_lightning.learner.task import SampleLosses, Task, class_weight_table
from facula_lightning.loops.progress import Counts, Progress
from facula_lightning.module import LightningModule
from facula_lightning.trainer.trainer import Trainer
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.layers import freeze_to


class Learner:
    """Trains a network, or a LightningModule, with Keras's four methods; further arguments are the `Trainer`'s.

    The trainer logs and saves nothing unless it is told to.

    >>> learner = Learner(nn.Linear(1, 1))
    >>> learner.compile("sgd", "mse", lr=0.3)
    >>> x = facula.linspace(-1, 1, 64).unsqueeze(1)
    >>> history = learner.fit(x, 3 * x + 1, epochs=30, verbose=0)
    >>> round(learner.predict(facula.ones(1, 1), verbose=0).item(), 1)
    4.0
    """

    def __init__(self, model: nn.Module, **trainer: Any) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"expected an nn.Module, got {type(model).__name__}")
        self.model = model
        self.history: History | None = None
        #: The trainer of the newest call.
        self.trainer: Trainer | None = None
        self._settings = trainer
        self._module: LightningModule = model if isinstance(model, LightningModule) else Task(model, None, {})

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer, which goes on from one `fit` to the next; None before `compile`."""
        return self._module.optimizer if isinstance(self._module, Task) else None

    def compile(
        self,
        optimizer: OptimizerLike = "rmsprop",
        loss: str | type | Loss | None = None,
        metrics: object = None,
        lr: float | slice | None = None,
    ) -> None:
        """Say how to train: the optimizer begins anew.

        Each is a name, a class, a function or an object. A loss is called with prediction and target; so is a metric, unless
        it has ``update``, ``compute`` and ``reset``. Metrics may have names of one's own, in a dictionary. ``lr`` is the
        learning rate, or a slice of those from the first layers to the last: see `discriminative_lrs`.
        """
        if not isinstance(self._module, Task):
            raise MisconfigurationException(
                f"{type(self.model).__name__} is a LightningModule, which has its loss, metrics and optimizer itself"
            )
        resolved = None if loss is None else resolve_loss(loss)
        module = Task(self.model, resolved, resolve_metrics(metrics, takes_logits(resolved)))
        module.optimizer = make_optimizer(optimizer, self.model, lr)
        self._module = module

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train until ``epochs`` epochs are done, counted from ``initial_epoch``; return what was measured.

        ``x`` is an array (several inputs in a tuple or a dictionary) with targets ``y``, or a Dataset, a loader of batches
        ``(x, y)`` or ``(x, y, sample_weight)``, or a LightningDataModule. ``validation_split`` takes the last part of the
        data, before it is shuffled; ``validation_data`` takes its place. The loss of each sample counts by its
        ``sample_weight``, or by that of its class; the loss of a batch is the sum divided by the number of samples.
        ``steps_per_epoch`` keeps to the first so many batches of each epoch. ``verbose`` is 0 for silence, 1 for a progress
        bar, 2 for a line an epoch.
        """
        if class_weight is not None and sample_weight is not None:
            raise ValueError("`class_weight` and `sample_weight` cannot be given at the same time")
        data = as_dataset(x, y, sample_weight)
        validation = None if validation_data is None else _validation_dataset(validation_data)
        if validation_split and validation is None:
            data, validation = split(data, validation_split)
        history = History(verbose)
        settings: dict[str, Any] = {"limit_train_batches": steps_per_epoch, "limit_val_batches": validation_steps}
        settings["check_val_every_n_epoch"] = validation_freq
        if validation is None and not isinstance(data, LightningDataModule) and isinstance(self._module, Task):
            settings["limit_val_batches"] = 0
        trainer = self._new_trainer(verbose, callbacks, history, max_epochs=epochs, **settings)
        trainer.fit_loop.epoch_progress = Progress(Counts(*[initial_epoch] * 4), Counts(*[initial_epoch] * 4))
        if isinstance(self._module, Task):
            if self._module.optimizer is None:
                raise MisconfigurationException("`compile` has to be called before `fit`")
            self._module.class_weight = None if class_weight is None else class_weight_table(class_weight)
            self._module.train()
        elif class_weight is not None:
            raise ValueError("`class_weight` is for networks that the learner computes the loss of")
        if isinstance(data, LightningDataModule):
            trainer.fit(self._module, datamodule=data)
        else:
            size = batch_size if validation_batch_size is None else validation_batch_size
            batches = None if validation is None else as_loader(validation, _size_for(validation, size))
            trainer.fit(self._module, as_loader(data, batch_size, shuffle), batches)
        self.history = history
        return history

    def fit_one_cycle(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        lr_max: float | slice | None = None,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        moms: tuple[float, float, float] | None = (0.95, 0.85, 0.95),
        callbacks: Sequence[Callback] | Callback | None = None,
        **fit: Any,
    ) -> History:
        """Train with the learning rate up once and down, as fastai does: see `OneCycle`; further arguments are `fit`'s.

        ``lr_max`` is that of `compile` where it is left out.
        """
        given = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
        cycle = OneCycle(lr_max, div, div_final, pct_start, moms)
        return self.fit(x, y, epochs=epochs, callbacks=[*given, cycle], **fit)

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:
        """Return the loss, with metrics a list of it and them, or with ``return_dict`` both by name."""
        data = as_dataset(x, y, sample_weight)
        trainer = self._new_trainer(verbose, callbacks, limit_test_batches=steps)
        if isinstance(data, LightningDataModule):
            found = trainer.test(self._module, datamodule=data, verbose=False)
        else:
            found = trainer.test(self._module, as_loader(data, batch_size), verbose=False)
        measured = {name.removeprefix("test_"): value for each in found for name, value in each.items()}
        if isinstance(self._module, Task):
            measured = {name: measured[name] for name in ("loss", *self._module.metrics)}
        if return_dict:
            return measured
        values = list(measured.values())
        return values[0] if len(values) == 1 else values

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
    ) -> Any:
        """Return the network's answers to all of ``x``, one after the other; targets in its batches are left out."""
        return joined(self._predict(self._module, as_dataset(x), batch_size, verbose, steps, callbacks))

    def top_losses(
        self, x: Any, y: Any = None, k: int | None = None, largest: bool = True, batch_size: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the ``k`` largest losses of single samples, all when left out, and where the samples are; or the smallest.

        As fastai's ``Interpretation.top_losses``.
        """
        module = self._module
        if not isinstance(module, Task):
            raise MisconfigurationException("a LightningModule computes its loss itself, which only it knows by sample")
        losses = joined(
            self._predict(SampleLosses(self.model, module.loss, {}), as_dataset(x, y), batch_size, 0, None, None)
        )
        values, places = losses.topk(len(losses) if k is None else k, largest=largest)
        return values, places

    def show_results(self, x: Any, y: Any = None, max_n: int = 9, batch_size: int | None = None) -> Any:
        """Return matplotlib's figure of the first images of a dataset, with their classes and what they are taken for."""
        data = as_dataset(x, y)
        if not is_dataset(data):
            raise ValueError(f"expected arrays or a Dataset of images and their classes, got {type(data).__name__}")
        shown = part(data, 0, min(max_n, len(data)))
        scores = joined(self._predict(self._module, shown, batch_size, 0, None, None))
        return draw_results([shown[at] for at in range(len(shown))], scores)

    def freeze_to(self, n: int) -> None:
        """Let only the groups of layers from the n-th on be trained: see `freeze_to` of the utilities."""
        freeze_to(self.model, n)

    def freeze(self) -> None:
        """Let only the last group of layers be trained."""
        freeze_to(self.model, -1)

    def unfreeze(self) -> None:
        """Let all layers be trained."""
        freeze_to(self.model, 0)

    def _predict(
        self,
        module: LightningModule,
        data: Any,
        batch_size: int | None,
        verbose: str | int,
        steps: int | None,
        callbacks: Sequence[Callback] | Callback | None,
    ) -> list[Any]:
        trainer = self._new_trainer(verbose, callbacks, limit_predict_batches=steps)
        if isinstance(data, LightningDataModule):
            found = trainer.predict(module, datamodule=data)
        else:
            found = trainer.predict(module, as_loader(data, batch_size))
        return found or []

    def _new_trainer(
        self,
        verbose: str | int,
        callbacks: Sequence[Callback] | Callback | None,
        history: History | None = None,
        **settings: Any,
    ) -> Trainer:
        chosen = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or [])
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"expected 'auto', 0, 1 or 2 for `verbose`, got {verbose!r}")
        if verbose == 2 and not any(isinstance(each, ProgressBar) for each in chosen):
            chosen.append(PlainProgressBar(refresh_seconds=float("inf")))
        bars = any(isinstance(each, ProgressBar) for each in chosen)
        usual = {
            "logger": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "enable_checkpointing": any(isinstance(each, Checkpoint) for each in chosen),
            "enable_progress_bar": bars or verbose != 0,
        }
        chosen += [] if history is None else [history]
        given = {name: value for name, value in settings.items() if value is not None}
        self.trainer = Trainer(callbacks=chosen, **{**usual, **self._settings, **given})
        return self.trainer


def _validation_dataset(data: Any) -> Any:
    return as_dataset(*data) if isinstance(data, tuple) else as_dataset(data)


def _size_for(dataset: Any, batch_size: int | None) -> int | None:
    """Return the batch size, where it is the learner who makes the batches."""
    return batch_size if is_dataset(dataset) else None


def fit(
    model: nn.Module,
    data: Any,
    loss: str | type | Loss | None = None,
    optimizer: OptimizerLike = "adam",
    metrics: object = None,
    *,
    lr: float | slice | None = None,
    epochs: int = 1,
    batch_size: int | None = None,
    validation_data: Any = None,
    validation_split: float = 0.0,
    class_weight: Mapping[int, float] | None = None,
    shuffle: bool = True,
    callbacks: Sequence[Callback] | Callback | None = None,
    verbose: str | int = "auto",
    **trainer: Any,
) -> History:
    """Train a network on ``data``, ``(x, y)`` or ``(x, y, sample_weight)`` or what `Learner.fit` takes, and return its History.

    The arguments are those of `Learner.compile` and `Learner.fit`, all others the `Trainer`'s. A LightningModule needs
    neither loss nor optimizer.

    >>> x = facula.linspace(-1, 1, 64).unsqueeze(1)
    >>> history = fit(nn.Linear(1, 1), (x, 3 * x + 1), "mse", "sgd", lr=0.1, epochs=3, verbose=0)
    >>> history.epoch, list(history.history)
    ([0, 1, 2], ['loss'])
    """
    learner = Learner(model, **trainer)
    if not isinstance(model, LightningModule):
        if loss is None:
            raise ValueError(
                "expected a loss: the name of one, such as 'cross_entropy' or 'mse', a class or a function"
            )
        learner.compile(optimizer, loss, metrics, lr)
    elif loss is not None or metrics is not None:
        raise MisconfigurationException("a LightningModule has its loss and its metrics itself")
    x, y, weight = unpack(data) if isinstance(data, tuple) else (data, None, None)
    return learner.fit(
        x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle, class_weight, weight
    )
