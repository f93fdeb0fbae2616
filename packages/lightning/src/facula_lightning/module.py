"""LightningModule: a model together with how it is trained and evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import facula
from facula import Tensor
from facula.optim import Optimizer

from facula_lightning.checkpointing.restore import construct_from_checkpoint
from facula_lightning.hooks import CheckpointHooks, DataHooks, ModelHooks
from facula_lightning.hparams import HyperparametersMixin
from facula_lightning.optimizer import LightningOptimizer
from facula_lightning.utilities.data import apply_to_collection, number_of_samples, number_of_tokens
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.callbacks.callback import Callback
    from facula_lightning.checkpointing.io import MapLocation
    from facula_lightning.fabric import Fabric
    from facula_lightning.loggers.logger import Logger
    from facula_lightning.trainer import Trainer


class LightningModule(DataHooks, HyperparametersMixin, ModelHooks, CheckpointHooks, facula.nn.Module):
    """A model with its training step, its optimizers and its evaluation steps.

    >>> import facula
    >>> class Regression(LightningModule):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = facula.nn.Linear(2, 1)
    ...     def training_step(self, batch, batch_idx):
    ...         x, y = batch
    ...         return facula.nn.functional.mse_loss(self.layer(x), y)
    ...     def configure_optimizers(self):
    ...         return facula.optim.SGD(self.parameters(), lr=0.1)
    """

    CHECKPOINT_HYPER_PARAMS_KEY = "hyper_parameters"
    CHECKPOINT_HYPER_PARAMS_NAME = "hparams_name"
    CHECKPOINT_HYPER_PARAMS_TYPE = "hparams_type"

    def __init__(self) -> None:
        super().__init__()
        self._trainer: Trainer | None = None
        self._fabric: Fabric | None = None
        self._fabric_optimizers: list[Any] = []
        self.example_input_array: Any = None
        self._automatic_optimization = True
        self._strict_loading: bool | None = None
        self._toggled: dict[int, dict[Tensor, bool]] = {}

    # Where the module is

    @property
    def trainer(self) -> Trainer:
        """The trainer that runs the module; raises RuntimeError when there is none.

        Where a `Fabric` does, what has its attributes: AttributeError for those that only a trainer has.
        """
        if self._trainer is None:
            if self._fabric is not None:
                from facula_lightning.fabric.wrappers import FabricInPlaceOfTrainer

                return FabricInPlaceOfTrainer(self._fabric)  # type: ignore[return-value]
            raise RuntimeError(f"{self.__class__.__qualname__} is not attached to a `Trainer`.")
        return self._trainer

    @trainer.setter
    def trainer(self, trainer: Trainer | None) -> None:
        for module in self.modules():
            if isinstance(module, LightningModule):
                module.__dict__["_trainer"] = trainer

    @property
    def fabric(self) -> Fabric | None:
        """The `Fabric` that the module was set up with."""
        return self._fabric

    @fabric.setter
    def fabric(self, fabric: Fabric | None) -> None:
        for module in self.modules():
            if isinstance(module, LightningModule):
                module.__dict__["_fabric"] = fabric

    @property
    def _own_fabric(self) -> Fabric | None:
        """The Fabric, where no trainer runs the module."""
        return self._fabric if self._trainer is None else None

    @property
    def _runner(self) -> Trainer | Fabric | None:
        return self._trainer if self._trainer is not None else self._fabric

    @property
    def automatic_optimization(self) -> bool:
        """Whether the trainer calls backward and the optimizer; set it to False in ``__init__`` to do so yourself."""
        return self._automatic_optimization

    @automatic_optimization.setter
    def automatic_optimization(self, automatic_optimization: bool) -> None:
        self._automatic_optimization = automatic_optimization

    @property
    def strict_loading(self) -> bool:
        """Whether a checkpoint must have exactly the module's keys."""
        return True if self._strict_loading is None else self._strict_loading

    @strict_loading.setter
    def strict_loading(self, strict_loading: bool) -> None:
        self._strict_loading = strict_loading

    @property
    def current_epoch(self) -> int:
        """Number of the training epoch, from 0; 0 without a trainer."""
        return 0 if self._trainer is None else self._trainer.current_epoch

    @property
    def global_step(self) -> int:
        """Number of steps that optimizers made; 0 without a trainer."""
        return 0 if self._trainer is None else self._trainer.global_step

    @property
    def global_rank(self) -> int:
        """Number of this process among all."""
        return 0 if self._runner is None else self._runner.global_rank

    @property
    def local_rank(self) -> int:
        """Number of this process on its machine."""
        return 0 if self._runner is None else self._runner.local_rank

    @property
    def device(self) -> facula.device:
        """The device of the first parameter or buffer; the CPU without any."""
        for tensor in (*self.parameters(), *self.buffers()):
            return tensor.device
        return facula.device("cpu")

    @property
    def dtype(self) -> facula.dtype:
        """The type of the first floating-point parameter or buffer; the default type without any."""
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.is_floating_point():
                return tensor.dtype
        return facula.get_default_dtype()

    @property
    def logger(self) -> Logger | None:
        """The first logger of what runs the module."""
        found = self.loggers
        return found[0] if found else None

    @property
    def loggers(self) -> list[Logger]:
        """The loggers of what runs the module."""
        return [] if self._runner is None else self._runner.loggers

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print, in the first process only, without tearing the progress bar."""
        if self._runner is None:
            print(*args, **kwargs)
        else:
            self._runner.print(*args, **kwargs)

    def all_gather(self, data: Any, group: object = None, sync_grads: bool = False) -> Any:
        """Return the tensors in ``data`` of all processes, stacked; numbers become tensors.

        With one process they are returned as they are. With ``sync_grads`` gradients go back to each process.
        """
        strategy = self.trainer.strategy

        def gather(value: Any) -> Tensor:
            tensor = value if isinstance(value, Tensor) else facula.tensor(value, device=self.device)
            return strategy.all_gather(tensor, group, sync_grads)

        return apply_to_collection(data, (Tensor, int, float), gather)

    # Steps

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the model's answer."""
        return super().forward(*args, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor | Mapping[str, object] | None:
        """Return the loss of a batch, or a dictionary with the key "loss", or None to skip the batch."""
        raise MisconfigurationException("`training_step` must be implemented to be used with the Lightning Trainer")

    def validation_step(self, *args: Any, **kwargs: Any) -> Tensor | Mapping[str, object] | None:
        """Evaluate a batch for validation."""
        raise MisconfigurationException("`validation_step` must be implemented to be used with the Lightning Trainer")

    def test_step(self, *args: Any, **kwargs: Any) -> Tensor | Mapping[str, object] | None:
        """Evaluate a batch for the test."""
        raise MisconfigurationException("`test_step` must be implemented to be used with the Lightning Trainer")

    def predict_step(self, *args: Any, **kwargs: Any) -> object:
        """Return the prediction for a batch; unless overridden, `forward` of the batch."""
        return self(args[0] if args else kwargs["batch"])

    def configure_callbacks(self) -> Sequence[Callback] | Callback:
        """Return callbacks that belong to the model; they take the place of the trainer's of the same type."""
        return []

    def configure_optimizers(self) -> object:
        """Return an optimizer, a list of them, a pair of lists (optimizers, schedulers), or dictionaries of both."""
        raise MisconfigurationException(
            "`configure_optimizers` must be implemented to be used with the Lightning Trainer"
        )

    # Logging

    def log(
        self,
        name: str,
        value: object,
        prog_bar: bool = False,
        logger: bool | None = None,
        on_step: bool | None = None,
        on_epoch: bool | None = None,
        reduce_fx: str | Callable[[Tensor], Tensor] = "mean",
        enable_graph: bool = False,
        sync_dist: bool = False,
        sync_dist_group: object = None,
        add_dataloader_idx: bool = True,
        batch_size: int | None = None,
        metric_attribute: str | None = None,
        rank_zero_only: bool = False,
        x: str | None = None,
    ) -> None:
        """Record a number under ``name``, for the loggers, the progress bar and the callbacks.

        ``on_step`` records it batch by batch, ``on_epoch`` its reduction over the epoch by ``reduce_fx`` ("mean",
        weighted by the batch size, "sum", "min" or "max"); left out, the hook decides: by step in ``training_step``, by
        epoch in evaluation. With both, the names are ``name_step`` and ``name_epoch``. Of several processes, numbers by epoch
        are those of all of them together; ``sync_dist`` makes numbers by step so in training. With ``rank_zero_only`` only
        the first process records.

        A metric, an object with ``update`` and ``compute``, is logged itself: by epoch its ``compute()``, after which it is
        reset. It has to be an attribute of the module, named by ``metric_attribute`` where it is no submodule.

        The loggers are to draw the number over ``x``: "step", which is usual, "epoch", or the number of "samples" or "tokens"
        that were trained on so far. In a Fabric program, which counts itself, ``x`` has no effect.
        """
        fabric = self._own_fabric
        if fabric is not None:
            if logger is not False and not (rank_zero_only and fabric.global_rank):
                fabric.log(name, value)
            return
        if self._trainer is None:
            rank_zero_warn(
                "You are trying to `self.log()` but the `self.trainer` reference is not registered on the model yet."
                " This is most likely because the model hasn't been passed to the `Trainer`"
            )
            return
        if rank_zero_only and not self._trainer.is_global_zero:
            return
        if self._trainer.barebones:
            rank_zero_warn(
                "You are trying to `self.log()` but `Trainer(barebones=True)` is configured."
                " Logging can impact raw speed so it is disabled under this setting."
            )
            return
        self._trainer._logging.log(
            name, value, prog_bar, True if logger is None else logger, on_step, on_epoch, reduce_fx, enable_graph,
            add_dataloader_idx, batch_size, sync_dist, sync_dist_group, metric_attribute, x,
        )  # fmt: skip

    def log_dict(
        self,
        dictionary: Mapping[str, object],
        prog_bar: bool = False,
        logger: bool | None = None,
        on_step: bool | None = None,
        on_epoch: bool | None = None,
        reduce_fx: str | Callable[[Tensor], Tensor] = "mean",
        enable_graph: bool = False,
        sync_dist: bool = False,
        sync_dist_group: object = None,
        add_dataloader_idx: bool = True,
        batch_size: int | None = None,
        rank_zero_only: bool = False,
        x: str | None = None,
    ) -> None:
        """Record several numbers at once: see `log`."""
        for name, value in dictionary.items():
            self.log(
                name, value, prog_bar=prog_bar, logger=logger, on_step=on_step, on_epoch=on_epoch, reduce_fx=reduce_fx,
                enable_graph=enable_graph, sync_dist=sync_dist, sync_dist_group=sync_dist_group,
                add_dataloader_idx=add_dataloader_idx, batch_size=batch_size, rank_zero_only=rank_zero_only, x=x,
            )  # fmt: skip

    def samples_of(self, batch: Any) -> int | None:
        """Return how many samples a batch has, for the axis "samples" of `log`; None where it cannot be seen.

        Unless overridden, the length of the first tensor (or text) in it.
        """
        return number_of_samples(batch)

    def tokens_of(self, batch: Any) -> int | None:
        """Return how many tokens a batch has, for the axis "tokens" of `log`; None where it has none.

        Unless overridden, the elements of ``input_ids``, else of the first tensor in it where that has whole numbers in two
        dimensions: padding counts.
        """
        return number_of_tokens(batch)

    # Optimization

    def optimizers(self, use_pl_optimizer: bool = True) -> Any:
        """Return the optimizer, or the list of them when there are several; for manual optimization."""
        if self._own_fabric is not None:
            found = self._fabric_optimizers
        else:
            found = self.trainer._optimization.wrapped if use_pl_optimizer else self.trainer.optimizers
        return found[0] if len(found) == 1 else list(found)

    def lr_schedulers(self) -> Any:
        """Return the learning rate scheduler, or the list of them when there are several, or None."""
        found = [config.scheduler for config in self.trainer.lr_scheduler_configs]
        if not found:
            return None
        return found[0] if len(found) == 1 else found

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Compute the gradients; override to do it in another way."""
        loss.backward(*args, **kwargs)

    def manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Compute the gradients, with the trainer's hooks; call it instead of ``loss.backward()``."""
        fabric = self._own_fabric
        if fabric is not None:
            fabric.backward(loss, *args, **kwargs)
            return
        if self.automatic_optimization:
            raise MisconfigurationException("`manual_backward` needs `self.automatic_optimization = False`.")
        self.trainer._optimization.backward(loss, *args, **kwargs)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Step the optimizer; the closure runs the training step, clears gradients and computes them."""
        optimizer.step(closure=optimizer_closure)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        """Clear the gradients."""
        optimizer.zero_grad()

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step a learning rate scheduler, with the monitored metric when it wants one."""
        if metric is None:
            scheduler.step()
        else:
            scheduler.step(metric)

    def clip_gradients(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients of an optimizer's parameters to ``gradient_clip_val``, by "norm" or by "value"."""
        fabric = self._own_fabric
        if fabric is not None:
            value, norm = (gradient_clip_val, None) if gradient_clip_algorithm == "value" else (None, gradient_clip_val)
            fabric.clip_gradients(self, optimizer, clip_val=value, max_norm=norm)
            return
        self.trainer._optimization.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients as the trainer was told; override to clip in another way."""
        self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def toggle_optimizer(self, optimizer: Optimizer | LightningOptimizer) -> None:
        """Let only the parameters of one optimizer require gradients, until `untoggle_optimizer`."""
        state: dict[Tensor, bool] = {}
        for each in self.trainer.optimizers if self._own_fabric is None else self._fabric_optimizers:
            for group in each.param_groups:
                for parameter in group["params"]:
                    state.setdefault(parameter, parameter.requires_grad)
        chosen = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for parameter, required in state.items():
            parameter.requires_grad = required and id(parameter) in chosen
        self._toggled[_optimizer_key(optimizer)] = state

    def untoggle_optimizer(self, optimizer: Optimizer | LightningOptimizer) -> None:
        """Undo `toggle_optimizer`."""
        for parameter, required in self._toggled.pop(_optimizer_key(optimizer), {}).items():
            parameter.requires_grad = required

    @contextmanager
    def toggled_optimizer(self, optimizer: Optimizer | LightningOptimizer) -> Iterator[None]:
        """Let only the parameters of one optimizer require gradients inside the context."""
        self.toggle_optimizer(optimizer)
        try:
            yield
        finally:
            self.untoggle_optimizer(optimizer)

    # Weights

    def freeze(self) -> None:
        """Let no parameter require gradients, and go to evaluation mode."""
        for parameter in self.parameters():
            parameter.requires_grad = False
        self.eval()

    def unfreeze(self) -> None:
        """Let all parameters require gradients, and go to training mode."""
        for parameter in self.parameters():
            parameter.requires_grad = True
        self.train()

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: str | os.PathLike[str],
        map_location: MapLocation = None,
        hparams_file: str | os.PathLike[str] | None = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Return the module in a checkpoint, made with its hyper-parameters; ``kwargs`` take their place.

        ``hparams_file`` is a YAML or CSV file that takes the place of those in the checkpoint. Nothing in the file is executed, whatever ``weights_only`` says.
        """
        module, checkpoint = construct_from_checkpoint(cls, checkpoint_path, map_location, kwargs, hparams_file)
        module.configure_model()
        module.on_load_checkpoint(checkpoint)
        module.load_state_dict(checkpoint["state_dict"], strict=module.strict_loading if strict is None else strict)
        return module


def _optimizer_key(optimizer: Optimizer | LightningOptimizer) -> int:
    return id(optimizer.optimizer if isinstance(optimizer, LightningOptimizer) else optimizer)
