"""What the builders of models share: published ImageNet weights, old ways of calling, outputs of layers."""

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from facula import Tensor, nn

from facula_vision.models._api import (
    Weights,
    WeightsEnum,
    WeightsLike,
    default_num_classes,
    load_weights,
    resolve_weights,
)
from facula_vision.transforms._presets import ImageClassification

__all__ = ["IntermediateLayerGetter", "build_model", "handle_legacy_interface", "imagenet_weights"]

Arguments = ParamSpec("Arguments")
Model = TypeVar("Model", bound=nn.Module)
Builder = Callable[..., Model]


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """Return the multiple of ``divisor`` nearest to ``v``, at least ``min_value`` and not below nine tenths of ``v``."""
    nearest = max(divisor if min_value is None else min_value, int(v + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * v else nearest


def imagenet_weights(
    file: str,
    num_params: int,
    top1: float,
    top5: float,
    min_size: tuple[int, int] = (1, 1),
    resize_size: int = 256,
    crop_size: int = 224,
) -> Weights:
    """Return the weights in that file; ``top1`` and ``top5`` are the percentages right on ImageNet-1K's validation."""
    return Weights(
        url=f"https://download.pytorch.org/models/{file}",
        transforms=partial(ImageClassification, crop_size=crop_size, resize_size=resize_size),
        meta={
            "num_classes": 1000,
            "num_params": num_params,
            "min_size": min_size,
            "_metrics": {"ImageNet-1K": {"acc@1": top1, "acc@5": top5}},
        },
    )


def build_model(
    make: Callable[..., Model],
    enumeration: type[WeightsEnum],
    weights: WeightsLike,
    progress: bool,
    options: dict[str, Any],
) -> Model:
    """Return what ``make(**options)`` makes, with ``weights`` loaded, which decide about ``num_classes``."""
    resolved = resolve_weights(enumeration, weights)
    options["num_classes"] = default_num_classes(resolved, options.pop("num_classes", None))
    model = make(**options)
    load_weights(model, resolved, progress)
    return model


def handle_legacy_interface(
    **weights: tuple[str, WeightsEnum | None | Callable[[dict[str, Any]], WeightsEnum | None]],
) -> Callable[[Callable[Arguments, Model]], Callable[Arguments, Model]]:
    """Return a decorator for a builder that lets it be called as before ``weights``: ``resnet18(pretrained=True)``.

    For each parameter it takes (old name, the weights that True stood for, or a function of the other arguments that
    returns them). Each old use warns.
    """

    def decorate(builder: Callable[Arguments, Model]) -> Callable[Arguments, Model]:
        keyword_only = [
            name
            for name, parameter in inspect.signature(builder).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        ]

        @functools.wraps(builder)
        def build(*args: Any, **kwargs: Any) -> Model:
            positional = len(inspect.signature(builder).parameters) - len(keyword_only) - 1
            extra = args[max(positional, 0) :]
            if len(extra) > len(keyword_only):
                raise TypeError(f"{builder.__name__}() takes at most {len(keyword_only)} arguments, got {len(args)}")
            if extra:
                named = dict(zip(keyword_only, extra, strict=False))
                warnings.warn(
                    f"{builder.__name__}: pass {', '.join(named)} by name; their positions are deprecated", stacklevel=2
                )
                twice = named.keys() & kwargs.keys()
                if twice:
                    raise TypeError(f"{builder.__name__}() got multiple values for argument {sorted(twice)[0]!r}")
                kwargs.update(named)
            for parameter, (old, default) in weights.items():
                _bring_up_to_date(builder.__name__, kwargs, parameter, old, default)
            return builder(*args[: len(args) - len(extra)], **kwargs)

        return build

    return decorate


def _bring_up_to_date(builder: str, kwargs: dict[str, Any], parameter: str, old: str, default: Any) -> None:
    """Replace ``pretrained``, or a boolean for ``weights``, in the arguments of a builder."""
    wanted = kwargs.get(parameter)
    if old in kwargs:
        warnings.warn(f"{builder}: {old!r} is deprecated, use {parameter!r}", stacklevel=3)
        wanted = kwargs.pop(old)
    elif not isinstance(wanted, bool):
        return
    else:
        warnings.warn(f"{builder}: a boolean for {parameter!r} is deprecated, name the weights", stacklevel=3)
    if wanted is True:
        wanted = default(kwargs) if callable(default) and not isinstance(default, WeightsEnum) else default
        if wanted is None:
            raise ValueError(f"No weights are published for this form of {builder}")
    kwargs[parameter] = wanted or None


class IntermediateLayerGetter(nn.ModuleDict):
    """The layers of a model up to the last one named; it returns the outputs of those named, under new names.

    ``return_layers`` maps the names of direct children of ``model``, which it must call in order, to new ones.

    >>> import facula
    >>> from facula_vision import models
    >>> body = IntermediateLayerGetter(models.resnet18(), {"layer1": "first", "layer3": "second"})
    >>> [(name, tuple(value.shape)) for name, value in body(facula.zeros(1, 3, 64, 64)).items()]
    [('first', (1, 64, 16, 16)), ('second', (1, 256, 4, 4))]
    """

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        children = dict(model.named_children())
        missing = set(return_layers) - set(children)
        if missing:
            raise ValueError(f"return_layers are not present in model: {sorted(missing)}")
        names = list(children)
        last = max(names.index(name) for name in return_layers)
        super().__init__(OrderedDict((name, children[name]) for name in names[: last + 1]))
        self.return_layers = {str(name): str(new) for name, new in return_layers.items()}

    def forward(self, x: Tensor) -> "OrderedDict[str, Tensor]":
        """Return the outputs by their new names."""
        outputs = OrderedDict()
        for name, layer in self.items():
            x = layer(x)
            if name in self.return_layers:
                outputs[self.return_layers[name]] = x
        return outputs
