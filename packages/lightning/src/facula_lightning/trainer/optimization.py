"""One step of training: closure, backward, clipping, the optimizer's step, the schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facula import Tensor
from facula.optim import Optimizer

from facula_lightning.optimizer import LightningOptimizer, LRSchedulerConfig, read_configuration
from facula_lightning.trainer.call import call_both, call_module
from facula_lightning.trainer.named import NamedOptimization, is_named, read_named
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class Optimization:
    """The optimizers and schedulers of a run, and how they are called."""

    def __init__(self, trainer: Trainer, steps: int = 0) -> None:
        self.trainer = trainer
        self.optimizers: list[Optimizer] = []
        self.wrapped: list[LightningOptimizer] = []
        self.schedulers: list[LRSchedulerConfig] = []
        #: Of all fits of the trainer.
        self.steps = steps
        #: By how much the loss of a batch counts: not 1 where processes have parts of different sizes of it.
        self.weight = 1.0
        #: Whether there are other processes.
        self.distributed = trainer.strategy.is_distributed
        self._accumulating = False
        #: Set where there are several optimizers, each with a loss of its own.
        self.named: NamedOptimization | None = None

    def configure(self) -> None:
        """Ask the module for its optimizers and schedulers."""
        returned = call_module(self.trainer, "configure_optimizers")
        if is_named(returned) and self.trainer._module.automatic_optimization:
            named, returned = read_named(returned)
            self.named = NamedOptimization(self, named)
        elif is_named(returned):
            returned = list(returned.values())
        self.optimizers, self.schedulers = read_configuration(
            self.trainer._module, returned, several=self.named is not None
        )
        self.wrapped = [LightningOptimizer(each, self) for each in self.optimizers]

    def train_batch(self, arguments: tuple[Any, ...], batch_idx: int, accumulating: bool) -> object:
        """Run the training step of a batch and what follows from it; return what the step gave."""
        trainer = self.trainer
        self._accumulating = accumulating
        if self.distributed:
            trainer.strategy.begin_batch(trainer._module)
        if self.named is not None:
            return self.named.train_batch(arguments, batch_idx)
        if not trainer._module.automatic_optimization:
            return self.training_step(arguments)
        outputs: object = None
        epoch = trainer.current_epoch

        def closure() -> Tensor | None:
            nonlocal outputs
            loss, outputs = _split_result(self.training_step(arguments))
            # Within a window gradients add up; they are cleared where a window begins.
            window = trainer.accumulate_grad_batches
            if self.optimizers and batch_idx % window == 0:
                call_both(trainer, "on_before_zero_grad", self.optimizers[0])
                call_module(trainer, "optimizer_zero_grad", epoch, batch_idx, self.optimizers[0])
            if loss is None:
                return None
            if window > 1:
                loss = loss / window
            self.backward(loss)
            return loss

        if accumulating:
            closure()
            return outputs
        steps = self.steps
        if self.optimizers:
            call_module(trainer, "optimizer_step", epoch, batch_idx, self.wrapped[0], closure)
        else:
            closure()
        # What counts is that it was time for a step, also where the module made none.
        self.steps = steps + 1
        return outputs

    def training_step(self, arguments: tuple[Any, ...]) -> Any:
        """Return what the training step of the module gives."""
        if self.trainer.has_plain_precision:
            return call_module(self.trainer, "training_step", *arguments)
        with self.trainer.precision_plugin.train_step_context():
            return call_module(self.trainer, "training_step", *arguments)

    def backward(self, loss: Tensor, *args: object, **kwargs: Any) -> None:
        """Compute gradients, with the hooks before and after."""
        trainer = self.trainer
        if self.weight != 1.0:
            loss = loss * self.weight
        if not trainer.has_plain_precision:
            loss = trainer.precision_plugin.pre_backward(loss)
        call_both(trainer, "on_before_backward", loss)
        if self.distributed:
            trainer.strategy.pre_backward(loss, self._accumulating and self.named is None)
        call_module(trainer, "backward", loss, *args, **kwargs)
        call_both(trainer, "on_after_backward")

    def step(self, optimizer: Optimizer, closure: Callable[[], Any] | None, **kwargs: Any) -> object:
        """Step an optimizer, with the hook and the clipping between closure and step."""
        trainer = self.trainer
        automatic, plain = trainer._module.automatic_optimization, trainer.has_plain_precision

        def wrapped() -> Any:
            result = None if closure is None else closure()
            if not plain and (result is not None or not automatic):
                trainer.precision_plugin.after_gradients(optimizer)
            call_both(trainer, "on_before_optimizer_step", optimizer)
            if automatic:
                value, algorithm = trainer.gradient_clip_val, trainer.gradient_clip_algorithm
                if self.named is not None:
                    value, algorithm = self.named.clipping(optimizer)
                call_module(
                    trainer, "configure_gradient_clipping", optimizer,
                    gradient_clip_val=value, gradient_clip_algorithm=algorithm,
                )  # fmt: skip
            return result

        if plain:
            result = optimizer.step(wrapped, **kwargs)
        else:
            result = trainer.precision_plugin.optimizer_step(optimizer, wrapped, **kwargs)
        self.steps += 1
        return result

    def clip_gradients(self, optimizer: Optimizer, value: float | None, algorithm: str | None) -> None:
        """Clip the gradients of an optimizer's parameters."""
        trainer = self.trainer
        if value is None and trainer.gradient_clip_val is None and algorithm == trainer.gradient_clip_algorithm:
            return
        for given, own, name in (
            (value, trainer.gradient_clip_val, "gradient_clip_val"),
            (algorithm, trainer.gradient_clip_algorithm, "gradient_clip_algorithm"),
        ):
            if own is not None and given is not None and own != given and self.named is None:
                raise MisconfigurationException(
                    f"You have set `Trainer({name}={own!r})` and have passed `clip_gradients({name}={given!r})`."
                    " Please use only one of them."
                )
        value = trainer.gradient_clip_val if value is None else value
        algorithm = algorithm or trainer.gradient_clip_algorithm or "norm"
        if value is not None:
            trainer.precision_plugin.clip_gradients(optimizer, value, algorithm)

    def step_schedulers_by_step(self) -> None:
        """Step the schedulers that go by optimizer steps; their frequency is one of batches in the epoch."""
        self.step_schedulers("step", False, self.trainer.fit_loop.batch_progress.current.ready)

    def step_plateau_schedulers_by_step(self) -> None:
        """Step those of them that wait for a metric, after validation."""
        self.step_schedulers("step", True, self.trainer.fit_loop.batch_progress.current.ready)

    def step_schedulers(self, interval: str, plateau: bool, count: int) -> None:
        """Step the schedulers of an interval whose turn it is at ``count`` epochs or batches."""
        trainer = self.trainer
        module = trainer._module
        if not module.automatic_optimization:
            return
        for config in self.schedulers:
            if self.named is not None and interval == "step":
                own = self.named.by_optimizer(config.scheduler.optimizer)
                if not own.stepped:
                    continue
                count = own.steps
            if config.interval != interval or config.reduce_on_plateau is not plateau or count % config.frequency:
                continue
            metric = None
            if config.reduce_on_plateau:
                metric = None if config.monitor is None else trainer.callback_metrics.get(config.monitor)
                if metric is None:
                    message = (
                        f"ReduceLROnPlateau conditioned on metric {config.monitor}"
                        f" which is not available. Available metrics are: {list(trainer.callback_metrics)}."
                        " Condition can be set using `monitor` key in lr scheduler dict"
                    )
                    if config.strict:
                        raise MisconfigurationException(message)
                    rank_zero_warn(message, category=RuntimeWarning)
                    continue
            call_module(trainer, "lr_scheduler_step", config.scheduler, metric)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of optimizers and schedulers as a checkpoint keeps them."""
        own: dict[str, Any] = {}
        if self.named is not None:
            again = self.trainer.fit_loop.interrupted_batch
            own = {"named_optimizers": self.named.before if again else self.named.state_dict()}
        return {
            **own,
            "optimizer_states": [optimizer.state_dict() for optimizer in self.optimizers],
            "lr_schedulers": [config.scheduler.state_dict() for config in self.schedulers],
        }

    def load_state_dict(self, checkpoint: dict[str, Any]) -> None:
        """Take the states of optimizers and schedulers from a checkpoint."""
        owners: list[Any]
        for kind, owners in (
            ("optimizer_states", self.optimizers),
            ("lr_schedulers", [config.scheduler for config in self.schedulers]),
        ):
            states = checkpoint.get(kind)
            if states is None:
                raise KeyError(
                    "Trying to restore optimizer state but checkpoint contains only the model."
                    " This is probably due to `ModelCheckpoint.save_weights_only` being set to `True`."
                )
            if len(states) != len(owners):
                raise MisconfigurationException(
                    f"The checkpoint has {len(states)} {kind}, but `configure_optimizers` gave {len(owners)}"
                )
            for owner, state in zip(owners, states):
                owner.load_state_dict(state)
        if self.named is not None:
            self.named.load_state_dict(checkpoint.get("named_optimizers", {}))


def _split_result(result: object) -> tuple[Tensor | None, object]:
    """Return the loss in what ``training_step`` gave, and what hooks and callbacks see of it."""
    if result is None:
        return None, None
    if isinstance(result, Tensor):
        if result.numel() != 1:
            raise MisconfigurationException(
                f"the loss that `training_step` returns must be a single number, got shape {tuple(result.shape)}"
            )
        return result, {"loss": result.detach()}
    if isinstance(result, dict):
        if "loss" not in result:
            raise MisconfigurationException(
                "In automatic_optimization, when `training_step` returns a dict, the 'loss' key needs to be present"
            )
        loss = result["loss"]
        seen = {key: value.detach() if isinstance(value, Tensor) else value for key, value in result.items()}
        return loss, seen
    raise MisconfigurationException(
        "In automatic optimization, `training_step` must return a Tensor, a dict, or None (where the step will be skipped)."
        f" Got {type(result).__name__}"
    )
