"""What a checkpoint keeps of a training loop, and what was left to do where it was taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import facula

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.timer import Timer
from facula_lightning.checkpointing.plain import NotPlain, plain
from facula_lightning.loops.progress import VALIDATION_START
from facula_lightning.trainer.call import is_overridden, recorded
from facula_lightning.utilities.data import apply_to_collection
from facula_lightning.utilities.rank_zero import rank_zero_warn
from facula_lightning.utilities.seed import collect_rng_states

if TYPE_CHECKING:
    from facula_lightning.loops.fit import FitLoop
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer.trainer import Trainer


class Pending:
    """A hook under way: who has been called, who has not, and what they are called with.

    A callback that saves a checkpoint does so in the middle of a hook. What the callbacks after it and the module do in
    that hook is not in the checkpoint, so a resumed run does it first.
    """

    def __init__(self, trainer: Trainer, hook: str) -> None:
        self.trainer = trainer
        self.hook = hook
        self.called = 0
        self.arguments: tuple[Any, ...] = ()
        self.targets: list[Callback | None] = []

    def call(self, *arguments: object, targets: list[Callback | None] | None = None) -> None:
        """Call the hook of the callbacks and then of the module, or of ``targets``, in which None is the module."""
        self.targets = [*self.trainer.callbacks, None] if targets is None else targets
        self.arguments = arguments
        self._call()
        self.arguments = ()

    def _call(self) -> None:
        trainer, hook = self.trainer, self.hook
        logging, module, profiler = trainer._logging, trainer._module, trainer._profiler
        before, logging.current_hook = logging.current_hook, hook
        for number, target in enumerate(self.targets, 1):
            self.called = number
            method = getattr(module if target is None else target, hook)
            if profiler is not None:
                owner = (
                    f"[LightningModule]{type(module).__name__}" if target is None else f"[Callback]{target.state_key}"
                )
                method = recorded(profiler, f"{owner}.{hook}", method)
            if target is None:
                method(*self.arguments)
                self.after_module()
            else:
                method(trainer, module, *self.arguments)
        logging.current_hook = before

    def after_module(self) -> None:
        """Do what comes between the module's hook and that of the callbacks after it."""

    def state_dict(self) -> dict[str, Any] | None:
        """Return what was left to call; None when nothing was."""
        module = self.trainer.lightning_module
        left = [
            "" if each is None else each.state_key
            for each in self.targets[self.called :]
            if (is_overridden(self.hook, module) if each is None else _has_own(each, self.hook))
        ]
        if not left:
            return None
        try:
            arguments = plain(list(self.arguments))
        except NotPlain as error:
            rank_zero_warn(
                f"A checkpoint saved within `{self.hook}` cannot hold what the hook was called with ({error}): a run resumed"
                f" from it does not repeat the hook of {left}."
            )
            return None
        return {"hook": self.hook, "left": left, "arguments": arguments}

    def finish(self, state: dict[str, Any] | None) -> None:
        """Call what `state_dict` says was left."""
        if state is None:
            self.after_module()
            return
        by_key = {each.state_key: each for each in self.trainer.callbacks}
        self.targets = [by_key.get(key) for key in state["left"] if not key or key in by_key]
        self.arguments = tuple(state["arguments"])
        self.after_module()
        self._call()
        self.arguments = ()


def _has_own(callback: Callback, hook: str) -> bool:
    return getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)


def told_to_stop(trainer: Trainer) -> bool:
    """Return whether the run was told to stop for a reason that holds for a resumed run too: not that time was up."""
    if not trainer.should_stop:
        return False
    limits = [each.time_remaining() for each in trainer.callbacks if isinstance(each, Timer)]
    return not any(each is not None and each <= 0 for each in limits)


def open_gradients(loop: FitLoop) -> dict[str, facula.Tensor]:
    """Return the gradients that the next step adds to, by the names of their parameters.

    Those are the gradients of an unfinished window of accumulation; where the module itself decides when to clear them,
    all that there are.
    """
    trainer = loop.trainer
    module = trainer._module
    own = not module.automatic_optimization or is_overridden("optimizer_zero_grad", module)
    window = loop.fetcher is not None and loop.has_open_window and loop.batch_progress.current.ready > 0
    if not own and not window:
        return {}
    named = {name: parameter.grad for name, parameter in module.named_parameters()}
    return {name: gradient.detach() for name, gradient in named.items() if gradient is not None}


