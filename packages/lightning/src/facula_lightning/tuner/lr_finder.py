"""The search for a learning rate: a short training in which the rate grows, and what it says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.progress import PlainProgressBar
from facula_lightning.optimizer import LRSchedulerConfig
from facula_lightning.tuner.attributes import get_attribute, rate_attribute, set_attribute
from facula_lightning.tuner.trial import Enough, Trials, at_most, configure_again, is_fresh
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import log, rank_zero_info, rank_zero_warn

if TYPE_CHECKING:
    from facula.optim import Optimizer
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from facula_lightning.module import LightningModule
    from facula_lightning.trainer.trainer import Trainer

#: How much of the running average of losses stays with each batch.
_MEMORY = 0.98


class LRFinder:
    """What a search has found: ``results`` has the learning rates, "lr", and the smoothed loss at each, "loss".

    >>> finder = LRFinder("exponential", 1e-3, 1.0, 4)
    >>> [round(finder.rate(number), 4) for number in range(4)]
    [0.001, 0.0316, 0.1778, 1.0]
    """

    def __init__(self, mode: str, lr_min: float, lr_max: float, num_training: int) -> None:
        if mode not in ("linear", "exponential"):
            raise ValueError(f"`mode` should be either of ('linear', 'exponential'), got {mode!r}")
        if mode == "exponential" and not (lr_min > 0 and lr_max > 0):
            raise ValueError(
                f"rates that grow exponentially should be positive, got `min_lr={lr_min}`, `max_lr={lr_max}`"
            )
        if num_training < 1:
            raise ValueError(f"the number of learning rates to try should be positive, got {num_training}")
        self.mode = mode
        self.lr_min = lr_min
        self.lr_max = lr_max
        self.num_training = num_training
        self.results: dict[str, list[float]] = {"lr": [], "loss": []}
        self._total_batch_idx = -1
        self._optimal_idx: int | None = None

    def rate(self, number: int) -> float:
        """Return the learning rate of a step, counted from 0; as in Lightning the second one is two parts of the way."""
        share = (number + 1) / self.num_training if number else 0.0
        if self.mode == "linear":
            return self.lr_min + share * (self.lr_max - self.lr_min)
        return float(self.lr_min * (self.lr_max / self.lr_min) ** share)

    def suggestion(self, skip_begin: int = 10, skip_end: int = 1, method: str = "steepest") -> float | None:
        """Return the learning rate to begin with; None, with an error in the log, when too few losses are known.

        The first ``skip_begin`` and last ``skip_end`` losses are left out. "steepest" is Lightning's choice, where the loss
        falls most as a function of the rate; "valley" is fastai's, in the middle of the longest descent, which hangs less on
        single batches.

        >>> finder = LRFinder("linear", 0.0, 1.0, 6)
        >>> finder.results = {"lr": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "loss": [3.0, 2.0, 1.5, 1.2, 1.1, 4.0]}
        >>> finder.suggestion(skip_begin=0), finder.suggestion(skip_begin=0, method="valley")
        (0.1, 0.1)
        """
        if method not in ("steepest", "valley"):
            raise ValueError(f"`method` should be 'steepest' or 'valley', got {method!r}")
        losses = self.results["loss"]
        places = [at for at in range(len(losses))[skip_begin : -skip_end or None] if math.isfinite(losses[at])]
        if len(places) < 2:
            log.error(
                "Failed to compute suggestion for learning rate because there are not enough points. Increase the loop"
                " iteration limits or the size of your dataset/dataloader."
            )
            self._optimal_idx = None
            return None
        rates = [self.results["lr"][at] for at in places]
        chosen = [losses[at] for at in places]
        best = _steepest(rates, chosen) if method == "steepest" else _valley(chosen)
        self._optimal_idx = places[best]
        return self.results["lr"][self._optimal_idx]

    def plot(self, suggest: bool = False, show: bool = False, ax: Axes | None = None) -> Figure | SubFigure:
        """Return a figure of the loss over the learning rate, on ``ax`` if given; ``suggest`` marks the suggestion.

        MisconfigurationException without the package matplotlib, which is imported here.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise MisconfigurationException(
                "To use the `plot` method, you must have Matplotlib installed. Install it by running `pip install -U"
                " matplotlib`."
            ) from error
        if ax is None:
            figure: Figure | SubFigure
            figure, ax = plt.subplots()
        else:
            figure = ax.figure
        rates, losses = self.results["lr"], self.results["loss"]
        ax.plot(rates, losses)
        if self.mode == "exponential":
            ax.set_xscale("log")
        ax.set_xlabel("Learning rate")
        ax.set_ylabel("Loss")
        if suggest and self.suggestion() is not None:
            at = self._optimal_idx
            assert at is not None
            ax.plot(rates[at], losses[at], markersize=10, marker="o", color="red")
        if show:
            plt.show()
        return figure


