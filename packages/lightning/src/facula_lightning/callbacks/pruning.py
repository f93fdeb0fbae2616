"""ModelPruning: setting weights to zero while a model trains."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor, nn
from facula.nn.utils import prune

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer

log = logging.getLogger(__name__)

_METHODS: dict[str, tuple[Callable[..., Any], type[prune.BasePruningMethod]]] = {
    "ln_structured": (prune.ln_structured, prune.LnStructured),
    "l1_unstructured": (prune.l1_unstructured, prune.L1Unstructured),
    "random_structured": (prune.random_structured, prune.RandomStructured),
    "random_unstructured": (prune.random_unstructured, prune.RandomUnstructured),
}
Parameters = Sequence[tuple[nn.Module, str]]


class ModelPruning(Callback):
    """Prunes parameters after each epoch of training, or of validation, with `facula.nn.utils.prune`.

    ``pruning_fn`` is the name of a function there, or a `BasePruningMethod`; ``parameters_to_prune`` are pairs of a module and
    a parameter's name, all of those in ``parameter_names`` if none are given, and are pruned together unless
    ``use_global_unstructured`` is False. ``amount`` is a share or a number, or like ``apply_pruning`` and
    ``use_lottery_ticket_hypothesis`` a function of the epoch. With the last, what is left goes back to the values it began with
    (https://arxiv.org/abs/1803.03635), or to new ones (``resample_parameters``). ``pruning_dim`` and ``pruning_norm`` are for
    the structured methods. ``verbose`` 1 logs how much is pruned, 2 of each parameter.

    With ``make_pruning_permanent`` a checkpoint holds plain weights, and so does the module when training ends; a resumed
    run prunes on from the same masks. Otherwise a checkpoint holds weights and masks apart, for a model that was pruned alike.
    """

    PARAMETER_NAMES = ("weight", "bias")

    def __init__(
        self,
        pruning_fn: type[prune.BasePruningMethod] | str,
        parameters_to_prune: Parameters = (),
        parameter_names: list[str] | None = None,
        use_global_unstructured: bool = True,
        amount: int | float | Callable[[int], int | float] = 0.5,
        apply_pruning: bool | Callable[[int], bool] = True,
        make_pruning_permanent: bool = True,
        use_lottery_ticket_hypothesis: bool | Callable[[int], bool] = True,
        resample_parameters: bool = False,
        pruning_dim: int | None = None,
        pruning_norm: int | None = None,
        verbose: int = 0,
        prune_on_train_epoch_end: bool = True,
    ) -> None:
        self._parameter_names = tuple(parameter_names or self.PARAMETER_NAMES)
        for name in self._parameter_names:
            if name not in self.PARAMETER_NAMES:
                raise MisconfigurationException(
                    f"The provided `parameter_names` name: {name} isn't in {self.PARAMETER_NAMES}"
                )
        if not isinstance(amount, (int, float)) and not callable(amount):
            raise MisconfigurationException(
                "`amount` should be provided and be either an int, a float or Callable function."
            )
        if verbose not in (0, 1, 2):
            raise MisconfigurationException("`verbose` must be any of (0, 1, 2)")
        self._is_global = use_global_unstructured
        self._options: dict[str, Any] = {}
        self.pruning_fn = self._resolve(pruning_fn, pruning_dim, pruning_norm)
        self.amount = amount
        self._parameters_to_prune = parameters_to_prune
        self._apply_pruning = apply_pruning
        self._make_pruning_permanent = make_pruning_permanent
        self._lottery = use_lottery_ticket_hypothesis
        self._resample_parameters = resample_parameters
        self._verbose = verbose
        self._prune_on_train_epoch_end = prune_on_train_epoch_end
        #: The modules with the values they began with.
        self._first: dict[nn.Module, nn.Module] = {}
        self._loaded: dict[str, Any] | None = None

    def _resolve(self, given: object, dim: int | None, norm: int | None) -> Callable[..., Any]:
        if isinstance(given, str):
            name = given.lower()
            if name not in _METHODS:
                raise MisconfigurationException(
                    f"The provided `pruning_fn` {name} isn't available among the built-in functions: {list(_METHODS)}"
                )
            if name.endswith("_structured"):
                if dim is None:
                    raise MisconfigurationException(
                        "When requesting `structured` pruning, the `pruning_dim` should be provided."
                    )
                self._options["dim"] = dim
            if name == "ln_structured":
                if norm is None:
                    raise MisconfigurationException(
                        "When requesting `ln_structured` pruning, the `pruning_norm` should be provided."
                    )
                self._options["n"] = norm
            function, method = _METHODS[name]
            self._name = method.__name__
            if not self._is_global:
                return partial(function, **self._options)
        elif inspect.isclass(given) and issubclass(given, prune.BasePruningMethod):
            if not self._is_global:
                raise MisconfigurationException(
                    "A `BasePruningMethod` is currently only supported with `use_global_unstructured=True`."
                )
            method, self._name = given, given.__name__
        else:
            raise MisconfigurationException(
                f"`pruning_fn` is expected to be a str in {list(_METHODS)} or a `BasePruningMethod`. Found: {given}."
                " HINT: if passing a `BasePruningMethod`, pass the class, not an instance"
            )
        if method.PRUNING_TYPE != "unstructured":
            raise MisconfigurationException(
                'Only the "unstructured" PRUNING_TYPE is supported with `use_global_unstructured=True`.'
                f" Found method {method} of type {method.PRUNING_TYPE}."
            )
        return method

    def filter_parameters_to_prune(self, parameters_to_prune: Parameters = ()) -> Parameters:
        """Return which of the parameters to prune: all, unless it is overridden."""
        return parameters_to_prune

    # Pruning

    def apply_pruning(self, amount: int | float) -> None:
        """Prune the parameters by a share or a number."""
        before = [_pruned(module, name) for module, name in self._parameters_to_prune]
        if self._is_global:
            takes = inspect.signature(self.pruning_fn).parameters
            options = {key: value for key, value in {**self._options, "amount": amount}.items() if key in takes}
            method: Any = self.pruning_fn
            prune.global_unstructured(self._parameters_to_prune, method, **options)
        else:
            for module, name in self._parameters_to_prune:
                self.pruning_fn(module, name=name, amount=amount)
        if self._verbose:
            self._log(before, [_pruned(module, name) for module, name in self._parameters_to_prune], amount)

    def _log(self, before: list[tuple[int, int]], after: list[tuple[int, int]], amount: int | float) -> None:
        total = sum(each[1] for each in after)
        zeros = [sum(each[0] for each in counts) for counts in (before, after)]
        log.info(f"Applied `{self._name}`. Pruned: {_share(zeros[0], total)} -> {_share(zeros[1], total)}")
        if self._verbose == 2:
            for (module, name), (old, size), (new, _) in zip(self._parameters_to_prune, before, after):
                log.info(
                    f"Applied `{self._name}` to `{module!r}.{name}` with amount={amount}. Pruned: {old} ({old / size:.2%}) ->"
                    f" {new} ({new / size:.2%})"
                )

    def apply_lottery_ticket_hypothesis(self) -> None:
        """Give the parameters the values they began with, or new ones; what is pruned stays so."""
        drawn: dict[nn.Module, nn.Module] = {}
        for module, name in self._parameters_to_prune:
            first = self._first[module]
            if self._resample_parameters and callable(getattr(first, "reset_parameters", None)):
                if module not in drawn:
                    drawn[module] = copy.deepcopy(first)
                    drawn[module].reset_parameters()  # type: ignore[operator]  # it was found to be a method
                first = drawn[module]
            _original(module, name).data = getattr(first, name).data.to(_original(module, name).device).clone()

    def make_pruning_permanent(self, module: nn.Module) -> None:
        """Let the pruned values be plain parameters."""
        for part in module.modules():
            for key, hook in list(part._forward_pre_hooks.items()):
                if isinstance(hook, prune.BasePruningMethod):
                    hook.remove(part)
                    del part._forward_pre_hooks[key]

    def _run_pruning(self, epoch: int) -> None:
        is_due = self._apply_pruning(epoch) if callable(self._apply_pruning) else self._apply_pruning
        amount = self.amount(epoch) if callable(self.amount) else self.amount
        if not is_due or not amount:
            return
        self.apply_pruning(amount)
        if self._lottery(epoch) if callable(self._lottery) else self._lottery:
            self.apply_lottery_ticket_hypothesis()

    # Hooks

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the parameters, and remember what they begin with."""
        found = self.sanitize_parameters_to_prune(pl_module, self._parameters_to_prune, self._parameter_names)
        self._parameters_to_prune = self.filter_parameters_to_prune(found)
        if self._lottery:
            self._first = {module: copy.deepcopy(module) for module, _ in self._parameters_to_prune}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prune as it was when a checkpoint was saved.

        The optimizer has its parameters by now, in the order in which it had them then: before they were pruned.
        """
        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        for index, mask in loaded["masks"].items():
            module, name = self._parameters_to_prune[int(index)]
            prune.custom_from_mask(module, name, mask.to(getattr(module, name).device))
            # What is pruned next goes by the values the last batch was computed with, one step ago.
            setattr(module, name, loaded["seen"][index].to(mask.device))
        for index, values in loaded["first"].items():
            module, name = self._parameters_to_prune[int(index)]
            getattr(self._first[module], name).data = values

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prune."""
        if self._prune_on_train_epoch_end:
            self._run_pruning(pl_module.current_epoch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prune, where that was asked for."""
        if not trainer.sanity_checking and not self._prune_on_train_epoch_end:
            with facula.inference_mode(False), facula.no_grad():
                self._run_pruning(pl_module.current_epoch)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the pruning permanent, unless that is not wanted."""
        if self._make_pruning_permanent:
            self.make_pruning_permanent(pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let the checkpoint hold plain weights, unless that is not wanted."""
        if self._make_pruning_permanent:
            checkpoint["state_dict"] = _permanent(checkpoint["state_dict"])

    def state_dict(self) -> dict[str, Any]:
        """Return the masks, the pruned values that the last batch saw, and what values go back to."""
        masks, seen, first = {}, {}, {}
        for index, (module, name) in enumerate(self._parameters_to_prune):
            mask = getattr(module, f"{name}_mask", None)
            if mask is not None and self._make_pruning_permanent:
                masks[str(index)], seen[str(index)] = mask, getattr(module, name).detach()
            if self._first and not self._resample_parameters:
                first[str(index)] = getattr(self._first[module], name).detach()
        return {"masks": masks, "seen": seen, "first": first}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Prune as it was, when training begins."""
        self._loaded = state_dict

    @staticmethod
    def sanitize_parameters_to_prune(
        pl_module: LightningModule, parameters_to_prune: Parameters = (), parameter_names: Sequence[str] = ()
    ) -> Parameters:
        """Return the pairs given, or those of the whole module; MisconfigurationException for what is not in it."""
        from facula_lightning.module import LightningModule

        containers = (LightningModule, nn.Sequential, nn.ModuleList, nn.ModuleDict)
        parts = [each for each in pl_module.modules() if not isinstance(each, containers)]
        if not parameters_to_prune:
            names = parameter_names or ModelPruning.PARAMETER_NAMES
            return [
                (part, name) for name in names for part in parts if isinstance(getattr(part, name, None), nn.Parameter)
            ]
        if not isinstance(parameters_to_prune, (list, tuple)) or not all(
            isinstance(pair, (list, tuple))
            and len(pair) == 2
            and isinstance(pair[0], nn.Module)
            and isinstance(pair[1], str)
            for pair in parameters_to_prune
        ):
            raise MisconfigurationException(
                "The provided `parameters_to_prune` should either be list of tuple with 2 elements: (nn.Module,"
                " parameter_name_to_prune) or None"
            )
        modules = [module for module, _ in parameters_to_prune if not any(module is part for part in parts)]
        missing = [name for module, name in parameters_to_prune if module not in modules and not hasattr(module, name)]
        if modules or missing:
            raise MisconfigurationException(
                "Some provided `parameters_to_prune` don't exist in the model. Found missing modules:"
                f" {modules} and missing parameters: {missing}"
            )
        return parameters_to_prune


def _original(module: nn.Module, name: str) -> Tensor:
    """Return a parameter as it is without the mask."""
    found = getattr(module, f"{name}_orig", None)
    return getattr(module, name) if found is None else found


def _pruned(module: nn.Module, name: str) -> tuple[int, int]:
    """Return how many elements of a parameter are pruned, and of how many."""
    mask = getattr(module, f"{name}_mask", None)
    return (0, 1) if mask is None else (int((mask == 0).sum().item()), mask.numel())


def _share(part: int, total: int) -> str:
    return f"{part}/{total} ({part / total:.2%})"


def _permanent(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a module's state with pruned values in the place of values and masks."""
    made: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.endswith("_orig") and f"{name.removesuffix('_orig')}_mask" in state:
            name = name.removesuffix("_orig")
            made[name] = state[f"{name}_mask"].to(dtype=value.dtype) * value
        elif not (name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in state):
            made[name] = value
    return made