def restore_gradients(trainer: Trainer, gradients: dict[str, facula.Tensor]) -> None:
    """Give parameters the gradients that `open_gradients` returned."""
    parameters = dict(trainer._module.named_parameters())
    for name, gradient in gradients.items():
        parameter = parameters[name]
        parameter.grad = gradient.to(device=parameter.device, dtype=parameter.dtype)


def own_buffers(trainer: Trainer) -> dict[str, facula.Tensor]:
    """Return the buffers of a process that is not the first: the first's are those of the checkpoint's weights."""
    if trainer.global_rank == 0:
        return {}
    return {name: buffer.detach() for name, buffer in trainer._module.named_buffers()}


def restore_buffers(trainer: Trainer, buffers: dict[str, facula.Tensor]) -> None:
    """Give a process the buffers that `own_buffers` returned."""
    own = dict(trainer._module.named_buffers())
    with facula.no_grad():
        for name, buffer in buffers.items():
            if name in own:
                own[name].copy_(buffer)


def metric_states(module: LightningModule) -> dict[str, Any]:
    """Return what metrics among the submodules have taken in so far, by their names.

    A metric is a submodule with ``update``, ``compute`` and ``metric_state``, the values of its state by name.
    """
    found: dict[str, Any] = {}
    for name, each in module.named_modules():
        if callable(getattr(each, "update", None)) and callable(getattr(each, "compute", None)):
            state = getattr(each, "metric_state", None)
            if isinstance(state, Mapping):
                values = {key: list(value) if isinstance(value, list) else value for key, value in state.items()}
                updates = getattr(each, "_update_count", 0)
                found[name] = {"state": apply_to_collection(values, facula.Tensor, _copy), "updates": updates}
    return found


def restore_metrics(module: LightningModule, states: dict[str, Any]) -> None:
    """Give metrics what `metric_states` returned."""
    metrics = dict(module.named_modules())
    for name, saved in states.items():
        metric: Any = metrics.get(name)
        if metric is None:
            continue
        for key, value in saved["state"].items():
            setattr(metric, key, value)
        if hasattr(metric, "_update_count"):
            metric._update_count = saved["updates"]
            metric._computed = None


def _copy(tensor: facula.Tensor) -> facula.Tensor:
    return tensor.detach().clone()


def generators_state(loop: FitLoop) -> dict[str, Any]:
    """Return where the program's generators are, and those of the validation loaders."""
    return {
        "rng": collect_rng_states(),
        "validation_generators": loop.validation.generator_states(),
        "validation_batches": list(loop.validation.batches_seen),
    }


def rank_state(loop: FitLoop) -> dict[str, Any]:
    """Return what each process has of its own: its place in the data, generators, gradients and unreduced numbers."""
    if loop.before_batch is not None and loop.interrupted_batch:
        return loop.before_batch
    pending = loop.pending
    return {
        # A validation under way is run again from its beginning.
        **(loop.before_validation if loop.position == VALIDATION_START else generators_state(loop)),
        "fetcher": None if loop.fetcher is None or not loop.fetcher.begun else loop.fetcher.state_dict(),
        "results": loop.results.state_dict(),
        "validation_results": loop.validation.results.state_dict() if loop.trainer.validating else [],
        "gradients": open_gradients(loop),
        "module_metrics": metric_states(loop.trainer._module),
        "buffers": own_buffers(loop.trainer),
        "weight": loop.trainer._optimization.weight,
        "pending": None if pending is None else pending.state_dict(),
    }


def state_before_batch(loop: FitLoop, place: dict[str, Any]) -> dict[str, Any]:
    """Return the `rank_state` that a run begins a batch with, of which nothing changes any more."""
    return {
        **generators_state(loop),
        "fetcher": place,
        "results": loop.results.state_dict(),
        "validation_results": [],
        "module_metrics": metric_states(loop.trainer._module),
        "weight": loop.trainer._optimization.weight,
        "buffers": {name: buffer.clone() for name, buffer in own_buffers(loop.trainer).items()},
        "gradients": {name: gradient.clone() for name, gradient in open_gradients(loop).items()},
        "pending": None,
    }


def logger_states(loop: FitLoop) -> list[dict[str, Any]]:
    """Return where the loggers are, or were before a batch that is under way and will be done again."""
    if loop.interrupted_batch:
        return loop.loggers_before_batch
    return [{"class": type(each).__qualname__, "state": each.state_dict()} for each in loop.trainer.loggers]
