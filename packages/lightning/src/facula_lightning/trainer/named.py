"""Several optimizers, each with its own loss by name, without manual optimization."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

import facula
from facula import Tensor
from facula.optim import Optimizer

from facula_lightning.trainer.call import call_both, call_module
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.trainer.optimization import Optimization

_SETTINGS: dict[str, type] = {"frequency": int, "accumulate_grad_batches": int, "gradient_clip_val": float}
_SETTINGS |= {"gradient_clip_algorithm": str, "toggle": bool}


@dataclass
class NamedOptimizer:
    """An optimizer, the name of its loss, and when and how it steps.

    It has a turn with every ``frequency``-th batch, steps after ``accumulate_grad_batches`` turns, and clips its own
    gradients. With ``toggle`` its loss gives gradients to its own parameters only.
    """

    name: str
    optimizer: Optimizer
    frequency: int = 1
    accumulate_grad_batches: int | None = None
    gradient_clip_val: float | None = None
    gradient_clip_algorithm: str | None = None
    toggle: bool = True
    #: Turns since the last step, and all steps.
    turns: int = 0
    steps: int = 0
    stepped: bool = field(default=False, compare=False)


def is_named(returned: object) -> TypeGuard[dict[str, Any]]:
    """Return whether ``configure_optimizers`` gave a dictionary of optimizers by name."""
    return (
        isinstance(returned, dict)
        and bool(returned)
        and "optimizer" not in returned
        and all(
            isinstance(each, Optimizer) or (isinstance(each, dict) and "optimizer" in each)
            for each in returned.values()
        )
    )


def read_named(returned: dict[str, Any]) -> tuple[dict[str, NamedOptimizer], list[dict[str, Any]]]:
    """Return the optimizers by name, and for each the dictionary of optimizer and scheduler that one alone would have."""
    named: dict[str, NamedOptimizer] = {}
    alone: list[dict[str, Any]] = []
    for name, given in returned.items():
        settings: dict[str, Any] = dict(given) if isinstance(given, dict) else {"optimizer": given}
        alone.append({key: settings.pop(key) for key in ("lr_scheduler", "monitor") if key in settings})
        alone[-1]["optimizer"] = settings.pop("optimizer")
        for key, value in settings.items():
            kind = _SETTINGS.get(key)
            if kind is None:
                raise MisconfigurationException(
                    f"The optimizer {name!r} has the unknown setting {key!r}; there are {', '.join(_SETTINGS)}"
                )
            allowed: Any = (int, float) if kind is float else kind
            if value is not None and (not isinstance(value, allowed) or (kind is int and value < 1)):
                raise MisconfigurationException(
                    f"The optimizer {name!r} should have a {'positive ' if kind is int else ''}{kind.__name__} for"
                    f" {key!r}, got {value!r}"
                )
        named[name] = NamedOptimizer(name, alone[-1]["optimizer"], **settings)
    return named, alone


class NamedOptimization:
    """One batch's work for several optimizers: all backward passes, then all steps."""

    def __init__(self, optimization: Optimization, named: dict[str, NamedOptimizer]) -> None:
        self.optimization = optimization
        self.named = named
        #: Where each optimizer was before the batch under way.
        self.before: dict[str, dict[str, Any]] = self.state_dict()

    @property
    def waiting(self) -> bool:
        """Whether no optimizer stepped with the last batch."""
        return not any(each.stepped for each in self.named.values())

    @property
    def has_open_window(self) -> bool:
        """Whether an optimizer has gradients that more will be added to."""
        return any(each.turns for each in self.named.values())

    def by_optimizer(self, optimizer: Optimizer) -> NamedOptimizer:
        """Return the entry of an optimizer."""
        return next(each for each in self.named.values() if each.optimizer is optimizer)

    def train_batch(self, arguments: tuple[Any, ...], batch_idx: int) -> object:
        """Run the training step of a batch, the backward passes of its losses and the steps that are due."""
        trainer = self.optimization.trainer
        self.before = self.state_dict()
        for each in self.named.values():
            each.stepped = False
        result = self.optimization.training_step(arguments)
        losses = self._losses(result)
        turns = [each for name, each in self.named.items() if name in losses and (batch_idx + 1) % each.frequency == 0]
        for each in turns:
            if each.turns == 0:
                call_both(trainer, "on_before_zero_grad", each.optimizer)
                call_module(trainer, "optimizer_zero_grad", trainer.current_epoch, batch_idx, each.optimizer)
        for each in turns:
            self._backward(each, losses[each.name], each is turns[-1])
        last = trainer.fit_loop._batches.is_last
        due = [each for each in self.named.values() if each.turns and (last or each.turns >= self._window(each))]
        self._step(due, batch_idx, losses)
        if not isinstance(result, dict):
            return None
        return {key: value.detach() if isinstance(value, Tensor) else value for key, value in result.items()}

    def _losses(self, result: object) -> dict[str, Tensor]:
        if result is None:
            return {}
        if not isinstance(result, dict) or not set(result) & set(self.named):
            got = sorted(map(str, result)) if isinstance(result, dict) else type(result).__name__
            raise MisconfigurationException(
                "With optimizers by name, `training_step` must return a dictionary with their losses, or None:"
                f" expected some of {list(self.named)}, got {got}"
            )
        losses = {name: result[name] for name in self.named if result.get(name) is not None}
        for name, loss in losses.items():
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise MisconfigurationException(f"the loss {name!r} must be a single number, got {loss!r}")
        return losses

    def _window(self, each: NamedOptimizer) -> int:
        return each.accumulate_grad_batches or self.optimization.trainer.accumulate_grad_batches

    def _backward(self, each: NamedOptimizer, loss: Tensor, last: bool) -> None:
        window = self._window(each)
        if window > 1:
            loss = loss / window
        # Losses may share a part of their graph: only the last pass may free it.
        settings: dict[str, Any] = {} if last else {"retain_graph": True}
        if each.toggle:
            parameters = [p for group in each.optimizer.param_groups for p in group["params"] if p.requires_grad]
            settings["inputs"] = parameters
        # Processes average gradients before a step: each pass reaches some of the parameters only.
        with self.optimization.trainer.strategy.block_backward_sync():
            self.optimization.backward(loss, **settings)
        each.turns += 1

    def _average(self, optimizer: Optimizer) -> None:
        strategy = self.optimization.trainer.strategy
        with facula.no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    # Every process takes part, with zeros where its loss did not reach the parameter.
                    own = facula.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    parameter.grad = strategy.reduce(own)

    def _step(self, due: list[NamedOptimizer], batch_idx: int, losses: dict[str, Tensor]) -> None:
        trainer = self.optimization.trainer
        for each in due:
            loss = losses.get(each.name)

            def closure(loss: Tensor | None = loss) -> Tensor | None:
                # The gradients are there: of this batch, or of those before it in the window.
                return facula.zeros(()) if loss is None else loss

            # All steps of a batch are on gradients of one scale.
            trainer.precision_plugin.more_steps = each is not due[-1]
            wrapped = self.optimization.wrapped[self.optimization.optimizers.index(each.optimizer)]
            if trainer.strategy.is_distributed:
                self._average(each.optimizer)
            call_module(trainer, "optimizer_step", trainer.current_epoch, batch_idx, wrapped, closure)
            each.turns = 0
            each.steps += 1
            each.stepped = True
        trainer.precision_plugin.more_steps = False

    def clipping(self, optimizer: Optimizer) -> tuple[float | None, str | None]:
        """Return the value and algorithm that an optimizer's gradients are clipped with."""
        trainer = self.optimization.trainer
        own = self.by_optimizer(optimizer)
        value = trainer.gradient_clip_val if own.gradient_clip_val is None else own.gradient_clip_val
        return value, own.gradient_clip_algorithm or trainer.gradient_clip_algorithm

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return where each optimizer is in its window."""
        return {
            name: {"turns": each.turns, "steps": each.steps, "stepped": each.stepped}
            for name, each in self.named.items()
        }

    def load_state_dict(self, state: dict[str, dict[str, Any]]) -> None:
        """Take back what `state_dict` returned. MisconfigurationException for other names."""
        if set(state) != set(self.named):
            raise MisconfigurationException(
                f"The checkpoint has the optimizers {sorted(state)}, but `configure_optimizers` gave {sorted(self.named)}"
            )
        for name, counts in state.items():
            for key, value in counts.items():
                setattr(self.named[name], key, value)
