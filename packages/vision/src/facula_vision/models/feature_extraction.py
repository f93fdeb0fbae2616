"""Outputs of the inner layers of a model, by their names."""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facula import Tensor, nn
from facula.overrides import TorchFunctionMode

__all__ = ["create_feature_extractor", "get_graph_node_names"]

Nodes = Sequence[str] | Mapping[str, str]


class _Finished(Exception):
    """Every output that was wanted is there; the rest of the model need not run."""


class _Recorder:
    """Follows one run of a model: which layer it is in, and the outputs of the nodes that were asked for."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        self.missing = set(wanted)
        self.wanted = wanted
        self.found: dict[str, Any] = {}
        self.inside: list[tuple[str, nn.Module]] = []
        self.counts: dict[str, int] = {}

    def record(self, name: str, output: Any) -> None:
        """Keep the output of the node of that name; the second output of one name is that of ``name_1``."""
        count = self.counts.get(name, 0)
        self.counts[name] = count + 1
        node = f"{name}_{count}" if count else name
        if node in self.missing:
            self.missing.remove(node)
            self.found[node] = output
            if not self.missing:
                raise _Finished

    def outputs(self) -> "OrderedDict[str, Any]":
        """Return the outputs by the names that the user gave them."""
        return OrderedDict((new, self.found[node]) for node, new in self.wanted.items())


class _Operations(TorchFunctionMode):
    """Records what a model does itself, outside of the layers of ``facula.nn``."""

    def __init__(self, recorder: _Recorder) -> None:
        self.recorder = recorder

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function returns."""
        result = func(*args, **(kwargs or {}))
        path, module = self.recorder.inside[-1]
        if not _is_leaf(module):
            name = func.__name__.strip("_")
            # `out += x` is an addition like `out + x`.
            if func.__name__.startswith("__i") and hasattr(Tensor, f"__{name[1:]}__"):
                name = name[1:]
            self.recorder.record(f"{path}.{name}" if path else name, result)
        return result


def _is_leaf(module: nn.Module) -> bool:
    """Return whether a module is one of the library's own layers, whose inside is nobody's business."""
    return type(module).__module__.startswith("facula.nn") and not isinstance(module, nn.Sequential)


class FeatureExtractor(nn.Module):
    """A model that shares the layers of another and returns what some of them return."""

    def __init__(self, model: nn.Module, train_nodes: Mapping[str, str], eval_nodes: Mapping[str, str]) -> None:
        super().__init__()
        # Not as a child: the layers keep the names they have in the model.
        object.__setattr__(self, "_model", model)
        self._parameters, self._buffers, self._modules = model._parameters, model._buffers, model._modules
        self._train_nodes = dict(train_nodes)
        self._eval_nodes = dict(eval_nodes)
        self.training = model.training

    def forward(self, *args: Any, **kwargs: Any) -> "OrderedDict[str, Any]":
        """Return the outputs; the model runs no further than it must."""
        recorder = _Recorder(self._train_nodes if self.training else self._eval_nodes)
        model: nn.Module = self.__dict__["_model"]
        training, model.training = model.training, self.training
        handles = []
        for name, module in model.named_modules():
            handles.append(module.register_forward_pre_hook(_entering(recorder, name)))
            handles.append(module.register_forward_hook(_leaving(recorder)))
        try:
            paths = {name for name, _ in model.named_modules()}
            if all(_module_of(node, paths) is not None for node in recorder.wanted):
                model(*args, **kwargs)
            else:
                with _Operations(recorder):
                    model(*args, **kwargs)
        except _Finished:
            pass
        finally:
            model.training = training
            for handle in handles:
                handle.remove()
        if recorder.missing:
            raise ValueError(
                f"The model has run without passing {sorted(recorder.missing)}. It passed {', '.join(recorder.counts)}"
            )
        return recorder.outputs()


def _entering(recorder: _Recorder, name: str) -> Callable[..., None]:
    def enter(module: nn.Module, args: object) -> None:
        recorder.inside.append((name, module))

    return enter


def _leaving(recorder: _Recorder) -> Callable[..., None]:
    def leave(module: nn.Module, args: object, output: object) -> None:
        name, _ = recorder.inside.pop()
        if name:
            recorder.record(name, output)

    return leave


def _module_of(node: str, paths: set[str]) -> str | None:
    """Return the name of the module whose first or later output the node is; None when it is none's."""
    return next((path for path in (node, re.sub(r"_\d+$", "", node)) if path in paths), None)


def _named(nodes: Nodes, paths: set[str]) -> dict[str, str]:
    """Return {node: name of the output}."""
    if isinstance(nodes, str):
        raise TypeError(f"expected a list of names or a dict from names to new ones, got {nodes!r}")
    pairs = nodes.items() if isinstance(nodes, Mapping) else zip(nodes, nodes, strict=True)
    named = {str(node): str(name) for node, name in pairs}
    for node in named:
        parent, _, operation = node.rpartition(".")
        is_operation = parent in paths and not operation.isdigit()
        if _module_of(node, paths) is None and not is_operation:
            raise ValueError(f"node: {node!r} is not present in model. Hint: use `get_graph_node_names`")
    return named


def create_feature_extractor(
    model: nn.Module,
    return_nodes: Nodes | None = None,
    train_return_nodes: Nodes | None = None,
    eval_return_nodes: Nodes | None = None,
    tracer_kwargs: dict[str, Any] | None = None,
    suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None,
) -> nn.Module:
    """Return a model that returns, as a dict, the outputs of some layers of ``model``, whose layers it shares.

    A node is the name of a layer, "layer4.1.relu_1" at its second use, or of an operation that a layer which is not
    the library's own performs: "flatten", "layer1.0.add". ``return_nodes`` is a list of nodes or a dict to the names
    of the outputs; or there is one each for training and evaluation. The model runs up to the last of them.
    The last three arguments are accepted and not needed: nothing is traced.

    >>> import facula
    >>> from facula_vision import models
    >>> body = create_feature_extractor(models.resnet18(), {"layer1": "early", "layer3": "late"})
    >>> [(name, tuple(value.shape)) for name, value in body(facula.zeros(1, 3, 64, 64)).items()]
    [('early', (1, 64, 16, 16)), ('late', (1, 256, 4, 4))]
    """
    if return_nodes is None and (train_return_nodes is None or eval_return_nodes is None):
        raise ValueError("expected return_nodes, or both train_return_nodes and eval_return_nodes")
    if return_nodes is not None and (train_return_nodes is not None or eval_return_nodes is not None):
        raise ValueError("expected either return_nodes, or train_return_nodes and eval_return_nodes, not both")
    paths = {name for name, _ in model.named_modules()}
    train = train_return_nodes if train_return_nodes is not None else return_nodes
    evaluation = eval_return_nodes if eval_return_nodes is not None else return_nodes
    assert train is not None and evaluation is not None
    return FeatureExtractor(model, _named(train, paths), _named(evaluation, paths))


def get_graph_node_names(
    model: nn.Module,
    tracer_kwargs: dict[str, Any] | None = None,
    suppress_diff_warning: bool = False,
    concrete_args: dict[str, Any] | None = None,
) -> tuple[list[str], list[str]]:
    """Return the names of the layers of ``model``, twice: for training and for evaluation.

    They are in the order in which the model holds them, which is nearly always that in which it calls them.
    Operations outside of layers are nodes too, but are known only once the model runs.
    """
    names = [name for name, module in model.named_modules() if name and not next(module.children(), None)]
    return ["x", *names], ["x", *names]