def _steepest(rates: list[float], losses: list[float]) -> int:
    """Return the place where the loss falls most, in single precision as Lightning does."""
    slope = facula.gradient(facula.tensor(losses), spacing=[facula.tensor(rates)])[0]
    return int(facula.argmin(slope).item())


def _valley(losses: list[float]) -> int:
    """Return the place in the middle of the longest descent: of so many losses, not all adjacent, each below the one before."""
    lengths: list[int] = []
    for at, loss in enumerate(losses):
        lengths.append(1 + max((lengths[before] for before in range(at) if loss < losses[before]), default=0))
    longest = max(lengths)
    if longest == 1:
        return 0
    # As fastai rounds: the descent begins one place before its first loss, and has three parts.
    start = lengths.index(longest) - longest
    third = longest / 3
    return max(start + int(third) + int(third / 2), 0)


class _Recorder(Callback):
    """Sets the learning rate before each batch, and notes the loss after it; ends the trial when enough is known."""

    def __init__(self, finder: LRFinder, outer: Trainer, threshold: float | None) -> None:
        self._finder = finder
        self._outer = outer
        self._threshold = threshold
        self._average = self._best = 0.0
        bar = outer.progress_bar_callback
        self._bar = PlainProgressBar() if bar is not None and bar.is_enabled else None
        if self._bar is not None:
            self._bar.begin("train", "Finding best initial lr", finder.num_training)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Set the rate of all groups."""
        rate = self._finder.rate(len(self._finder.results["lr"]))
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Note the loss, unless the batch made no step."""
        # The loop ends the run where the process was asked to end.
        trainer.received_sigterm = self._outer.received_sigterm
        self._finder._total_batch_idx += 1
        if trainer.fit_loop._accumulating():
            return
        results = self._finder.results
        results["lr"].append(self._finder.rate(len(results["lr"])))
        count = len(results["lr"])
        if self._bar is not None:
            self._bar.advance("train", count)
        loss = self._loss(trainer, outputs)
        if loss is None:
            results["loss"].append(math.nan)
        else:
            self._average = _MEMORY * self._average + (1 - _MEMORY) * loss
            # Lightning's correction for the average's beginning at 0, which takes it to have begun a step earlier.
            smoothed = self._average / (1 - _MEMORY ** (count + 1))
            results["loss"].append(smoothed)
            if self._threshold is not None and count > 1 and smoothed > self._threshold * self._best:
                raise Enough
            if count == 1 or smoothed < self._best:
                self._best = smoothed
        if count >= self._finder.num_training:
            raise Enough

    def _loss(self, trainer: Trainer, outputs: Any) -> float | None:
        if isinstance(outputs, dict) and outputs:
            named = trainer._optimization.named
            name = "loss" if named is None else next(iter(named.named))
            if name not in outputs:
                raise MisconfigurationException(
                    f"The learning rate finder needs the loss, {name!r}, in what `training_step` returns, got {sorted(outputs)}"
                )
            outputs = outputs[name]
        if outputs is None or (isinstance(outputs, dict) and not outputs):
            return None
        strategy = trainer.strategy
        loss: Tensor = outputs.detach()
        if strategy.is_distributed:
            # The loss of the whole batch, of which each process has a part.
            loss = strategy.reduce(loss * trainer._optimization.weight)
        return float(loss.item())

    def finish(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.finish("train")


class _NoScheduler:
    """What stands for a scheduler while the search sets the rates: it never changes them."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, *args: object, **kwargs: object) -> None:
        """Do nothing."""

    def get_last_lr(self) -> list[float]:
        """Return the rates as they are."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


def find_lr(
    trainer: Trainer,
    model: LightningModule,
    min_lr: float = 1e-8,
    max_lr: float = 1,
    num_training: int = 100,
    mode: str = "exponential",
    early_stop_threshold: float | None = 4.0,
    update_attr: bool = False,
    attr_name: str = "",
) -> LRFinder | None:
    """Return what a search from where a trainer is finds; None in a ``fast_dev_run``. Everything stays as it was.

    AttributeError when the attribute to be updated is not there, MisconfigurationException for several optimizers.
    """
    if trainer.fast_dev_run:
        rank_zero_warn("Skipping learning rate finder since `fast_dev_run` is enabled.")
        return None
    if update_attr:
        rate_attribute(model, trainer.datamodule, attr_name)
    if len(trainer.optimizers) != 1:
        raise MisconfigurationException(
            f"`model.configure_optimizers()` returned {len(trainer.optimizers)}, but learning rate finder only works with"
            " single optimizer"
        )
    finder = LRFinder(mode, min_lr, max_lr, num_training)
    with Trials(trainer) as trials:
        recorder = _Recorder(finder, trainer, early_stop_threshold)
        trial = trials.begin([recorder])
        trial.max_steps = trainer.global_step + num_training
        trial.max_epochs = trainer.current_epoch + num_training
        trial.min_epochs = trial.min_steps = None
        trial.limit_val_batches = at_most(trainer.limit_val_batches, num_training)
        idle = _NoScheduler(trial.optimizers[0])
        trial._optimization.schedulers = [
            LRSchedulerConfig(idle, frequency=2**62) for _ in trainer.lr_scheduler_configs
        ]
        try:
            trial.fit_loop.run()
        except Enough:
            pass
        finally:
            recorder.finish()
            if trial.fit_loop.fetcher is not None:
                trial.fit_loop.fetcher.close()
    found = len(finder.results["lr"])
    if found < num_training:
        rank_zero_info(f"LR finder stopped early after {found} steps due to diverging loss.")
    return finder


def use_lr(trainer: Trainer, model: LightningModule, name: str, rate: float) -> None:
    """Give the model's attribute the rate, and let the run go on with it.

    Where no step was made yet, optimizers and schedulers are configured anew, as they would have been with that rate.
    """
    name = rate_attribute(model, trainer.datamodule, name)
    same = get_attribute(model, trainer.datamodule, name) == rate
    set_attribute(model, trainer.datamodule, name, rate)
    rank_zero_info(f"Learning rate set to {rate}")
    if is_fresh(trainer):
        before = _rates(trainer)
        configure_again(trainer)
        if same or _rates(trainer) != before:
            return
    # In the midst of a run, or where `configure_optimizers` does not look at the attribute.
    for optimizer in trainer.optimizers:
        factors = []
        for group in optimizer.param_groups:
            factors.append(rate / group["lr"] if group["lr"] else 1.0)
            group["lr"] = rate
            if "initial_lr" in group:
                group["initial_lr"] *= factors[-1]
        for config in trainer.lr_scheduler_configs:
            scheduler = config.scheduler
            if scheduler.optimizer is optimizer and hasattr(scheduler, "base_lrs"):
                scheduler.base_lrs = [base * factor for base, factor in zip(scheduler.base_lrs, factors)]


def _rates(trainer: Trainer) -> list[float]:
    return [group.get("initial_lr", group["lr"]) for each in trainer.optimizers for group in each.param_groups]
