"""Finding the labels in a sample."""

from collections.abc import Callable, Mapping
from typing import Any

from facula_vision.transforms.v2._utils import is_pure_tensor

LabelsGetter = str | Callable[[Any], Any] | None


def _find(inputs: Any) -> Any:
    """Return the second input when it is a tensor, else what a dict has under "labels" or a key like it."""
    if isinstance(inputs, tuple | list):
        inputs = inputs[1]
    if is_pure_tensor(inputs):
        return inputs
    if not isinstance(inputs, Mapping):
        raise ValueError(
            "When using the default labels_getter, the input must be a dictionary or a two-tuple whose second item is "
            f"a dictionary or a tensor, but got {inputs} instead."
        )
    keys = [key for key in inputs if isinstance(key, str)]
    named = [key for key in keys if key.lower() == "labels"] or [key for key in keys if "label" in key.lower()]
    if not named:
        raise ValueError("Could not infer where the labels are in the sample: pass a labels_getter, or None for none.")
    return inputs[named[0]]


def parse_labels_getter(labels_getter: LabelsGetter) -> Callable[[Any], Any]:
    """Return the function that finds the labels: "default", None for a sample without, or the function itself."""
    if labels_getter == "default":
        return _find
    if callable(labels_getter):
        return labels_getter
    if labels_getter is None:
        return lambda inputs: None
    raise ValueError(f"labels_getter should either be 'default', a callable, or None, but got {labels_getter}.")
